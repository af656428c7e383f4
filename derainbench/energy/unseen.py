"""What an account could not see of a network, in sentences for whoever reads its numbers."""

from __future__ import annotations

import pandas as pd

from derainbench.energy.readings import graded_layers, undetermined
from derainbench.energy.records import INTEGER, LAYER
from derainbench.energy.work import neurons_seen

NAMED = 3  # layers named in a sentence; the rest is counted


def time_steps(layers: pd.DataFrame, others: pd.DataFrame, *, spiking: bool) -> int | None:
    """Time steps of a network; None where the neurons of a spiking one were not seen."""
    if not spiking:
        return 1
    return int(layers["steps"].max()) if neurons_seen(others) else None


def not_seen(layers: pd.DataFrame, others: pd.DataFrame, *, spiking: bool) -> list[str]:
    """What the counts leave open; nothing where card and measurement agree.

    Args:
        layers, others: the counts, columns as in :class:`~derainbench.energy.records.LayerCount`
            and :class:`~derainbench.energy.records.OtherCount`.
        spiking: what the model's card says.
    """
    sentences = []
    if spiking and not neurons_seen(others):
        sentences.append(
            "the card says spiking, but no neuron of spikingjelly was seen: time steps and "
            "membrane updates are unknown, and scenarios that price them stay empty"
        )
    if not spiking and neurons_seen(others):
        sentences.append(
            "neurons of spikingjelly were seen, which the card does not say: the network is "
            "priced as an ordinary one of one time step"
        )
    whole = layers.loc[(layers["input"] == INTEGER) & (layers["role"] == LAYER), "layer"]
    names = list(dict.fromkeys(name or "the model" for name in whole))
    if names and (spiking or neurons_seen(others)):
        sentences.append(
            f"the input of {_named(names)} is whole numbers, too many different ones for graded "
            "spikes: priced as values, a MAC each, not as spikes"
        )
    if names := list(graded_layers(layers, spiking=spiking)):
        sentences.append(
            f"the input of {_named(names)} is graded spikes, of more levels than 0 and 1: priced "
            "as values, a MAC each; as repeated spikes under the other readings"
        )
    if names := undetermined(layers, spiking=spiking):
        sentences.append(
            f"the input of {_named(names)} is zero throughout, in every probing too, so spikes "
            "cannot be told from values: priced as values; as spikes under the other readings"
        )
    return sentences


def _named(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
