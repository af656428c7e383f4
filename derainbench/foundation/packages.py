"""Which top-level packages this project consists of."""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


@cache
def own_packages() -> tuple[str, ...]:
    """The harness and the networks beside it, as the distribution lists them.

    In a checkout that is not installed, they are the packages beside the harness.
    """
    try:
        listed = metadata.distribution("derainbench").read_text("top_level.txt") or ""
    except metadata.PackageNotFoundError:
        listed = ""
    return tuple(sorted(listed.split())) or tuple(
        sorted(file.parent.name for file in ROOT.glob("*/__init__.py"))
    )
