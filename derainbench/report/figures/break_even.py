"""Energy that a paper's network saves as a function of its firing rate."""

from __future__ import annotations

from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.scenarios import scenarios
from derainbench.foundation.errors import BenchError
from derainbench.foundation.frames import records
from derainbench.report.figures.style import palette
from derainbench.results.scenarios import plain_rows

CAPTION = (
    "The full-size network against its ANN counterpart and baselines, from the structure alone (no "
    "scores: nothing is said of quality). A "
    "dot and a line down mark the break-even rate; where there is none, no firing rate makes it "
    "cheaper. Grey bands: measured rates of its runs here, smaller networks too, for orientation."
)
LOOKS = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
CLAIMED_LOOK = (0, (1, 1))
LOWEST = -1.5  # saving that is shown


def break_even_figure(
    energies: pd.DataFrame, paper: AuditedPaper, measured: dict[str, float], title: str
) -> Figure:
    """Saving of a paper's full-size network against its counterpart and baselines.

    Args:
        energies: rows of ``scenarios/energy.csv``.
        paper: whose network, baselines and claimed saving.
        measured: firing rates of trained runs, by title, for orientation.
        title: which network and image size.

    Raises:
        BenchError: if no energy of the network is known.
    """
    usual = plain_rows(energies[energies["source"] == "structure"])
    if paper.network not in set(usual["model"]):
        raise BenchError(f"no energy of {paper.network} from its structure; count it again")
    known = set(usual["model"])
    compared = [m for m in (*paper.networks[1:], *paper.baselines) if m in known]
    priced = {s: scenarios()[s] for s in scenarios() if (usual["scenario"] == s).any()}
    rows = -(-len(priced) // 2)
    figure, grid = plt.subplots(
        rows, 2, figsize=(7.6, 2.9 * rows), sharex=True, sharey=True, squeeze=False
    )
    for axes in grid.flat[len(priced) :]:
        axes.set_axis_off()
    for axes, (letter, scenario) in zip(grid.flat, priced.items(), strict=False):
        of_scenario = usual[usual["scenario"] == letter]
        _scenario(axes, {row["model"]: row for row in records(of_scenario)}, paper, compared)
        for rate in measured.values():
            axes.axvspan(rate - 0.003, rate + 0.003, color="0.8", zorder=0)
        axes.set_title(f"({letter}) {scenario.label}", loc="left", fontsize=9)
        axes.set_ylim(LOWEST, 1.05)
        axes.set_xlim(0, 1)
    for axes in grid[:, 0]:
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylabel("energy saved")
    for axes in grid[-1]:
        axes.set_xlabel("mean firing rate")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    if paper.claimed_saving is not None:
        handles.append(Line2D([], [], color="0.45", linestyle=CLAIMED_LOOK))
        labels.append(f"claimed: {paper.claimed_saving:.0%}")
    for name, rate in measured.items():
        handles.append(Line2D([], [], color="0.8", linewidth=5))
        labels.append(f"measured rate of {name}: {rate:.3f}")
    if handles:
        figure.legend(
            handles, labels, loc="upper center", bbox_to_anchor=(0.5, 0.01), ncol=3, frameon=False
        )
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    return figure


def _scenario(
    axes: Axes,
    by_model: dict[str, dict[str, float | str]],
    paper: AuditedPaper,
    compared: list[str],
) -> None:
    """One line per network that it is held against, and the saving that the paper claims."""
    network = by_model.get(paper.network)
    if network is None:
        axes.text(0.5, 0, "not known", ha="center")
        return
    fixed, slope = float(network["fixed_mj"]), float(network["slope_mj"])
    rates = np.linspace(0, 1, 201)
    axes.axhline(0, color="black", linewidth=0.8)
    if paper.claimed_saving is not None:
        axes.axhline(paper.claimed_saving, color="0.45", linewidth=0.8, linestyle=CLAIMED_LOOK)
    for model, colour, look in zip(compared, palette(len(compared)), cycle(LOOKS), strict=False):
        energy, title = float(by_model[model]["mj"]), str(by_model[model]["title"])
        saving = 1 - (fixed + slope * rates) / energy
        axes.plot(rates, saving, color=colour, linestyle=look, label=title)
        crossing = (energy - fixed) / slope if slope else np.nan
        if 0 < crossing < 1:
            axes.plot([crossing] * 2, [LOWEST, 0], color=colour, linewidth=0.7)
            axes.plot(crossing, 0, "o", color=colour, markersize=4)
