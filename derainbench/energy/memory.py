"""What memory traffic costs: from one cache, or from memories by size under named readings."""

from __future__ import annotations

from typing import NamedTuple

from derainbench.catalog.costs import Costs
from derainbench.catalog.memory_levels import bit_price
from derainbench.catalog.scenarios import Scenario
from derainbench.energy.traffic import (
    MEMBRANES,
    SPIKES_IN,
    VALUES_IN,
    VALUES_OUT,
    WEIGHTS,
    Traffic,
    address_bits,
)
from derainbench.energy.work import Work

BITS_OF_BYTE = 8


class MemoryPrice(NamedTuple):
    """Picojoule of one kind of traffic.

    Attributes:
        kind: see :mod:`derainbench.energy.traffic`, or :data:`PACKETS`.
        fixed: what does not depend on firing rates.
        possible: what is added if every neuron fires at every time step.
        happened: what is added at the measured firing rates; NaN if they are not known.
    """

    kind: str
    fixed: float
    possible: float = 0.0
    happened: float = 0.0


PACKETS = "packets"


def flat_memory(work: Work, costs: Costs) -> float:
    """Picojoule where every byte has the same price, and weights are fetched once per layer."""
    stored = work.analog_values + work.membrane_values
    bits = stored * costs.bits + work.spike_values
    bits += work.weights * _weight_bits(costs)
    return bits / BITS_OF_BYTE * costs.byte


def memory_by_size(work: Work, costs: Costs, scenario: Scenario) -> list[MemoryPrice]:
    """What a network's traffic costs where each memory has the price of its size.

    A layer's weights, its input, its output and its neurons' potentials lie in memories of their own,
    each in the smallest that holds it; maps and potentials of one time step at a time. A map of
    spikes takes the room of its bits, whichever way it is stored.

    Args:
        work: the network's; what it does not know has a price of NaN.
        costs: what an operation costs.
        scenario: under which readings.
    """
    prices = [_level_price(row, costs, scenario) for row in work.traffic]
    if scenario.packets:
        prices += [_packet_price(row, costs) for row in work.traffic]
    return prices


def _level_price(row: Traffic, costs: Costs, scenario: Scenario) -> MemoryPrice:
    bits = (
        _weight_bits(costs) if row.kind == WEIGHTS else 1 if row.kind == SPIKES_IN else costs.bits
    )
    price = bit_price(costs.levels, row.held * bits / BITS_OF_BYTE)
    if row.kind == WEIGHTS:
        by_event = scenario.weights == "spike" and row.possible
    else:
        by_event = scenario.spikes == "addresses" and row.kind == SPIKES_IN
        bits = address_bits(row.held) if by_event else bits
    if by_event:
        return MemoryPrice(row.kind, 0.0, *(n * bits * price for n in (row.possible, row.happened)))
    return MemoryPrice(row.kind, row.moved * bits * price)


def _packet_price(row: Traffic, costs: Costs) -> MemoryPrice:
    """One packet per value or spike that a layer takes, over one hop."""
    if row.kind == SPIKES_IN:
        return MemoryPrice(PACKETS, 0.0, row.possible * costs.hop, row.happened * costs.hop)
    return MemoryPrice(PACKETS, row.moved * costs.hop if row.kind == VALUES_IN else 0.0)


def _weight_bits(costs: Costs) -> float:
    return costs.weight_bits or costs.bits


KINDS = (WEIGHTS, VALUES_IN, SPIKES_IN, VALUES_OUT, MEMBRANES, PACKETS)
