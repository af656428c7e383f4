"""What an operation costs: the cost tables of ``catalog/costs.yaml``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from derainbench.catalog.files import read_yaml
from derainbench.catalog.memory_levels import MemoryLevel
from derainbench.foundation.reads import cache

CATALOG_FILES = ("costs.yaml",)
DEFAULT_COSTS = "horowitz-45nm-fp32"


@dataclass(frozen=True)
class Costs:
    """Energy per operation, picojoule; NaN where the source gives none.

    Attributes:
        ac: accumulate caused by a spike.
        mac: multiply-accumulate; a table without gives energies, but no savings.
        source: where the numbers are from.
        add, multiply, special: elementwise operations.
        spike, update: a sign operation for every emitted spike, or for every neuron and time step;
            0 in tables that know no such operation.
        byte: moving one byte.
        bits: of a stored value.
        weight_bits: of a stored weight; as many as of other values if not said.
        levels: memories by size; none if the source has no such prices.
        hop: carrying a packet over one hop of a network-on-chip.
        narrow: whether narrower inputs make a product cheaper (integer arithmetic).
    """

    ac: float
    source: str
    mac: float = math.nan
    add: float = math.nan
    multiply: float = math.nan
    special: float = math.nan
    spike: float = 0.0
    update: float = 0.0
    byte: float = math.nan
    bits: float = math.nan
    weight_bits: float | None = None
    levels: tuple[MemoryLevel, ...] = ()
    hop: float = math.nan
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

    def at_bound(self, bound: str) -> Costs:
        """The same where every access of a memory costs its "low" or its "high" price."""
        prices = [(level.bytes, getattr(level, bound)) for level in self.levels]
        return replace(self, levels=tuple(MemoryLevel(b, price, price) for b, price in prices))


@cache
def cost_tables() -> dict[str, Costs]:
    """The cost tables of ``catalog/costs.yaml`` by name."""
    return {name: _costs(**values) for name, values in read_yaml("costs.yaml").items()}


def _costs(*, levels: list[dict[str, float]] | None = None, **values: Any) -> Costs:
    return Costs(**values, levels=tuple(MemoryLevel(**level) for level in levels or ()))
