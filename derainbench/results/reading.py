"""Reading result files, every digit kept."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.foundation.documents import read_json_file
from derainbench.foundation.files import regular_file
from derainbench.foundation.frames import read_csv

_ANEW = "delete the file and run again"


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file, every digit kept.

    Raises:
        BenchError: if it is missing or no table.
    """
    facts = _existing(path).stat()
    return _table(path, facts.st_mtime_ns, facts.st_size).copy()


@lru_cache(maxsize=2048)  # the report reads every score file for each of its tables
def _table(path: Path, modified: int, size: int) -> pd.DataFrame:
    return read_csv(path, _ANEW)


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        BenchError: if it is missing or damaged.
    """
    return read_json_file(_existing(path), _ANEW)


def read_number(cell: float | None) -> float:
    """A number as JSON holds it: null stands for one that is not finite, and becomes NaN."""
    return math.nan if cell is None else float(cell)


def _existing(path: Path) -> Path:
    return regular_file(path, "missing; run snakemake with this configuration first")
