"""Operation counts as tables, and the totals of one image."""

from __future__ import annotations

import pandas as pd
import torch

from derainbench.catalog.readings import DEFAULT_READING
from derainbench.energy.input_classes import without_empty_levels
from derainbench.energy.records import UNKNOWN, LayerCount, OtherCount
from derainbench.energy.work import network_work

OTHER_COLUMNS = ["layer", "type", "operator", "category", "calls", "elements"]
OTHER_COLUMNS += ["adds", "multiplies", "specials"]


def layer_table(counts: list[LayerCount]) -> pd.DataFrame:
    """One row per convolution or matrix product; columns of graded spikes only where there are."""
    table = pd.DataFrame([vars(c) for c in counts])
    for side in ("input", "output"):
        shapes = table[f"{side}_shape"]
        table[f"{side}_elements"] = [int(torch.Size(shape).numel()) for shape in shapes]
        table[f"{side}_shape"] = ["x".join(map(str, shape)) for shape in shapes]
    table["step_densities"] = [
        " ".join(f"{r:.9g}" for r in rates) for rates in table["step_densities"]
    ]
    return without_empty_levels(table)


def other_table(counts: list[OtherCount]) -> pd.DataFrame:
    """One row per module and other operator."""
    return pd.DataFrame([vars(c) for c in counts], columns=OTHER_COLUMNS)


def image_totals(
    layers: pd.DataFrame, others: pd.DataFrame, *, spiking: bool, reading: str = DEFAULT_READING
) -> dict[str, float]:
    """Totals of one image.

    Args:
        layers, others, spiking, reading: see :func:`~derainbench.energy.work.work`.

    Returns:
        ``macs_dense``; ``macs_analog`` (of layers on analog input); ``macs_effective`` (those
        with a non-zero input); ``macs_attention``; ``sops`` (accumulates caused by spikes);
        ``firing_rate`` (SOPs per possible one; NaN without spikes); ``membrane_updates`` and
        ``membrane_state_values`` (elements held in memory), NaN where the neurons of a spiking
        network were not seen;
        ``unknown_share`` (elements put out by operators without a rule, of all).
    """
    total = network_work(layers, others, spiking=spiking, reuse=False, reading=reading)
    put_out = others["elements"].sum() + layers["output_elements"].sum()
    unknown = others.loc[others["category"] == UNKNOWN, "elements"].sum()
    updates = total.membrane_values / 2
    steps = layers["steps"].max() if spiking else 1
    return {
        "macs_dense": float(layers["macs"].sum()),
        "macs_analog": total.analog_macs,
        "macs_effective": total.effective_macs,
        "macs_attention": total.attention_macs,
        "sops": total.sops,
        "firing_rate": total.firing_rate,
        "membrane_updates": float(updates),
        "membrane_state_values": float(updates / steps),
        "unknown_share": float(unknown / put_out),
    }
