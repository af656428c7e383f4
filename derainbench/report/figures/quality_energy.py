"""PSNR against energy, a panel per scenario, with the frontier of what is to be had."""

from __future__ import annotations

import math
import textwrap
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from derainbench.audit.quality_energy import points
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.margins import margins
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import records
from derainbench.report.figures.marking import marked
from derainbench.report.figures.style import palette

COLUMNS = 2
PANEL = (3.9, 2.9)  # inches
NAMES_A_LINE = 2
LONGEST_NAME = 60  # characters of a line of the key; longer ones are broken
ITERATIONS = 300  # of placing numbers; a limit in seconds would draw differently on a busy machine
NOTHING = "no network was both scored and counted on this set"
ANN_BLUE, SPIKING_ORANGE = palette(2)
GREY = (0.72, 0.72, 0.72)


def shown_points(config: Config) -> pd.DataFrame:
    """Points on the figure's data set under the default costs, nothing reused, no zero skipped."""
    table = points(config, plain=True)
    return table[table["dataset"] == config.figures.dataset]


def caption(config: Config) -> str:
    """What the figure shows, and what its marks mean."""
    margin = margins().equal_quality_margin_db.value
    return (
        f"PSNR on the {config.figures.dataset} test images, protocol {config.figures.protocol}, "
        "against the energy of one image at the measured firing rate, under every scenario; costs "
        f"{DEFAULT_COSTS}, nothing reused, no zero skipped; other cost tables stand in "
        "tables/quality_energy.csv. Means over images and seeds; bars: lowest and highest seed. "
        "Line: the frontier, beyond which no network here is as good for less energy. Bands: within "
        f"{margin:g} dB of a spiking network; only pairs of equal quality are compared, ANNs outside "
        "of every band are grey. Scores are of the whole test images, energies of crops."
    )


def quality_energy_figure(config: Config) -> Figure:
    """Small multiples: a panel per scenario, energy on a log scale against PSNR.

    Networks are numbered; the key below the panels names them with their PSNR.
    """
    table = shown_points(config)
    letters = list(scenarios())
    rows = math.ceil(len(letters) / COLUMNS)
    size = (PANEL[0] * COLUMNS, PANEL[1] * rows)
    figure, grid = plt.subplots(
        rows, COLUMNS, figsize=size, sharex=True, sharey=True, squeeze=False
    )
    images = table["scored_images"].max()
    counted = f", {images} images" if len(table) else ""
    title = f"{config.figures.dataset} test{counted}; {DEFAULT_COSTS}"
    figure.suptitle(marked(config, title), x=0.02, ha="left", fontsize=10)
    numbers = {run: str(i) for i, run in enumerate(table["run"].unique(), 1)}
    for axes, letter in zip(grid.flat, letters, strict=False):
        axes.set_title(f"({letter}) {scenarios()[letter].label}", loc="left", fontsize=9)
        of_scenario = table[table["scenario"] == letter]
        if of_scenario.empty:
            axes.text(0.5, 0.5, NOTHING, ha="center", transform=axes.transAxes, fontsize=8)
            continue
        _panel(axes, of_scenario, numbers)
    for axes in grid.flat[len(letters) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel(f"PSNR (dB), {config.figures.protocol}")
    for axes in grid.flat[max(len(letters) - COLUMNS, 0) : len(letters)]:
        axes.set_xlabel(f"energy of one {config.energy.size}x{config.energy.size} crop (mJ)")
        axes.tick_params(labelbottom=True)
    figure.tight_layout()
    _number(grid, table, letters, numbers)
    _key(figure, table, numbers)
    return figure


def _panel(axes: Axes, table: pd.DataFrame, numbers: dict[str, str]) -> None:
    """One scenario: bands of equal quality, the frontier, and the points with their seeds."""
    margin = margins().equal_quality_margin_db.value
    axes.set_xscale("log")
    for psnr in table["psnr"][table["spiking"]]:
        axes.axhspan(psnr - margin, psnr + margin, color=SPIKING_ORANGE, alpha=0.13, linewidth=0)
    frontier = table[table["frontier"]].sort_values("mj")
    axes.step(frontier["mj"], frontier["psnr"], where="post", color="black", linewidth=1)
    for point in records(table):
        look = _look(point)
        axes.errorbar(
            point["mj"],
            point["psnr"],
            xerr=[[point["mj"] - point["mj_min"]], [point["mj_max"] - point["mj"]]],
            yerr=[[point["psnr"] - point["psnr_min"]], [point["psnr_max"] - point["psnr"]]],
            color=look["color"],
            linewidth=1,
            fmt="none",
            zorder=3,
        )
        axes.plot(point["mj"], point["psnr"], markersize=6, zorder=4, **look)
    axes.margins(x=0.12, y=0.1)
    axes.xaxis.set_major_locator(LogLocator(subs=(1,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _look(point: dict[str, Any]) -> dict[str, Any]:
    colour = SPIKING_ORANGE if point["spiking"] else ANN_BLUE
    grey = not point["equal_quality"]
    return {
        "marker": "D" if point["spiking"] else "o",
        "color": GREY if grey else colour,
        "markeredgecolor": "0.5" if grey else "black",
        "markeredgewidth": 0.6,
        "linestyle": "none",
    }


def _number(
    grid: np.ndarray, table: pd.DataFrame, letters: list[str], numbers: dict[str, str]
) -> None:
    """Writes the numbers of the networks clear of the points and of each other."""
    from adjustText import adjust_text  # takes a second, and who reads points does not draw them

    for axes, letter in zip(grid.flat, letters, strict=False):
        of_scenario = table[table["scenario"] == letter]
        if of_scenario.empty:
            continue
        white = [withStroke(linewidth=2.5, foreground="w")]
        texts = [
            axes.text(
                point["mj"],
                point["psnr"],
                numbers[point["run"]],
                fontsize=8,
                color="0.15" if point["equal_quality"] else "0.45",
                path_effects=white,
                zorder=5,
            )
            for point in records(of_scenario)
        ]
        adjust_text(
            texts,
            of_scenario["mj"].to_numpy(),
            of_scenario["psnr"].to_numpy(),
            ax=axes,
            expand=(1.5, 1.5),
            iter_lim=ITERATIONS,
            arrowprops={"arrowstyle": "-", "color": "0.5", "linewidth": 0.5},
        )


def _key(figure: Figure, table: pd.DataFrame, numbers: dict[str, str]) -> None:
    """Below the panels: every number's network with its PSNR, and what the marks mean."""
    if table.empty:
        return
    handles: list[Any] = []
    for point in records(table.drop_duplicates("run")):
        name = f"{numbers[point['run']]}  {point['title']}, {point['psnr']:.2f} dB"
        lines = textwrap.wrap(name, LONGEST_NAME, drop_whitespace=False)
        handles.append(Line2D([], [], **_look(point), label="\n".join(lines)))
    margin = margins().equal_quality_margin_db.value
    handles += [
        Line2D([], [], color="black", linewidth=1, label="frontier"),
        Line2D([], [], **_look({"spiking": True, "equal_quality": True}), label="spiking network"),
        Line2D([], [], **_look({"spiking": False, "equal_quality": True}), label="ANN"),
        Line2D(
            [],
            [],
            **_look({"spiking": False, "equal_quality": False}),
            label="ANN of other quality, not compared",
        ),
        Patch(color=SPIKING_ORANGE, alpha=0.2, label=f"within {margin:g} dB of a spiking network"),
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.02, 0.005),
        ncol=NAMES_A_LINE,
        frameon=False,
        fontsize=7.5,
    )
