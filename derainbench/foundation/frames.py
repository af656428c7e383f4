"""Rows and cells of data frames."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table whose columns have names, each by column; numbers are Python's own."""
    return cast(list[dict[str, Any]], table.to_dict("records"))


def is_empty(cell: Any) -> bool:
    """Whether a cell has no value: None, NaN, or pandas' own mark for it."""
    return bool(pd.isna(cell))
