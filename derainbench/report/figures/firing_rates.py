"""Firing rates by depth."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from derainbench.energy.records import SPIKES
from derainbench.report.figures.style import palette

CAPTION = (
    "Of the inputs of all layers on spikes, by time step; bars: standard deviation over images."
)


def rate_figure(layers: pd.DataFrame, title: str) -> Figure:
    """Firing rates by depth, one line per time step; bars are the deviation over images.

    Args:
        layers: of an account.
        title: which network, weights and images.
    """
    import seaborn as sns  # takes a second, and not every stage that gets here draws

    spikes = layers[(layers["input"] == SPIKES) & (layers["role"] == "layer")]
    rates = spikes["step_densities"].str.split(" ", expand=True).astype(float)
    rates.columns = [f"t = {i + 1}" for i in range(rates.shape[1])]
    depth = {name: i for i, name in enumerate(dict.fromkeys(spikes["layer"]), 1)}
    long = (
        rates.assign(depth=spikes["layer"].map(depth))
        .melt(id_vars="depth", var_name="time step", value_name="firing_rate")
        .dropna()
    )
    figure, axes = plt.subplots(figsize=(max(5.5, 0.32 * len(depth) + 1.6), 3.8))
    steps = rates.shape[1]
    sns.lineplot(
        long,
        x="depth",
        y="firing_rate",
        hue="time step",
        style="time step",
        markers=True,
        errorbar="sd",
        err_style="bars",
        palette=palette(steps),
        ax=axes,
        markersize=5,
        linewidth=1,
    )
    weighted = (
        (spikes["effective_operations"].sum() / spikes["reach"].sum()) if len(spikes) else np.nan
    )
    label = f"mean over possible\noperations: {weighted:.3f}"
    axes.axhline(weighted, color="0.3", linestyle=":", linewidth=1, label=label)
    axes.set_xticks(list(depth.values()), list(depth), rotation=90, fontsize=7)
    axes.set(xlabel="", ylabel="firing rate of a layer's input\n(spikes per neuron and time step)")
    axes.set_ylim(0)
    axes.grid(axis="x", visible=False)
    axes.set_title(title, loc="left", fontsize=9)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure
