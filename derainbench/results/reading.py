"""Reading result files; what is read can be watched, so that a table knows what it rests on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.foundation.errors import BenchError

_readers: list[list[Path]] = []  # of recording() blocks that are open


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file, every digit kept.

    Raises:
        BenchError: if it is missing.
    """
    facts = _existing(path).stat()
    return _table(path, facts.st_mtime_ns, facts.st_size).copy()


@lru_cache(maxsize=2048)  # the report reads every score file for each of its tables
def _table(path: Path, modified: int, size: int) -> pd.DataFrame:
    return pd.read_csv(path)


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        BenchError: if it is missing or damaged.
    """
    try:
        return json.loads(_existing(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BenchError(f"{path}: damaged JSON; delete the file and run again") from error


def read_number(cell: float | None) -> float:
    """A number as JSON holds it: null stands for one that is not finite, and becomes NaN."""
    return math.nan if cell is None else float(cell)


@contextmanager
def recording() -> Iterator[list[Path]]:
    """Gives a list of the files that this module reads in the block: what a table rests on."""
    files: list[Path] = []
    _readers.append(files)
    try:
        yield files
    finally:
        _readers.pop()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BenchError(f"{path}: missing; run snakemake with this configuration first")
    for files in _readers:
        if path not in files:
            files.append(path)
    return path
