"""Data frames: read from a file, their rows and cells."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import pandas as pd

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table whose columns have names, each by column; numbers are Python's own."""
    # As objects first: text that pandas keeps in Arrow's arrays is slow to take out one by one.
    return cast(list[dict[str, Any]], table.astype(object).to_dict("records"))


def as_markdown(table: pd.DataFrame, **options: Any) -> str:
    """A table as Markdown, its cells as they are: no bar or line break ends one, no tag acts.

    Args:
        table: without its index.
        options: of :meth:`pandas.DataFrame.to_markdown`.
    """
    plain = table.rename(columns=_in_a_cell).map(_in_a_cell)
    return str(plain.to_markdown(index=False, **options))


def markdown_text(text: str) -> str:
    """Text for Markdown in which no HTML tag, link or picture acts: they are shown as written."""
    return re.sub(r"<(?=[A-Za-z/!?])", r"\\<", text).replace("](", r"]\(")


def written_in_markdown(cell: str) -> str:
    """What a cell of :func:`as_markdown` was before it was written."""
    return cell.replace(r"\|", "|").replace(r"\<", "<").replace(r"]\(", "](")


def _in_a_cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    plain = value.replace("|", r"\|").replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
    return markdown_text(plain)


def is_empty(cell: Any) -> bool:
    """Whether a cell has no value: None, NaN, or pandas' own mark for it."""
    return bool(pd.isna(cell))


def read_csv(
    path: Path, remedy: str, missing: str = "no such file", **options: Any
) -> pd.DataFrame:
    """A CSV file as a table.

    Args:
        path: of the file.
        remedy: what the message tells the user to do about a damaged one.
        missing: what it says if there is none.
        options: of ``pandas.read_csv``.

    Raises:
        BenchError: if it is missing, no regular file, or no table.
    """
    try:
        table: pd.DataFrame = pd.read_csv(regular_file(path, missing), **options)
    except ValueError as error:  # pandas' parser errors and wrong encodings are such
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(f"{path}: not a CSV table ({first}); {remedy}") from error
    return table
