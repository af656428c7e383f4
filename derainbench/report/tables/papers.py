"""Where the papers meet: their networks and ANN counterparts side by side."""

from __future__ import annotations

from typing import Any

import pandas as pd

from derainbench.audit.side_by_side import (
    NETWORK,
    OTHER_COUNTER,
    WORDS,
    claims_column,
    side_by_side,
)
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.margins import margins
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.metrics.infinite import infinite_note
from derainbench.report.tables.break_even import scenario_text
from derainbench.report.tables.qualities import STRUCTURE_ONLY
from derainbench.report.tables.table import (
    OWN_COLUMNS,
    OWN_HEADINGS,
    Table,
    captioned,
    number,
)
from derainbench.results.scores import read_scores

FULL_SIZE = "full size"
MOST_EQUALS = 3  # that a cell names; more are counted


def papers(config: Config) -> Table:
    """Every paper's network and its ANN counterpart, at full size and run by run.

    One row per network or run, under the default costs; every cost table in the CSV.

    Raises:
        BenchError: if structure, scenarios or cross-checks were not computed, or nothing judged.
    """
    frame = side_by_side(config)
    view: list[dict[str, str]] = []
    grey: list[int] = []
    earlier: dict[str, Any] = {}
    for _, rows in frame.groupby(["paper", "model", "run"], sort=False):
        of_account = {r["scenario"]: r for r in records(rows[rows["costs"] == DEFAULT_COSTS])}
        row = records(rows)[0]
        if row["run"] and not row["equals"]:
            grey.append(len(view))
        view.append(_shown(config, row, of_account, earlier))
        earlier = row
    return Table(
        "papers", _caption(config), _as_kept(config, frame), pd.DataFrame(view), frozenset(grey)
    )


def _as_kept(config: Config, frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as CSV: whose numbers they are, PSNR in the configuration's own column."""
    frame = frame.rename(columns={"psnr": f"{OWN_COLUMNS[config.label]}_psnr"})
    frame.insert(0, "label", config.label)
    frame.insert(0, "configuration", config.name)
    return frame


def _caption(config: Config) -> str:
    margin = margins().equal_quality_margin_db.value
    return captioned(
        config,
        "every paper's spiking network and the ANN of the same topology. Full size: parameters and "
        "dense MACs of one 256x256 image from the structure alone, all time steps counted, on spikes "
        f"and on analog input, attention apart; {OTHER_COUNTER}: the parameters that this counter "
        "sees, which knows no layer of spikingjelly's; energy from that of a network which never fires to that of one "
        f"whose neurons always do. {STRUCTURE_ONLY} Runs of this configuration may be smaller than "
        f"the paper's network: PSNR on {config.figures.dataset}, protocol "
        f"{config.figures.protocol}, mean over images and seeds; energy per image at the measured "
        "firing rate. Trained under one budget are those whose budget reads the same. Energies may be "
        f"compared between runs of equal quality, within {margin:g} dB on the same images; greyed: "
        f"runs without such another one here. Costs {DEFAULT_COSTS}, nothing reused, no zero "
        f"skipped; the CSV has every cost table. {scenario_text()} Energy saved, claimed: as the "
        "paper states it, not a comparison of the runs here. Claims: how many, findings about the "
        "code among them, have which verdict under this configuration; with several, where the "
        f"answer depends on assumptions.{infinite_note(_shown_scores(config))}",
    )


def _shown(
    config: Config,
    row: dict[str, Any],
    of_account: dict[str, dict[str, Any]],
    earlier: dict[str, Any],
) -> dict[str, str]:
    """One line for people; what the line above it says of the same network is not repeated."""
    again = row["model"] == earlier.get("model")
    energies = {f"Energy ({s}) (mJ)": energy_text(of_account.get(s, {})) for s in scenarios()}
    psnr = number(row["psnr"], 2)
    saving = row["claimed_saving"]
    return {
        "Paper": "" if again or row["role"] != NETWORK else row["citation"],
        "Network": "" if again else row["title"],
        "Role": "" if again else row["role"],
        "Size, or run": row["run_title"] or FULL_SIZE,
        "Parameters": number(row["parameters"]),
        f"Parameters, {OTHER_COUNTER}": number(row["thop_parameters"]),
        "GMACs on spikes": number(row["spike_gmacs"], 2),
        "GMACs on analog input": number(row["analog_gmacs"], 2),
        "Budget": row["budget"] if row["run"] else "",
        "Seeds": number(row["seeds"]),
        # An energy never stands beside an empty cell.
        f"PSNR (dB), {OWN_HEADINGS[config.label].lower()}": psnr
        or ("no scores" if any(energies.values()) else ""),
        "Of equal quality": _equals_text(row["equals"]) if row["run"] else "",
        **energies,
        "Energy saved, claimed": "" if again or is_empty(saving) else f"{100 * saving:.0f} %",
        "Claims": "" if again else claims_text(row),
    }


def energy_text(account: dict[str, Any]) -> str:
    """``12.31`` of a run or an ANN, ``0.00 to 493.10`` of a spiking network at any rate; or nothing."""
    if not is_empty(account.get("mj")):
        return number(account["mj"], 2)
    never, always = (number(account.get(f"{rate}_mj"), 2) for rate in ("never", "always"))
    return never if never == always else f"{never} to {always}"


def _equals_text(equals: str) -> str:
    names = [name for name in equals.split("; ") if name]
    if len(names) > MOST_EQUALS:
        names[MOST_EQUALS:] = [f"{len(names) - MOST_EQUALS} more"]
    return "; ".join(names) or "none here"


def claims_text(row: dict[str, Any]) -> str:
    """``5 reproduced, 1 contradicted, 1 with several verdicts``."""
    counts = {word: row[claims_column(word)] for word in WORDS}
    return ", ".join(f"{n:.0f} {word}" for word, n in counts.items() if n > 0)


def _shown_scores(config: Config) -> pd.DataFrame:
    """Scores on the set of the figures, under their protocol."""
    scores = read_scores(config)
    on_set = scores["dataset"] == config.figures.dataset
    return scores[on_set & (scores["protocol"] == config.figures.protocol)]
