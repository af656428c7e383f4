"""How a training went: loss, PSNR of the validations, and firing rates of all spiking layers."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from derainbench.report.figures.style import palette

RATE = "rate:"  # begins the columns of a history that hold the firing rate of a layer
SCORES = {"selection_psnr_rgb": "selected on", "monitored_psnr_rgb": "monitored only"}
CAPTION = (
    "Loss of every epoch; PSNR in RGB of the central crops that choose the weights (ring: the epoch "
    "chosen) and of those that are only looked at; firing rates of all spiking layers in the "
    "validation, spikes per neuron and time step, from the first layer (dark) to the last (light). "
    "A layer at 0 or 1 is dead. A line per seed."
)


def training_figure(histories: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Curves over epochs, a panel each for loss, PSNR and, of spiking networks, firing rates.

    Args:
        histories: rows of ``history.csv`` of every seed's training, by a name for it.
        title: which network and training.
    """
    rates = any(_rate_columns(rows) for rows in histories.values())
    figure, axes = plt.subplots(1, 2 + rates, figsize=(4 * (2 + rates), 3.2), layout="constrained")
    for (name, rows), colour in zip(histories.items(), palette(len(histories)), strict=True):
        axes[0].plot(rows["epoch"], rows["loss"], color=colour, label=name)
        _plot_scores(axes[1], rows, colour)
        if rates:
            _plot_rates(axes[2], rows)
    axes[0].set(xlabel="epoch", ylabel="loss")
    axes[1].set(xlabel="epoch", ylabel="PSNR (dB, RGB)")
    if len(histories) > 1:
        axes[0].legend(frameon=False)
    if any("monitored_psnr_rgb" in rows for rows in histories.values()):
        for style, name in (("-", "selected on"), (":", "monitored only")):
            axes[1].plot([], [], style, color="0.3", label=name)
        axes[1].legend(frameon=False)
    if rates:
        axes[2].set(xlabel="epoch", ylabel="firing rate", ylim=(0, None))
    figure.suptitle(title, fontsize=9)
    return figure


def _plot_scores(axes: Axes, rows: pd.DataFrame, colour: object) -> None:
    for column, style in zip(SCORES, ("-", ":"), strict=True):
        if column in rows:
            scored = rows.dropna(subset=[column])
            axes.plot(scored["epoch"], scored[column], style, marker=".", color=colour)
    chosen = rows.dropna(subset=["selection_psnr_rgb"])
    if len(chosen):
        best = chosen.nlargest(1, "selection_psnr_rgb")
        axes.plot(best["epoch"], best["selection_psnr_rgb"], "o", mfc="none", ms=9, color=colour)


def _plot_rates(axes: Axes, rows: pd.DataFrame) -> None:
    columns = _rate_columns(rows)
    shades = plt.get_cmap("viridis")
    for place, column in enumerate(columns):
        measured = rows.dropna(subset=[column])
        shade = shades(place / max(1, len(columns) - 1))
        axes.plot(measured["epoch"], measured[column], color=shade, linewidth=0.8)


def _rate_columns(rows: pd.DataFrame) -> list[str]:
    return [column for column in map(str, rows) if column.startswith(RATE)]
