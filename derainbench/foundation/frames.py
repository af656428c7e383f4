"""Rows and cells of data frames."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table whose columns have names, each by column; numbers are Python's own."""
    return cast(list[dict[str, Any]], table.to_dict("records"))


def as_markdown(table: pd.DataFrame, **options: Any) -> str:
    """A table as Markdown, its cells as they are: a bar or a line break in one ends no cell.

    Args:
        table: without its index.
        options: of :meth:`pandas.DataFrame.to_markdown`.
    """
    plain = table.rename(columns=_in_a_cell).map(_in_a_cell)
    return str(plain.to_markdown(index=False, **options))


def _in_a_cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.replace("|", r"\|").replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


def is_empty(cell: Any) -> bool:
    """Whether a cell has no value: None, NaN, or pandas' own mark for it."""
    return bool(pd.isna(cell))
