"""What an operator computes per element: the rules of ``catalog/operators.yaml``."""

from __future__ import annotations

from dataclasses import dataclass

from derainbench.catalog.files import read_yaml
from derainbench.foundation.reads import cache

CATALOG_FILES = ("operators.yaml",)


@dataclass(frozen=True)
class Rule:
    """What an operator computes per element."""

    category: str
    add: float = 0
    multiply: float = 0
    special: float = 0
    per: str = "output"


@cache
def operator_rules() -> dict[str, Rule]:
    """The operators of ``catalog/operators.yaml`` by their name in aten."""
    return {
        operator: Rule(**group["cost"])
        for group in read_yaml("operators.yaml")
        for operator in group["operators"]
    }
