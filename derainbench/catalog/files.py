"""Reading files of the catalogue.

Every reader names its files in a constant ``CATALOG_FILES``: patterns below ``catalog/``. What a
change of such a file reruns follows from that constant and from who imports the reader.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from derainbench.foundation.errors import BenchError

CATALOG = Path(__file__).resolve().parent
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def matching(*patterns: str) -> list[Path]:
    """Files below ``catalog/`` that fit shell patterns such as ``papers/*/claims.yaml``, sorted."""
    files = {file for pattern in patterns for file in CATALOG.glob(pattern)}
    return sorted(files, key=lambda file: (file.parent, file.stem))  # "x" before "x-ann"


def read_yaml(file: Path | str) -> Any:
    """The content of a YAML file, by its path or its place below ``catalog/``.

    Raises:
        BenchError: if it cannot be read or is not YAML.
    """
    path = CATALOG / file
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise BenchError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        first = str(error).replace("\n", " ")
        raise BenchError(f"{path}: not valid YAML ({first})") from error


@cache
def _parsed(path: Path, _modified: int) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
