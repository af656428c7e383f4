"""Energy saved at the measured firing rates."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty
from derainbench.report.tables.break_even import scenario_text
from derainbench.report.tables.table import Table, captioned, number
from derainbench.results.scenarios import plain_rows, read_scenarios


def saving_text(row: Mapping[str, float]) -> str:
    """``-21 % [-23, -20]``."""
    if is_empty(row["saving"]):
        return ""
    interval = "" if is_empty(row["low"]) else f" [{row['low']:.0%}, {row['high']:.0%}]"
    return f"{row['saving']:+.0%}{interval.replace('%', '')}".replace("%", " %")


def over_seeds(savings: pd.DataFrame) -> dict[str, float]:
    """Savings of one run against another, of every seed: their mean, and the hull of intervals."""
    return {
        "saving": float(savings["saving"].mean()),
        "low": float(savings["low"].min()),
        "high": float(savings["high"].max()),
    }


def savings(config: Config) -> Table:
    """Energy saved by every spiking run against every other run, under every scenario."""
    frame = read_scenarios(config, "savings")
    frame.insert(0, "configuration", config.name)
    measured = plain_rows(frame[frame["source"] == "measured"])
    run, bits = measured["name"].str.split("/", n=1).str[0], measured["baseline_bits"].fillna(0)
    view = [
        {
            "Spiking network": rows["title"].iloc[0],
            "Baseline": baseline,
            "Firing rate": number(rows["firing_rate"].mean(), 3),
            **{
                f"({s})": saving_text(over_seeds(rows[rows["scenario"] == s]))
                for s in scenarios()
                if (rows["scenario"] == s).any()
            },
        }
        for (_, baseline, _), rows in measured.groupby(
            [run, measured["baseline_title"], bits], sort=False
        )
    ]
    caption = captioned(
        config,
        "energy saved per image (negative: spent) at the measured firing rate, mean over the images "
        "counted and its 95 % bootstrap interval; of several seeds the mean, and the lowest and "
        f"highest bound. Costs {DEFAULT_COSTS}; nothing reused, no zero "
        f"skipped; the CSV has every cost table and option. {scenario_text()}",
    )
    if measured.empty:
        caption += " Empty: this configuration runs no spiking network beside another one."
    return Table("savings", caption, frame, pd.DataFrame(view))
