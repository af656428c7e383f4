"""Energy of a paper's network over its counterpart's, by the largest cache that there is."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from derainbench.catalog.scenarios import Scenario, scenarios
from derainbench.foundation.errors import BenchError
from derainbench.report.figures.style import palette
from derainbench.results.scenarios import CACHE_VARIED

CAPTION = (
    "Energy of the full-size network over that of its ANN counterpart, from the structure alone (no "
    "scores: nothing is said of quality); all layers fire alike. Each layer's weights, maps and "
    "potentials lie in the smallest memory that holds them; what exceeds the last cache comes from "
    "DRAM. A larger cache costs more per access: below 1 MB between the prices of the source, "
    "above on the same power law, which is an assumption. Grey: measured firing rates of its runs "
    "here, smaller networks too. Below 1 the spiking network is cheaper."
)
RATES = (0.0, 0.05, 0.1, 0.2, 0.4)
KILOBYTE = 1024


def cache_figure(
    sensitivity: pd.DataFrame, network: str, measured: dict[str, float], title: str
) -> Figure:
    """Ratio of energies by the capacity of the last cache, a panel per scenario with such prices.

    Args:
        sensitivity: rows of ``scenarios/sensitivity.csv``.
        network: whose.
        measured: firing rates of trained runs, by title, for orientation.
        title: which network, image size and costs.

    Raises:
        BenchError: if the table has no rows of the network with caches varied.
    """
    rows = sensitivity[
        (sensitivity["model"] == network)
        & (sensitivity["varied"] == CACHE_VARIED)
        & ~sensitivity["reuse"]
    ]
    if rows.empty:
        raise BenchError(
            f"scenarios/sensitivity.csv: no rows of {network} by last cache; run "
            "`derainbench sensitivity` again"
        )
    chosen = {letter: s for letter, s in scenarios().items() if s.levels}
    size = (3.9 * len(chosen), 3.6)
    figure, grid = plt.subplots(1, len(chosen), figsize=size, squeeze=False)
    for axes, (letter, scenario) in zip(grid.flat, chosen.items(), strict=True):
        of_scenario = rows[rows["scenario"] == letter].sort_values("value")
        capacity = of_scenario["value"].to_numpy(float)
        for rate, colour in zip(RATES, palette(len(RATES)), strict=True):
            axes.plot(capacity, energy_ratio(of_scenario, rate), color=colour)
        for rate in measured.values():
            axes.plot(capacity, energy_ratio(of_scenario, rate), color="0.6", linestyle="--")
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xticks(capacity[::3], [capacity_text(value) for value in capacity[::3]])
        axes.set_xlabel("capacity of the last cache")
        axes.set_title(f"({letter}) {_reading(scenario)}", loc="left", fontsize=9)
    grid[0, 0].set_ylabel("energy over the ANN counterpart's")
    lines = [Line2D([], [], color=colour) for colour in palette(len(RATES))]
    names = [f"mean firing rate {rate:g}" for rate in RATES]
    for name, rate in measured.items():
        lines.append(Line2D([], [], color="0.6", linestyle="--"))
        names.append(f"measured rate of {name}: {rate:.3f}")
    figure.legend(
        lines, names, loc="upper center", bbox_to_anchor=(0.5, 0.01), ncol=3, frameon=False
    )
    figure.suptitle(title, fontsize=9)
    figure.tight_layout()
    return figure


def energy_ratio(rows: pd.DataFrame, rate: float) -> np.ndarray:
    """Energy over the counterpart's at a mean firing rate, from rows of ``sensitivity.csv``."""
    return (rows["fixed_share"] + rate * rows["slope_share"]).to_numpy(float)


def capacity_text(capacity: float) -> str:
    """``64 KB``, ``2 MB``."""
    kilobytes = capacity / KILOBYTE
    return f"{kilobytes:g} KB" if kilobytes < KILOBYTE else f"{kilobytes / KILOBYTE:g} MB"


def _reading(scenario: Scenario) -> str:
    return f"weights once per {scenario.weights}, spikes as {scenario.spikes}"
