"""Energies and savings under every scenario, as ``derainbench scenarios`` wrote them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.results.reading import read_table

if TYPE_CHECKING:
    from derainbench.config.schema import Config

CACHE_VARIED = "last cache"  # in ``sensitivity.csv``: the bytes of the largest cache are varied


def read_scenarios(config: Config, name: str) -> pd.DataFrame:
    """A table of ``derainbench scenarios``: "energy", "savings", "memory", "sensitivity"."""
    return read_table(Path(config.results) / "scenarios" / f"{name}.csv")


def plain_rows(table: pd.DataFrame, costs: str = DEFAULT_COSTS) -> pd.DataFrame:
    """Rows of one cost table, nothing reused and no zero skipped."""
    return table[(table["costs"] == costs) & ~table["reuse"] & ~table["zero_skipping"]]
