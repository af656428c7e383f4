"""Every network's PSNR beside its energy: the points of the figure of that name."""

from __future__ import annotations

from typing import Any

import pandas as pd

from derainbench.audit.quality_energy import points
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.margins import margins
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.report.tables.break_even import scenario_text
from derainbench.report.tables.qualities import psnr_heading
from derainbench.report.tables.table import Table, captioned, number
from derainbench.results.scenarios import plain_rows


def quality_energy(config: Config) -> Table:
    """PSNR and energy of every run that was scored and counted on one set."""
    frame = points(config)
    view: list[dict[str, str]] = []
    grey: list[int] = []
    for _, rows in plain_rows(frame).groupby(["dataset", "run"], sort=False):
        by_scenario = {row["scenario"]: row for row in records(rows)}
        first = next(iter(by_scenario.values()))
        if not first["equal_quality"]:
            grey.append(len(view))
        view.append(_shown(config, first, by_scenario))
    frame.insert(0, "configuration", config.name)
    margin = margins().equal_quality_margin_db.value
    caption = captioned(
        config,
        "PSNR and energy per image of every network that was scored and counted on one set: mean "
        "over the test images, or the images counted, and over seeds (± sample standard deviation of "
        f"PSNR over seeds). Protocol {config.figures.protocol}. *: on the frontier of its set and "
        "scenario, no network here is as good for less energy. Greyed: more than "
        f"{margin:g} dB from every spiking network on the set, so that their energies are not "
        f"compared. Costs {DEFAULT_COSTS}; nothing reused, no zero skipped; the CSV has every cost "
        f"table and option. {scenario_text()}",
    )
    if not view:
        caption += " Empty: no network was both scored and counted on one set."
    return Table("quality_energy", caption, frame, pd.DataFrame(view), frozenset(grey))


def _shown(
    config: Config, point: dict[str, Any], by_scenario: dict[str, dict[str, Any]]
) -> dict[str, str]:
    sd = "" if is_empty(point["psnr_sd"]) else f" ± {point['psnr_sd']:.2f}"
    return {
        "Data set": point["dataset"],
        "Network": point["title"],
        "Kind": "spiking" if point["spiking"] else "ANN",
        "Trained on": point["trained_on"] or "not known",
        "Seeds": number(point["seeds"]),
        psnr_heading(config): f"{point['psnr']:.2f}{sd}",
        **{
            f"Energy ({s}) (mJ)": number(row["mj"], 2) + "*" * bool(row["frontier"])
            for s in scenarios()
            if (row := by_scenario.get(s))
        },
    }
