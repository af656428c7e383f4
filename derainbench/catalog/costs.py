"""What an operation costs: the cost tables of ``catalog/costs.yaml``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from derainbench.catalog.files import read_yaml
from derainbench.foundation.reads import cache

CATALOG_FILES = ("costs.yaml",)
DEFAULT_COSTS = "horowitz-45nm-fp32"


@dataclass(frozen=True)
class Costs:
    """Energy per operation, picojoule; NaN where the source gives none.

    Attributes:
        mac, ac: multiply-accumulate, and accumulate caused by a spike.
        add, multiply, special: elementwise operations.
        byte: moving one byte.
        bits: of a stored value.
        weight_bits: of a stored weight; as many as of other values if not said.
        narrow: whether narrower inputs make a product cheaper (integer arithmetic).
        source: where the numbers are from.
    """

    mac: float
    ac: float
    source: str
    add: float = math.nan
    multiply: float = math.nan
    special: float = math.nan
    byte: float = math.nan
    bits: float = math.nan
    weight_bits: float | None = None
    narrow: bool = False

    def quantised(self, bits: int) -> Costs:
        """The same with activations of fewer bits and weights as they are."""
        multiply = self.multiply * bits / self.bits
        return replace(
            self,
            mac=multiply + self.add,
            multiply=multiply,
            bits=bits,
            weight_bits=self.weight_bits or self.bits,
        )


@cache
def cost_tables() -> dict[str, Costs]:
    """The cost tables of ``catalog/costs.yaml`` by name."""
    return {name: Costs(**values) for name, values in read_yaml("costs.yaml").items()}
