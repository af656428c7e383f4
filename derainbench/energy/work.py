"""The work of one image: operation counts added up over a network's layers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pandas as pd

from derainbench.catalog.readings import DEFAULT_READING, readings
from derainbench.energy.readings import as_read
from derainbench.energy.records import ATTENTION, MEMBRANE, SPIKES
from derainbench.energy.traffic import MEMBRANES, Traffic, network_traffic, spikes_in


@dataclass(frozen=True, kw_only=True)
class Work:
    """The work of one image, all layers together; NaN where only measurement could tell.

    Attributes:
        analog_macs, effective_macs: MACs of layers on analog input: all, and those of non-zero
            elements.
        spike_reach: accumulates of layers on spikes if every neuron fired at every time step;
            of graded ones read as repeated spikes, if it emitted its highest level.
        sops: those that really happen.
        attention_macs, attention_effective_macs: as the first two, inside attention.
        adds, multiplies, specials: all other operators; the first two are NaN, as are
            ``membrane_values``, where the neurons of a spiking network were not seen
            (:func:`network_work`).
        analog_values, spike_values: elements of layers' inputs and outputs that are moved.
        weights: weight elements read.
        membrane_values: reads and writes of membrane potentials.
        possible_spikes, spikes: spikes that layers take, attention apart: if every neuron fired at
            every time step, and those that really come. They are the emitted ones where each neuron
            feeds one layer, and where it feeds several, as often as they are sent.
        traffic: the same elements by kind and by how much a layer's memory must hold.
        spiking: whether the network has spiking neurons.
    """

    analog_macs: float = 0.0
    effective_macs: float = 0.0
    spike_reach: float = 0.0
    sops: float = 0.0
    attention_macs: float = 0.0
    attention_effective_macs: float = 0.0
    adds: float = 0.0
    multiplies: float = 0.0
    specials: float = 0.0
    analog_values: float = 0.0
    spike_values: float = 0.0
    weights: float = 0.0
    membrane_values: float = 0.0
    possible_spikes: float = 0.0
    spikes: float = 0.0
    traffic: tuple[Traffic, ...] = ()
    spiking: bool

    @property
    def firing_rate(self) -> float:
        """Mean firing rate: SOPs per possible one."""
        return self.sops / self.spike_reach if self.spike_reach else math.nan

    def per_rate(self, possible: float, happened: float) -> float:
        """The slope over the firing rate that gives what happened at the measured one.

        Firing rates of layers keep their measured proportions; where nothing was measured, or
        nothing fired, all are taken to be alike.

        Args:
            possible: an amount if every neuron fired at every time step.
            happened: the amount at the measured rates.
        """
        rate = self.firing_rate
        return happened / rate if rate > 0 else possible


def work(
    layers: pd.DataFrame,
    others: pd.DataFrame,
    *,
    spiking: bool,
    reuse: bool,
    reading: str = DEFAULT_READING,
) -> Work:
    """Adds up one image's layers.

    Args:
        layers: columns of :class:`~derainbench.energy.records.LayerCount`, rows of one image.
        others: columns of :class:`~derainbench.energy.records.OtherCount`.
        spiking: whether the network has spiking neurons.
        reuse: whether a layer whose input is the same at all time steps is computed once.
        reading: what graded spikes and silent inputs of a spiking network are priced as: a name
            in ``catalog/readings.yaml``.
    """
    layers = as_read(layers, readings()[reading], spiking=spiking)
    times = layers["steps"].where(layers["constant"], 1) if reuse else 1.0
    counted = layers.assign(
        **{c: layers[c] / times for c in ("macs", "reach", "effective_operations")},
        inputs=layers["input_elements"] / times,
        outputs=layers["output_elements"] / times,
    )
    attention = counted["role"] == ATTENTION
    on_spikes = counted["input"] == SPIKES
    analog, spikes = counted[~attention & ~on_spikes], counted[~attention & on_spikes]
    inside = counted[attention]

    def total(rows: pd.DataFrame, column: str) -> float:
        return float(rows[column].sum(skipna=False))

    return Work(
        analog_macs=total(analog, "macs"),
        effective_macs=total(analog, "effective_operations"),
        spike_reach=total(spikes, "reach"),
        sops=total(spikes, "effective_operations"),
        attention_macs=total(inside, "macs"),
        attention_effective_macs=total(inside, "effective_operations"),
        adds=total(others, "adds"),
        multiplies=total(others, "multiplies"),
        specials=total(others, "specials"),
        analog_values=total(counted[~on_spikes], "inputs") + total(counted, "outputs"),
        spike_values=total(counted[on_spikes], "inputs"),
        weights=total(counted, "weights"),
        membrane_values=2 * total(others[others["category"] == MEMBRANE], "elements"),
        possible_spikes=total(spikes, "inputs"),
        spikes=float(spikes_in(spikes).sum(skipna=False)),
        traffic=network_traffic(
            counted, others, on_spikes, steps=float(layers["steps"].max()) if len(layers) else 1.0
        ),
        spiking=spiking,
    )


def neurons_seen(others: pd.DataFrame) -> bool:
    """Whether the counter met spiking neurons, which are spikingjelly's; others it cannot know."""
    return bool((others["category"] == MEMBRANE).any())


def network_work(
    layers: pd.DataFrame,
    others: pd.DataFrame,
    *,
    spiking: bool,
    reuse: bool,
    reading: str = DEFAULT_READING,
) -> Work:
    """:func:`work` of all layers of a network, whose neurons must then be among the operators.

    Where they are not, they are updated all the same: how often is not known, and not 0.
    """
    total = work(layers, others, spiking=spiking, reuse=reuse, reading=reading)
    if spiking and not neurons_seen(others):
        potentials = Traffic(MEMBRANES, math.nan, math.nan, 0.0, 0.0)
        return replace(
            total,
            adds=math.nan,
            multiplies=math.nan,
            membrane_values=math.nan,
            traffic=(*total.traffic, potentials),
        )
    return total
