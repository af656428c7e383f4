"""Energy saved at the measured firing rates, beside both networks' scores."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from derainbench.audit.equal_quality import quality_columns
from derainbench.audit.quality_energy import pair_savings
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.report.tables.break_even import scenario_text
from derainbench.report.tables.qualities import (
    equal_quality_text,
    psnr_heading,
    without_scores_text,
)
from derainbench.report.tables.table import Table, captioned, number
from derainbench.results.scenarios import read_scenarios


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
    """Energy saved by every spiking run against every other run, under every scenario.

    A pair that was not scored on the same images has no saving: none is shown, and the cells of the
    CSV are empty, with the reason.
    """
    pairs = pair_savings(config, plain=True)
    scored = pairs[pairs["why_not"] == ""]
    view: list[dict[str, str]] = []
    grey: list[int] = []
    for _, rows in scored.groupby(["run", "baseline_run", "dataset"], sort=False):
        first = records(rows)[0]
        if not first["equal_quality"]:
            grey.append(len(view))
        view.append(_shown(config, first, rows))
    caption = captioned(
        config,
        "energy saved per image (negative: spent) at the measured firing rate, mean over the images "
        "counted and its 95 % bootstrap interval; of several seeds the mean, and the lowest and "
        f"highest bound. {equal_quality_text(config)} Costs {DEFAULT_COSTS}; nothing reused, no zero "
        f"skipped; the CSV has every cost table and option. {scenario_text()}",
    )
    caption += without_scores_text(list(pairs["why_not"][pairs["why_not"] != ""]))
    if not view:
        caption += " Empty: this configuration runs no spiking network beside another one."
    return Table("savings", caption, _frame(config), pd.DataFrame(view), frozenset(grey))


def _shown(config: Config, pair: dict[str, object], rows: pd.DataFrame) -> dict[str, str]:
    heading = psnr_heading(config)
    named = {"low": "saving_low", "high": "saving_high"}
    by_scenario = {
        row["scenario"]: saving_text(row | {k: row[v] for k, v in named.items()})
        for row in records(rows)
    }
    return {
        "Spiking network": str(pair["title"]),
        "Baseline": str(pair["baseline_title"]),
        heading: f"{pair['psnr']:.2f}",
        f"{heading}, baseline": f"{pair['psnr_baseline']:.2f}",
        "Equal quality": "yes" if pair["equal_quality"] else f"no: {apart(pair)}",
        "Firing rate": number(float(rows["firing_rate"].mean()), 3),
        **{f"({s})": by_scenario[s] for s in scenarios() if s in by_scenario},
    }


def apart(pair: Mapping[str, object]) -> str:
    """``9.10 dB apart``."""
    return f"{abs(float(str(pair['difference']))):.2f} dB apart"


def _frame(config: Config) -> pd.DataFrame:
    """Every row of ``scenarios/savings.csv`` with the qualities of both networks."""
    frame = read_scenarios(config, "savings")
    names = {"low": "difference_low", "high": "difference_high", "why_not": "no_saving_because"}
    quality = quality_columns(config, frame).rename(columns=names)
    unscored = (frame["source"] == "measured") & (quality["no_saving_because"] != "")
    frame.loc[unscored, ["saving", "low", "high"]] = float("nan")
    frame.insert(0, "configuration", config.name)
    return frame.join(quality)
