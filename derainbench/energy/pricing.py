"""From a network's work to its energy, under a scenario and a cost table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from derainbench.catalog.costs import Costs
from derainbench.catalog.memory_levels import bit_price
from derainbench.catalog.scenarios import Scenario
from derainbench.energy.memory import flat_memory, memory_by_size
from derainbench.energy.work import Work

PJ_PER_MJ = 1e9


@dataclass(frozen=True)
class Price:
    """Energy of one image in millijoule: ``fixed + slope * firing rate``.

    Attributes:
        fixed: what does not depend on the firing rate.
        slope: what is added if every neuron fires at every time step; where amounts depend on which
            layer fires, with the layers' rates in their measured proportions.
        firing_rate: the measured mean firing rate; NaN for networks without neurons, or unmeasured.
    """

    fixed: float
    slope: float
    firing_rate: float

    @property
    def energy(self) -> float:
        """At the measured rate; NaN if that is unknown."""
        return self.fixed + self.slope * self.firing_rate if self.slope else self.fixed

    def rate_for(self, energy: float) -> float:
        """The firing rate at which an energy is reached; NaN if the fixed part exceeds it.

        Above 1: the energy is higher even if every neuron always fires.
        """
        if not self.slope or math.isnan(self.fixed) or self.fixed >= energy:
            return math.nan
        return (energy - self.fixed) / self.slope


def price(
    image_work: Work, costs: Costs, scenario: Scenario, *, zero_skipping: bool = False
) -> Price:
    """What a network's work costs.

    Args:
        image_work: its work on one image.
        costs: what an operation costs.
        scenario: what is counted.
        zero_skipping: whether products with a zero activation cost nothing, in ANNs too.
    """
    analog = image_work.effective_macs if zero_skipping else image_work.analog_macs
    fixed, slope = 0.0, image_work.spike_reach * costs.ac
    if image_work.spiking and scenario.analog == "ac":
        slope += analog * costs.ac
    elif analog:  # without any, a table needs no price of a MAC
        fixed += analog * costs.mac
    if image_work.spiking:
        slope += costs.spike * image_work.per_rate(image_work.possible_spikes, image_work.spikes)
        # A table without such an operation needs no number of updates, which can be unknown.
        fixed += costs.update * image_work.membrane_values / 2 if costs.update else 0.0
    if scenario.others:
        products = (
            image_work.attention_effective_macs if zero_skipping else image_work.attention_macs
        )
        fixed += products * costs.mac
        fixed += (
            image_work.adds * costs.add
            + image_work.multiplies * costs.multiply
            + image_work.specials * costs.special
        )
    if scenario.memory and scenario.levels:
        for moved in memory_by_size(image_work, costs, scenario):
            fixed += moved.fixed
            slope += image_work.per_rate(moved.possible, moved.happened)
    elif scenario.memory:
        fixed += flat_memory(image_work, costs)
    return Price(fixed / PJ_PER_MJ, slope / PJ_PER_MJ, image_work.firing_rate)


def can_price(costs: Costs, scenario: Scenario) -> bool:
    """Whether a table has every price that a scenario takes, MACs apart: some networks have none."""
    needed = [costs.ac]
    if scenario.others:
        needed += [costs.add, costs.multiply, costs.special]
    if scenario.memory:
        needed.append(costs.bits)
        needed.append(bit_price(costs.levels, 0) if scenario.levels else costs.byte)
    return not math.isnan(sum(needed))


def quantisation_bits(steps: int) -> int:
    """Bits of the quantised ANN that tells as many levels apart as T time steps of spikes do.

    ceil(log2(T + 1)): https://arxiv.org/abs/2409.08290.
    """
    return math.ceil(math.log2(steps + 1))
