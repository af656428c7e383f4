"""How much of each paper is decided, and what each missing claim takes, as a table."""

from __future__ import annotations

from typing import Any

import pandas as pd

from derainbench.catalog.papers import read_paper
from derainbench.config.schema import Config
from derainbench.report.tables.table import Table
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json

NEEDED: tuple[str, ...] = ("networks", "more_seeds", "training_steps", "gpu_hours")
NEEDED += ("dataset", "training_images", "test_images", "data_gb")
COLUMNS: tuple[str, ...] = ("configuration", "paper", "branch", "claim", "wording", "share")
COLUMNS += ("state", "readings", "decided_readings", "decided_share", "decidable")
COLUMNS += ("needed_configuration", *NEEDED, "takes")


def coverage(config: Config) -> Table:
    """A row per claim of ``audit/coverage.json``, in the order of the tree."""
    papers = read_json(layout_of(config).coverage)["papers"]
    rows = [_row(config, paper["paper"], claim) for paper in papers for claim in _ordered(paper)]
    view = [
        {
            "Paper": read_paper(row["paper"]).method,
            "Branch": row["branch"],
            "Claim": row["wording"],
            "Share": f"{row['share']:.1%}".replace("%", " %"),
            "State": state_text(row),
            "What it takes": row["takes"],
        }
        for row in rows
    ]
    decided = ", ".join(f"{read_paper(p['paper']).method}: {sentence(p)}" for p in papers)
    caption = (
        "how much of every paper the configuration decides, claim by claim in the tree of branches "
        "and weights. Decided: every reading is answered (reproduced, deviates or contradicted) at "
        "the paper's size; scaled down: by smaller networks or shorter trainings alone; partly: some "
        "readings; open: none. What a missing one takes is of that claim alone: claims that rest on "
        "the same trainings share them. Steps are of the paper's recipe, on all training images; no "
        f"cost of a step has been measured. {decided}."
    )
    caption = caption[0].upper() + caption[1:]
    return Table("coverage", caption, pd.DataFrame(rows, columns=COLUMNS), pd.DataFrame(view))


def sentence(counts: dict[str, Any]) -> str:
    """``4 of 15 claims decided (39 % by weight), 1 more in part, 9 more could be``."""
    parts = [
        f"{counts['decided']} of {counts['claims']} claims decided "
        f"({counts['decided_share']:.0%} by weight)".replace("%", " %")
    ]
    if counts["partly"]:
        parts.append(f"{counts['partly']} in part")
    if counts["scaled_down"]:
        parts.append(f"{counts['scaled_down']} on scaled-down networks alone")
    return ", ".join(parts) + f"; {counts['could_be_decided']} could still be"


def state_text(claim: dict[str, Any]) -> str:
    """``partly (5 of 8 readings)``, ``open``."""
    if claim["state"] != "partly":
        return str(claim["state"])
    return f"partly ({claim['decided_readings']} of {claim['readings']} readings)"


def _ordered(paper: dict[str, Any]) -> list[dict[str, Any]]:
    order = [branch["branch"] for branch in paper["branches"]]
    return sorted(paper["by_claim"], key=lambda claim: order.index(claim["branch"]))


def _row(config: Config, paper: str, claim: dict[str, Any]) -> dict[str, Any]:
    need = claim["need"] or {}
    return {
        "configuration": config.name,
        "paper": paper,
        **claim,
        **{name: need.get(name) for name in NEEDED},
        "needed_configuration": need.get("configuration", ""),
        "takes": need.get("takes", ""),
    }
