"""Energy saved against every baseline under every scenario."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from derainbench.foundation.frames import records

CAPTION = (
    "Reuse: what is constant over the time steps is computed once. Skip 0: products with a zero "
    "activation cost nothing, in ANNs too. PSNR: of both on the same images of the test set, mean over "
    "images and seeds. Grey: not of equal quality, compared with nothing."
)


def matrix_figure(savings_of_run: pd.DataFrame, title: str) -> Figure:
    """Saving against every baseline under every scenario and option, as a heat map.

    Args:
        savings_of_run: rows of ``scenarios/savings.csv`` of one spiking run, one cost table, with the
            columns of :func:`derainbench.audit.equal_quality.quality_columns`. Pairs without both
            scores are left out, those of unequal quality are grey.
        title: which network, weights and images.
    """
    savings_of_run = savings_of_run[savings_of_run["why_not"] == ""]
    if savings_of_run.empty:
        figure, axes = plt.subplots(figsize=(5, 1.2))
        axes.text(
            0.5, 0.5, "no other network was counted and scored on the same images", ha="center"
        )
        axes.set_axis_off()
        axes.set_title(title, loc="left", fontsize=9)
        return figure
    import seaborn as sns  # takes a second, and not every stage that gets here draws

    rows = savings_of_run.assign(
        column=[
            f"({row['scenario']})" + " reuse" * row["reuse"] + " skip 0" * row["zero_skipping"]
            for row in records(savings_of_run)
        ],
        named=[
            f"{row['baseline_title']}, {row['psnr_baseline']:.2f} dB"
            for row in records(savings_of_run)
        ],
    )
    order = list(dict.fromkeys(rows.sort_values(["scenario", "reuse", "zero_skipping"])["column"]))
    baselines = list(dict.fromkeys(rows["named"]))
    unequal = [name in set(rows["named"][~rows["equal_quality"]]) for name in baselines]
    table = rows.pivot_table("saving", "named", "column", sort=False)
    table = table.reindex(index=baselines, columns=order)
    text = table.map(lambda v: "" if pd.isna(v) else f"{v:.0%}" if v > -1 else f"{1 - v:.1f}x")
    figure, axes = plt.subplots(figsize=(0.52 * len(order) + 2.4, 0.34 * len(baselines) + 1.9))
    mask = pd.DataFrame(False, index=table.index, columns=table.columns)
    mask.loc[unequal] = True
    sns.heatmap(
        table.clip(-1, 1),
        mask=mask,
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
    for place in (i for i, other in enumerate(unequal) if other):
        axes.axhspan(place, place + 1, color="0.95", linewidth=0, zorder=0)
        for column, cell in enumerate(text.iloc[place]):
            look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 6.5, "color": "0.6"}
            axes.text(column + 0.5, place + 0.5, cell, **look)
    axes.grid(visible=False)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="x", labelrotation=90, labelsize=7)
    axes.tick_params(axis="y", labelrotation=0, labelsize=8)
    for label, other in zip(axes.get_yticklabels(), unequal, strict=True):
        label.set_color("0.6" if other else "0.15")
    axes.set_title(title, loc="left", fontsize=9)
    return figure
