"""Firing rates below which a full-size spiking network is cheaper."""

from __future__ import annotations

from typing import Any

import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import records
from derainbench.report.tables.qualities import STRUCTURE_ONLY
from derainbench.report.tables.table import Table
from derainbench.results.scenarios import read_scenarios


def break_even_text(row: dict[str, Any]) -> str:
    """The firing rate below which a spiking network is cheaper, or why there is none."""
    if row["fixed_share"] >= 1:
        return f"none: fixed part {row['fixed_share']:.2f}x"
    rate = row["break_even_rate"]
    return "every rate" if rate >= 1 else f"{rate:.3f}"


def break_even(config: Config) -> Table:
    """Every spiking network at full size against every other one, from the structure alone."""
    frame = read_scenarios(config, "savings")
    frame = frame[frame["source"] == "structure"].drop(
        columns=["saving", "low", "high", "firing_rate"]
    )
    frame.insert(0, "configuration", config.name)
    chosen = frame[
        ((frame["costs"] == DEFAULT_COSTS) | frame["baseline_bits"].notna())
        & ~frame["zero_skipping"]
    ]
    view = [
        {
            "Spiking network": title,
            "Baseline": baseline,
            "Costs": costs,
            **{
                f"({row['scenario']}){', reuse' if row['reuse'] else ''}": break_even_text(row)
                for row in records(rows)
            },
        }
        for (title, baseline, costs), rows in chosen.groupby(
            ["title", "baseline_title", "costs"], sort=False
        )
    ]
    caption = (
        "Mean firing rate below which the full-size spiking network takes less energy than its "
        "baseline, for one 256x256 image, from the structure alone. "
        f"{STRUCTURE_ONLY} None: what no firing rate "
        "changes already costs the given multiple of the baseline's whole energy. Reuse: what is "
        "constant over the time steps is computed once. Quantised ANN counterparts have as many "
        "activation levels as the time steps tell apart, with 8-bit weights. "
        f"{scenario_text()}"
    )
    return Table("break_even", caption, frame, pd.DataFrame(view))


def scenario_text() -> str:
    """The scenarios by letter and title, in a sentence."""
    return "Scenarios: " + "; ".join(f"({k}) {s.label}" for k, s in scenarios().items()) + "."
