"""Reading files of the catalogue.

Every reader names its files in a constant ``CATALOG_FILES``: patterns below ``catalog/``. What a
change of such a file reruns follows from that constant and from who imports the reader.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from derainbench.foundation.documents import Unreadable, document_text, parse_yaml
from derainbench.foundation.errors import BenchError
from derainbench.foundation.reads import cache

CATALOG = Path(__file__).resolve().parent


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
    except Unreadable as error:
        raise BenchError(f"{path}: not valid YAML ({error})") from error


@cache
def _parsed(path: Path, _modified: int) -> Any:
    return parse_yaml(document_text(path))
