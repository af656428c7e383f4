"""What is counted: the scenarios of ``catalog/scenarios.yaml``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from derainbench.catalog.files import read_yaml
from derainbench.foundation.reads import cache

CATALOG_FILES = ("scenarios.yaml",)
WEIGHT_READINGS = ("layer", "spike")
SPIKE_READINGS = ("bits", "addresses")


@dataclass(frozen=True)
class Scenario:
    """What is counted.

    Attributes:
        name: short enough for a legend, and the same everywhere.
        title, text: in a few words, and in full.
        analog: what an operation of a spiking network on analog input is priced as: "mac", or
            "ac" times the mean firing rate.
        others: whether attention and all other operators are counted too.
        memory: whether memory traffic is.
        levels: whether memories have prices by size, else one price for all.
        weights: with levels, how often weights are fetched: once per "layer", or once per "spike".
        spikes: with levels, what a map of spikes is stored as: "bits", one per neuron and time
            step, or "addresses", one per emitted spike.
        packets: with levels, whether what layers take crosses one hop of a network-on-chip: a packet
            per emitted spike, and per analog value.
    """

    name: str
    title: str
    text: str
    analog: str
    others: bool = False
    memory: bool = False
    levels: bool = False
    weights: str = WEIGHT_READINGS[0]
    spikes: str = SPIKE_READINGS[0]
    packets: bool = False

    @property
    def label(self) -> str:
        """Name and title, for captions."""
        return f"{self.name}, {self.title}"


@cache
def scenarios() -> dict[str, Scenario]:
    """The scenarios of ``catalog/scenarios.yaml`` by letter."""
    return {name: Scenario(**values) for name, values in read_yaml("scenarios.yaml").items()}


def memory_readings() -> list[Scenario]:
    """Every reading of memory by size: how weights are fetched, spikes stored, packets counted."""
    [*_, priced] = (s for s in scenarios().values() if s.levels)
    return [
        replace(priced, weights=weights, spikes=spikes, packets=packets)
        for weights, spikes, packets in product(WEIGHT_READINGS, SPIKE_READINGS, (False, True))
    ]
