"""What layers and neurons move to and from memory, by kind and by how much the memory must hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from derainbench.energy.records import LAYER, MEMBRANE

WEIGHTS, MEMBRANES = "weights", "membrane potentials"
VALUES_IN, SPIKES_IN, VALUES_OUT = "values in", "spikes in", "values out"


class Traffic(NamedTuple):
    """What lies in memories of one size; elements, not bits. NaN where only measurement could tell.

    Attributes:
        kind: what it is.
        held: elements that the memory of one layer holds: its weights; the input, output or
            membrane potentials of one time step.
        moved: elements read or written if each layer fetches every one of them once.
        possible: spikes in a map, or weights that spikes fetch, if every neuron fired at every time
            step; 0 for what no spikes cause.
        happened: those that really happen.
    """

    kind: str
    held: float
    moved: float
    possible: float
    happened: float


def network_traffic(
    layers: pd.DataFrame, others: pd.DataFrame, on_spikes: pd.Series, *, steps: float
) -> tuple[Traffic, ...]:
    """The traffic of one image, memories of one kind and size together.

    Args:
        layers: columns of :class:`~derainbench.energy.records.LayerCount` of one image, with
            ``inputs``, ``outputs``, ``reach`` and ``effective_operations`` as often as they happen.
        others: columns of :class:`~derainbench.energy.records.OtherCount`.
        on_spikes: which layers take spikes.
        steps: time steps of the neurons.
    """
    spiking = on_spikes.to_numpy(bool)
    driven = spiking & (layers["role"] == LAYER).to_numpy(bool)
    taken, given = (layers[f"{s}_elements"] / layers["steps"] for s in ("input", "output"))
    inputs, weights = layers["inputs"], layers["weights"]
    updates = others.loc[others["category"] == MEMBRANE, "elements"].astype(float)
    fetches = layers["reach"], layers["effective_operations"]
    return (
        *_summed(VALUES_IN, ~spiking, taken, inputs),
        *_summed(SPIKES_IN, spiking, taken, inputs, inputs, spikes_in(layers)),
        *_summed(VALUES_OUT, np.ones_like(spiking), given, layers["outputs"]),
        *_summed(WEIGHTS, ~driven, weights, weights),
        *_summed(WEIGHTS, driven, weights, weights, *fetches),
        *_summed(MEMBRANES, updates > 0, updates / steps, 2 * updates),  # read, and written
    )


def spikes_in(layers: pd.DataFrame) -> pd.Series:
    """Elements other than 0 that layers take: spikes, of those that take spikes."""
    return layers["inputs"] * layers["activation_density"]


def _summed(
    kind: str, chosen: ArrayLike, held: pd.Series, moved: pd.Series, *events: pd.Series
) -> Iterator[Traffic]:
    """Chosen rows, those of one size together.

    Args:
        kind, held, moved: see :class:`Traffic`.
        chosen: which rows; those that move nothing are left out.
        events: possible ones and those that happen, if there are any.
    """
    rows = np.asarray(chosen, bool) & (moved.to_numpy() > 0)
    sizes, group = np.unique(held.to_numpy(float)[rows], return_inverse=True)
    amounts_moved = [amount.to_numpy(float)[rows] for amount in (moved, *events)]
    amounts_moved += [np.zeros(len(group))] * (3 - len(amounts_moved))  # no events
    sums = [np.bincount(group, amount) for amount in amounts_moved]
    for size, *amounts in zip(sizes, *sums, strict=True):
        yield Traffic(kind, float(size), *map(float, amounts))


def address_bits(neurons: float) -> int:
    """Bits of the address of one of so many neurons."""
    return max(1, math.ceil(math.log2(neurons)))
