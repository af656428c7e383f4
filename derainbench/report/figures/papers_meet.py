"""All papers' networks and ANN counterparts in one figure, at full size and run by run."""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecFromSubplotSpec, SubplotSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from derainbench.audit.side_by_side import (
    NETWORK,
    OTHER_COUNTER,
    SEVERAL,
    claims_column,
    side_by_side,
)
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.margins import margins
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.report.figures.marking import marked
from derainbench.report.figures.style import palette
from derainbench.report.figures.verdicts import LOOKS

WIDTH = 11.5  # inches
LINE, HEAD = 0.3, 0.1  # inches: of a network, and of a row of panels beside these
SLOT = 0.062  # inches of a cost table within a network's line
BLUE, ORANGE = palette(2)
GREY = "0.65"
MARKS = "osD^v<>PX"  # of cost tables, beside their colours
SEVERAL_LOOK = ("#cc79a7", "black", "±")
NO_RUN = "no run of these networks has scores on this set"


def caption(config: Config) -> str:
    """What the figure shows, and what its marks mean."""
    margin = margins().equal_quality_margin_db.value
    return (
        "Every paper's spiking network and the ANN of the same topology. Above: at full size, from "
        "the structure alone, one 256x256 image, all time steps: parameters by true count and as "
        f"{OTHER_COUNTER} counts them; dense MACs on spikes and on analog input; how many claims of "
        "the paper have which verdict. Middle: energy of the full-size networks under every scenario "
        "and cost table, a line from a network that never fires to one whose neurons always do, a "
        "mark for an ANN; a line that begins at the left edge costs nothing without a spike. No "
        "scores are known of these, so nothing is said of quality. Below: the runs of this "
        f"configuration, which may be smaller: PSNR on {config.figures.dataset}, protocol "
        f"{config.figures.protocol}, and energy per image at the measured firing rate; grey: no "
        f"other run here lies within {margin:g} dB on the same images, so its energy is compared "
        f"with none. Filled marks and thick lines: {DEFAULT_COSTS}. Chips have prices of synaptic "
        "operations alone. Nothing reused, no zero skipped."
    )


def papers_figure(config: Config) -> Figure:
    """Three rows of panels whose lines are networks, or runs; raises as :func:`side_by_side` does."""
    frame = side_by_side(config)
    whole, runs = frame[frame["run"] == ""], frame[frame["run"] != ""]
    costs = _costs(frame)
    networks, tested = whole.drop_duplicates("model"), runs.drop_duplicates("run")
    slots = max(len(costs), 1)
    heights = [
        HEAD + LINE * len(networks),
        HEAD + max(LINE, SLOT * (slots + 2)) * len(networks),
        HEAD + max(LINE, SLOT * (slots + 2)) * max(len(tested), 1),
    ]
    above, below, between = 0.6, 0.95, 0.6  # inches: title, legend, rows of panels
    height = sum(heights) + above + below + 2 * between
    figure = plt.figure(figsize=(WIDTH, height))
    rows = figure.add_gridspec(
        3,
        1,
        height_ratios=heights,
        hspace=3 * between / sum(heights),
        left=0.14,
        right=0.985,
        top=1 - above / height,
        bottom=below / height,
    )
    title = f"Papers side by side, configuration “{config.name}”"
    figure.suptitle(marked(config, title), x=0.01, y=1 - 0.1 / height, ha="left", fontsize=10)
    _structure(figure, rows[0], networks)
    limits = _limits(frame)
    _energies(figure, rows[1], whole, networks, costs, limits)
    _runs(figure, rows[2], config, runs, tested, costs, limits)
    _legends(figure, costs)
    return figure


def _costs(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """How every cost table with an energy here is drawn."""
    names = list(frame["costs"].dropna().unique())
    looks = {}
    for place, (name, colour) in enumerate(zip(names, palette(len(names)), strict=True)):
        usual = name == DEFAULT_COSTS
        looks[name] = {
            "marker": MARKS[place % len(MARKS)],
            "color": colour,
            "markerfacecolor": colour if usual else "white",
            "markeredgewidth": 0.8,
            "markersize": 4.2 if usual else 3.2,
            "linewidth": 2.2 if usual else 1.1,
        }
    return looks


def _lines(axes: Axes, names: list[str], *, named: bool) -> None:
    """One line per network, from above; the first panel of a row names them."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    shown = [textwrap.fill(name, 24) if named else "" for name in names]
    axes.set_yticks(range(len(names)), shown, fontsize=7.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="x", labelsize=7)
    for place in range(0, len(names), 2):
        axes.axhspan(place - 0.5, place + 0.5, color="0.965", zorder=0, linewidth=0)


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log", nonpositive="clip")
    axes.xaxis.set_major_locator(LogLocator(numticks=4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    """``100k`` of 100,000."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _structure(figure: Figure, place: SubplotSpec, networks: pd.DataFrame) -> None:
    """Parameters, MACs, and the verdicts on the paper of each spiking network."""
    grid = GridSpecFromSubplotSpec(1, 3, place, wspace=0.08)
    names = networks["title"].tolist()
    at = np.arange(len(networks))
    axes = figure.add_subplot(grid[0])
    _lines(axes, names, named=True)
    for column, label, look in (
        ("parameters", "counted on its tensors", {"marker": "o", "color": BLUE}),
        ("thop_parameters", OTHER_COUNTER, {"marker": "D", "color": "white"}),
    ):
        values = networks[column].astype(float) / 1e6
        axes.plot(values, at, linestyle="none", markeredgecolor="black", label=label, **look)
    _logarithmic(axes)
    axes.set_title("parameters (millions)", loc="left", fontsize=8.5)
    axes.legend(fontsize=6.5, loc="lower center", handletextpad=0.1, borderpad=0.3)
    axes = figure.add_subplot(grid[1])
    _lines(axes, names, named=False)
    spikes, analog = (networks[f"{kind}_gmacs"].astype(float) for kind in ("spike", "analog"))
    axes.barh(at, spikes, height=0.55, color=BLUE, label="on spikes")
    axes.barh(
        at, analog, left=spikes, height=0.55, color=ORANGE, hatch="////", label="on analog input"
    )
    axes.set_title("dense GMACs, one 256x256 image", loc="left", fontsize=8.5)
    axes.legend(fontsize=6.5, loc="best", borderpad=0.3)
    axes = figure.add_subplot(grid[2])
    _lines(axes, names, named=False)
    _verdicts(axes, networks)
    axes.set_title("claims of the paper by verdict", loc="left", fontsize=8.5)


def _verdicts(axes: Axes, networks: pd.DataFrame) -> None:
    looks = {str(word): look for word, look in LOOKS.items()} | {SEVERAL: SEVERAL_LOOK}
    for at, row in enumerate(records(networks)):
        left = 0.0
        for word, (fill, colour, symbol) in looks.items():
            count = row[claims_column(word)]
            if not is_empty(count) and count:
                axes.barh(at, count, left=left, height=0.62, color=fill, edgecolor="white")
                place: dict[str, Any] = {
                    "ha": "center",
                    "va": "center",
                    "fontsize": 7,
                    "color": colour,
                }
                axes.text(left + count / 2, at, f"{symbol}{count:.0f}", **place)
                left += count


def _energies(
    figure: Figure,
    place: SubplotSpec,
    whole: pd.DataFrame,
    networks: pd.DataFrame,
    costs: dict[str, dict[str, Any]],
    limits: tuple[float, float],
) -> None:
    """Full-size networks: a panel per scenario, and where their quality would stand."""
    names, order = networks["title"].tolist(), networks["model"].tolist()
    first, *panels = _row(figure, place, names)
    first.set_title("PSNR", loc="left", fontsize=8.5)
    first.set_xticks([])
    for at in range(len(names)):
        first.text(0.5, at, "no scores", ha="center", va="center", fontsize=7, color="0.35")
    for axes, letter in zip(panels, scenarios(), strict=True):
        for row in records(whole[whole["scenario"] == letter]):
            y = order.index(row["model"]) + _offset(costs, row["costs"])
            _range(axes, row["never_mj"], row["always_mj"], y, costs[row["costs"]])
        axes.set_title(f"({letter}) full size, mJ", loc="left", fontsize=8.5)
        axes.set_xlim(*limits)


def _range(axes: Axes, never: float, always: float, y: float, look: dict[str, Any]) -> None:
    """A line between two energies with a stroke at its ends, or a mark where they are the same."""
    if np.isclose(never, always):
        axes.plot([always], [y], **(look | {"linestyle": "none"}))
        return
    stroke = {"marker": "|", "markersize": look["markersize"] + 0.5, "markeredgewidth": 1.0}
    ends = {"color": look["color"], "linewidth": look["linewidth"], "solid_capstyle": "butt"}
    axes.plot([never, always], [y, y], **ends, **stroke)


def _runs(
    figure: Figure,
    place: SubplotSpec,
    config: Config,
    runs: pd.DataFrame,
    tested: pd.DataFrame,
    costs: dict[str, dict[str, Any]],
    limits: tuple[float, float],
) -> None:
    """Runs: their PSNR, and their energy per image in a panel per scenario."""
    names, order = tested["run_title"].tolist(), tested["run"].tolist()
    first, *panels = _row(figure, place, names or [""])
    first.set_title(f"PSNR (dB), {config.figures.protocol}", loc="left", fontsize=8.5)
    for at, row in enumerate(records(tested)):
        colour = ORANGE if row["role"] == NETWORK else BLUE
        mark = "D" if row["role"] == NETWORK else "o"
        edge = "black" if row["equals"] else "0.5"
        first.plot(
            row["psnr"], at, mark, color=colour if row["equals"] else GREY, markeredgecolor=edge
        )
        first.annotate(
            f"{row['psnr']:.2f}",
            (row["psnr"], at),
            (0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=6.5,
        )
    first.margins(x=0.35)
    for axes, letter in zip(panels, scenarios(), strict=True):
        for row in records(runs[runs["scenario"] == letter]):
            look = costs[row["costs"]] | ({} if row["equals"] else {"color": GREY})
            if not row["equals"] and look["markerfacecolor"] != "white":
                look["markerfacecolor"] = GREY
            y = order.index(row["run"]) + _offset(costs, row["costs"])
            axes.plot([row["mj"]], [y], linestyle="none", **look)
        axes.set_title(f"({letter}) runs, mJ", loc="left", fontsize=8.5)
        axes.set_xlim(*limits)
    if tested.empty:
        first.text(0, 0, NO_RUN, fontsize=8)


def _row(figure: Figure, place: SubplotSpec, names: list[str]) -> list[Axes]:
    """A panel for quality, and one for every scenario."""
    grid = GridSpecFromSubplotSpec(1, 1 + len(scenarios()), place, wspace=0.1)
    panels = [figure.add_subplot(grid[number]) for number in range(1 + len(scenarios()))]
    for number, axes in enumerate(panels):
        _lines(axes, names, named=number == 0)
        if number:
            _logarithmic(axes)
    return panels


def _offset(costs: dict[str, dict[str, Any]], name: str) -> float:
    """Where in a network's line, from -0.4 to 0.4, a cost table stands."""
    place = list(costs).index(name)
    return 0.8 * ((place + 0.5) / len(costs) - 0.5)


def _limits(frame: pd.DataFrame) -> tuple[float, float]:
    """Least and largest energy that is drawn, with room beside them."""
    values = frame[["never_mj", "always_mj", "mj"]].to_numpy(float)
    values = values[np.isfinite(values) & (values > 0)]
    return (values.min() / 2, values.max() * 2) if values.size else (1.0, 10.0)


def _legends(figure: Figure, costs: dict[str, dict[str, Any]]) -> None:
    """Below: cost tables, and the words of the verdicts."""
    handles: list[Any] = [Line2D([], [], label=name, **look) for name, look in costs.items()]
    looks = [*((str(word), look) for word, look in LOOKS.items()), (SEVERAL, SEVERAL_LOOK)]
    handles += [Patch(facecolor=look[0], label=f"{look[2]} {word}") for word, look in looks]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.01, 0.0),
        ncol=5,
        frameon=False,
        fontsize=7,
    )
