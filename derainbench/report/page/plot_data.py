"""What the data of the page's interactive plots have in common."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from derainbench.catalog.scenarios import scenarios


def plain(value: Any) -> Any:
    """The same for JSON: what is not a finite number becomes null, numpy's types Python's."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return (
        None if value is pd.NA or (isinstance(value, float) and not math.isfinite(value)) else value
    )


def option_key(scenario: str, reuse: bool, zero_skipping: bool) -> str:
    """``a``, ``b-reuse``, ``c-reuse-skip``: how the page's scripts name a way of counting."""
    return scenario + "-reuse" * bool(reuse) + "-skip" * bool(zero_skipping)


def scenario_texts() -> dict[str, dict[str, str]]:
    """Title and text of every scenario, by letter."""
    return {letter: {"title": s.label, "text": s.text} for letter, s in scenarios().items()}
