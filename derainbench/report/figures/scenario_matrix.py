"""Energy saved against every baseline under every scenario."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from derainbench.foundation.frames import records

CAPTION = (
    "Reuse: what is constant over the time steps is computed once. Skip 0: products with a zero "
    "activation cost nothing, in ANNs too."
)


def matrix_figure(savings_of_run: pd.DataFrame, title: str) -> Figure:
    """Saving against every baseline under every scenario and option, as a heat map.

    Args:
        savings_of_run: rows of ``scenarios/savings.csv`` of one spiking run, one cost table.
        title: which network, weights and images.
    """
    if savings_of_run.empty:
        figure, axes = plt.subplots(figsize=(5, 1.2))
        axes.text(0.5, 0.5, "no other network was counted on the same images", ha="center")
        axes.set_axis_off()
        axes.set_title(title, loc="left", fontsize=9)
        return figure
    import seaborn as sns  # takes a second, and not every stage that gets here draws

    rows = savings_of_run.assign(
        column=[
            f"({row['scenario']})" + " reuse" * row["reuse"] + " skip 0" * row["zero_skipping"]
            for row in records(savings_of_run)
        ]
    )
    order = list(dict.fromkeys(rows.sort_values(["scenario", "reuse", "zero_skipping"])["column"]))
    baselines = list(dict.fromkeys(rows["baseline_title"]))
    table = rows.pivot_table("saving", "baseline_title", "column", sort=False)
    table = table.reindex(index=baselines, columns=order)
    text = table.map(lambda v: "" if pd.isna(v) else f"{v:.0%}" if v > -1 else f"{1 - v:.1f}x")
    figure, axes = plt.subplots(figsize=(0.52 * len(order) + 2.4, 0.34 * len(baselines) + 1.9))
    sns.heatmap(
        table.clip(-1, 1),
        annot=text,
        fmt="",
        cmap="PuOr",
        vmin=-1,
        vmax=1,
        linewidths=0.5,
        annot_kws={"fontsize": 6.5},
        cbar_kws={"label": "energy saved", "format": PercentFormatter(1)},
        ax=axes,
    )
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="x", labelrotation=90, labelsize=7)
    axes.tick_params(axis="y", labelrotation=0, labelsize=8)
    axes.set_title(title, loc="left", fontsize=9)
    return figure
