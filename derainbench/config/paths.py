"""Paths and names in a configuration, as people write them into YAML or after ``--config``."""

from __future__ import annotations

import datetime
import os
import unicodedata
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator


def number_as_text(value: Any) -> Any:
    """A number or day that stands for a name, such as the folder ``2024``.

    Raises:
        ValueError: for a number that YAML may have changed: ``1.10`` comes as 1.1.
    """
    if isinstance(value, datetime.datetime | float):
        raise ValueError("put this name in quotes: without them YAML reads it as a number or time")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def usable_path(path: str) -> str:
    """A path with the home folder for ``~`` and ``~user``, without slashes too many.

    Raises:
        ValueError: for a path that the rules of the workflow cannot hold.
    """
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise ValueError("holds a character that is none to be written; rename the folder")
    if "{" in path or "}" in path:
        raise ValueError(
            "Snakemake takes braces in a path for wildcards; rename the folder, or reach it "
            "through a link without braces"
        )
    if path.startswith("-"):
        raise ValueError("starts with '-', as options do; give the full path")
    return str(Path(os.path.expanduser(path))) if path else path


PathText = Annotated[str, BeforeValidator(number_as_text), AfterValidator(usable_path)]
