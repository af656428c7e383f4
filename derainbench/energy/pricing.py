"""From a network's work to its energy, under a scenario and a cost table."""

from __future__ import annotations

import math
from dataclasses import dataclass

from derainbench.catalog.costs import Costs
from derainbench.catalog.scenarios import Scenario
from derainbench.energy.work import Work

PJ_PER_MJ = 1e9


@dataclass(frozen=True)
class Price:
    """Energy of one image in millijoule: ``fixed + slope * firing rate``.

    Attributes:
        fixed: what does not depend on the firing rate.
        slope: what is added if every neuron fires at every time step.
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
    else:
        fixed += analog * costs.mac
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
    if scenario.memory:
        stored = image_work.analog_values + image_work.membrane_values
        bits = stored * costs.bits + image_work.spike_values
        bits += image_work.weights * (costs.weight_bits or costs.bits)
        fixed += bits / 8 * costs.byte
    return Price(fixed / PJ_PER_MJ, slope / PJ_PER_MJ, image_work.firing_rate)


def quantisation_bits(steps: int) -> int:
    """Bits of the quantised ANN that tells as many levels apart as T time steps of spikes do.

    ceil(log2(T + 1)): https://arxiv.org/abs/2409.08290.
    """
    return math.ceil(math.log2(steps + 1))
