"""From operation counts to energy, under named scenarios and cost tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

import pandas as pd
import yaml

from derainbench.energy.counting import ATTENTION, MEMBRANE, SILENT, SPIKES

DEFAULT_COSTS = "horowitz-45nm-fp32"
PJ_PER_MJ = 1e9


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


@dataclass(frozen=True)
class Scenario:
    """What is counted.

    Attributes:
        title, text: in a few words, and in full.
        analog: what an operation of a spiking network on analog input is priced as: "mac", or
            "ac" times the mean firing rate.
        others: whether attention and all other operators are counted too.
        memory: whether memory traffic is.
    """

    title: str
    text: str
    analog: str
    others: bool = False
    memory: bool = False


def _catalogue(name: str) -> dict[str, dict]:
    text = resources.files("derainbench.catalog").joinpath(name).read_text("utf-8")
    return yaml.safe_load(text)


@cache
def cost_tables() -> dict[str, Costs]:
    """The cost tables of ``catalog/costs.yaml`` by name."""
    return {name: Costs(**values) for name, values in _catalogue("costs.yaml").items()}


@cache
def scenarios() -> dict[str, Scenario]:
    """The scenarios of ``catalog/scenarios.yaml`` by letter."""
    return {name: Scenario(**values) for name, values in _catalogue("scenarios.yaml").items()}


@dataclass(frozen=True)
class Work:
    """The work of one image, all layers together; NaN where only measurement could tell.

    Attributes:
        analog_macs, analog_nonzero: MACs of layers on analog input: all, and those of non-zero
            elements.
        spike_reach: accumulates of layers on spikes if every neuron fired at every time step.
        sops: those that really happen.
        attention_macs, attention_nonzero: as the first two, inside attention.
        adds, multiplies, specials: all other operators.
        analog_values, spike_values: elements of layers' inputs and outputs that are moved.
        weights: weight elements read.
        membrane_values: reads and writes of membrane potentials.
        spiking: whether the network has spiking neurons.
    """

    analog_macs: float
    analog_nonzero: float
    spike_reach: float
    sops: float
    attention_macs: float
    attention_nonzero: float
    adds: float
    multiplies: float
    specials: float
    analog_values: float
    spike_values: float
    weights: float
    membrane_values: float
    spiking: bool

    @property
    def rate(self) -> float:
        """Mean firing rate: SOPs per possible one."""
        return self.sops / self.spike_reach if self.spike_reach else math.nan


def work(layers: pd.DataFrame, others: pd.DataFrame, *, spiking: bool, reuse: bool) -> Work:
    """Adds up one image's layers.

    Args:
        layers: columns of :class:`~derainbench.energy.counting.LayerCount`, rows of one image.
        others: columns of :class:`~derainbench.energy.counting.OtherCount`.
        spiking: whether the network has spiking neurons; in such a network an input that is
            silent throughout counts as spikes that never came, in others as values.
        reuse: whether a layer whose input is the same at all time steps is computed once.
    """
    times = layers["steps"].where(layers["constant"], 1) if reuse else 1.0
    of = layers.assign(
        **{c: layers[c] / times for c in ("macs", "reach", "effective")},
        inputs=layers["input_elements"] / times,
        outputs=layers["output_elements"] / times,
    )
    attention = of["role"] == ATTENTION
    on_spikes = of["input"].isin([SPIKES, SILENT] if spiking else [SPIKES])
    analog, spikes = of[~attention & ~on_spikes], of[~attention & on_spikes]
    inside = of[attention]

    def total(rows: pd.DataFrame, column: str) -> float:
        return float(rows[column].sum(skipna=False))

    return Work(
        analog_macs=total(analog, "macs"),
        analog_nonzero=total(analog, "effective"),
        spike_reach=total(spikes, "reach"),
        sops=total(spikes, "effective"),
        attention_macs=total(inside, "macs"),
        attention_nonzero=total(inside, "effective"),
        adds=total(others, "adds"),
        multiplies=total(others, "multiplies"),
        specials=total(others, "specials"),
        analog_values=total(of[~on_spikes], "inputs") + total(of, "outputs"),
        spike_values=total(of[on_spikes], "inputs"),
        weights=total(of, "weights"),
        membrane_values=2 * total(others[others["category"] == MEMBRANE], "elements"),
        spiking=spiking,
    )


@dataclass(frozen=True)
class Price:
    """Energy of one image in millijoule: ``fixed + slope * firing rate``.

    Attributes:
        fixed: what does not depend on the firing rate.
        slope: what is added if every neuron fires at every time step.
        rate: the measured mean firing rate; NaN for networks without neurons, or unmeasured.
    """

    fixed: float
    slope: float
    rate: float

    @property
    def energy(self) -> float:
        """At the measured rate; NaN if that is unknown."""
        return self.fixed + self.slope * self.rate if self.slope else self.fixed

    def rate_for(self, energy: float) -> float:
        """The firing rate at which an energy is reached; NaN if the fixed part exceeds it.

        Above 1: the energy is higher even if every neuron always fires.
        """
        if not self.slope or math.isnan(self.fixed) or self.fixed >= energy:
            return math.nan
        return (energy - self.fixed) / self.slope


def price(of: Work, costs: Costs, scenario: Scenario, *, zero_skipping: bool = False) -> Price:
    """What a network's work costs.

    Args:
        of: its work on one image.
        costs: what an operation costs.
        scenario: what is counted.
        zero_skipping: whether products with a zero activation cost nothing, in ANNs too.
    """
    analog = of.analog_nonzero if zero_skipping else of.analog_macs
    fixed, slope = 0.0, of.spike_reach * costs.ac
    if of.spiking and scenario.analog == "ac":
        slope += analog * costs.ac
    else:
        fixed += analog * costs.mac
    if scenario.others:
        fixed += (of.attention_nonzero if zero_skipping else of.attention_macs) * costs.mac
        fixed += of.adds * costs.add + of.multiplies * costs.multiply + of.specials * costs.special
    if scenario.memory:
        bits = (of.analog_values + of.membrane_values) * costs.bits + of.spike_values
        bits += of.weights * (costs.weight_bits or costs.bits)
        fixed += bits / 8 * costs.byte
    return Price(fixed / PJ_PER_MJ, slope / PJ_PER_MJ, of.rate)


def quantisation_bits(steps: int) -> int:
    """Bits of the quantised ANN that tells as many levels apart as T time steps of spikes do.

    ceil(log2(T + 1)): https://arxiv.org/abs/2409.08290.
    """
    return math.ceil(math.log2(steps + 1))
