"""Firing rates at rain and at clean places, by depth."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from derainbench.energy.spikes.statistics import UNDECIDED
from derainbench.energy.spikes.wording import LABELS
from derainbench.report.figures.style import palette

CAPTION = "Difference in firing rate at every depth, over the test set. Hollow: undecided."


def by_depth(depths: pd.DataFrame, title: str) -> Figure:
    """Spike-rate differences at every depth with their intervals.

    Args:
        depths: the rows of ``depth.csv``.
        title: which weights and images.
    """
    layers = depths.drop_duplicates("depth").sort_values("depth")
    figure, axes = plt.subplots(figsize=(max(5.5, 0.32 * len(layers) + 1.5), 4.6))
    axes.axhline(0, color="0.3", linewidth=0.8)
    colours = dict(zip(LABELS, [*palette(2), "0.6"], strict=True))
    shifts = dict(zip(LABELS, (-0.2, 0.0, 0.2), strict=True))
    for name, rows in depths.groupby("comparison", sort=False):
        name = str(name)
        place = rows["depth"] + shifts[name]
        axes.vlines(place, rows["low"], rows["high"], color=colours[name], linewidth=1.4)
        decided = rows["verdict"] != UNDECIDED
        for chosen, face in ((decided, colours[name]), (~decided, "white")):
            axes.scatter(
                place[chosen],
                rows["difference"][chosen],
                s=18,
                color=face,
                edgecolor=colours[name],
                zorder=3,
            )
        axes.scatter([], [], s=18, color=colours[name], label=LABELS[name])
    axes.scatter([], [], s=18, color="white", edgecolor="black", label="undecided at this depth")
    axes.set_xticks(layers["depth"], layers["depth"].astype(str) + " " + layers["layer"])
    axes.tick_params(axis="x", labelrotation=90, labelsize=7)
    axes.set_xlim(0.3, len(layers) + 0.7)
    axes.set_xlabel("spiking layer, from input to output")
    axes.set_ylabel("difference, spikes per neuron and step\n(mean over images, 95 % interval)")
    axes.grid(axis="x", visible=False)
    axes.set_title(title, loc="left", fontsize=9, pad=46)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=2, frameon=False)
    return figure
