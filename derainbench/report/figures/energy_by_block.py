"""Where a network's energy goes."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from derainbench.energy.blocks import PARTS
from derainbench.report.figures.style import palette

CAPTION = (
    "By block, in the order of computation; outlines: all the energy of the ANN counterpart. PSNR: of "
    "the run and of its counterpart on the same test images, mean over seeds; grey outlines: not of equal quality."
)


@dataclass(frozen=True)
class Counterpart:
    """The ANN of a spiking network's topology.

    Attributes:
        blocks: from :func:`derainbench.energy.blocks.energy_by_block`.
        psnr: dB, on the same images as the spiking network's.
        equal_quality: whether both are of equal quality.
    """

    blocks: pd.DataFrame
    psnr: float
    equal_quality: bool


def block_figure(network: pd.DataFrame, counterpart: Counterpart | None, title: str) -> Figure:
    """Stacked energies by block; the ANN of the same topology as outlines.

    Args:
        network: from :func:`derainbench.energy.blocks.energy_by_block`.
        counterpart: the ANN of the same topology, if there is one with scores.
        title: which network, weights and images.
    """
    figure, axes = plt.subplots(figsize=(max(5.5, 0.38 * len(network) + 1.6), 3.9))
    places, bottom = np.arange(len(network)), np.zeros(len(network))
    hatches = ("", "//", "..", "xx", "")
    for part, colour, hatch in zip(PARTS, palette(len(PARTS)), hatches, strict=True):
        energy = network[part].to_numpy()
        label = f"{part}: not seen" if np.isnan(energy).any() else part
        energy = np.nan_to_num(energy)
        axes.bar(
            places, energy, 0.8, bottom, label=label, color=colour, hatch=hatch, edgecolor="white"
        )
        bottom += energy
    if counterpart is not None:
        total = counterpart.blocks.sum(axis=1).reindex(network.index)
        axes.bar(
            places,
            total,
            0.92,
            color="none",
            edgecolor="black" if counterpart.equal_quality else "0.7",
            linewidth=1.1,
            label=f"ANN counterpart, all of it ({counterpart.psnr:.2f} dB)",
        )
    axes.set_xticks(places, list(network.index), rotation=90, fontsize=7)
    axes.set_ylabel("energy per image (mJ)")
    axes.grid(axis="x", visible=False)
    axes.set_title(title, loc="left", fontsize=9, pad=44)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=3, frameon=False)
    return figure
