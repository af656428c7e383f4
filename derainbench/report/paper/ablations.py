"""A paper's tables of ablations: what parts of its network and settings of its neurons are worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from derainbench.audit.standing import runs_standing_for
from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.format import CellKey
from derainbench.catalog.cells.metrics import UNSTATED
from derainbench.config.runs import Ablation
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty
from derainbench.metrics.infinite import finite, infinite_note
from derainbench.report.paper.cells import artefact_table, because
from derainbench.report.paper.printed_ablations import (
    cells_row,
    difference,
    printed_text,
    rows_of_cells,
)
from derainbench.report.paper.published import (
    printed_in,
    published_method,
    set_name,
    source_text,
)
from derainbench.report.tables.table import (
    OWN_COLUMNS,
    OWN_HEADINGS,
    Table,
    interval_text,
    number,
    scores_text,
)
from derainbench.results.accounts import read_accounts
from derainbench.results.runs import run_variants
from derainbench.results.scores import read_scores
from derainbench.statistics.bootstrap import difference_intervals
from derainbench.statistics.significance import holm, seeds_p

EMPTY = float("nan")


def ablation(config: Config, paper: AuditedPaper, artefact: str) -> Table:
    """The unchanged network first, then every run that changes one of the table's parts.

    Raises:
        BenchError: if scores or counts are missing.
    """
    rows = list(_rows(config, paper, artefact))
    prefix, heading = OWN_COLUMNS[config.label], OWN_HEADINGS[config.label]
    view = [
        {
            "Data set": row["dataset"],
            "Part": row["part"],
            "Variant": row["variant"],
            "Parameters": number(row["parameters"]),
            "GMACs": number(row["gmacs"], 2),
            "Firing rate": number(row["firing_rate"], 3),
            "Published (dB / SSIM)": printed_text(row["published_psnr"], row["published_ssim"]),
            f"{heading} (dB / SSIM)": scores_text(
                row[f"{prefix}_psnr"], row[f"{prefix}_ssim"], row["std_over_seeds"]
            ),
            "Seeds": number(row["seeds"]),
            "Change (dB)": "" if is_empty(row["change"]) else f"{row['change']:+.2f}",
            "95 % interval (dB)": interval_text(row["low"], row["high"]),
            "Seeds' deviation of the unchanged (dB)": number(row["base_std"], 2),
            "p over seeds (Holm)": number(row["p_holm"], 3),
            "Difference to published (dB)": ""
            if is_empty(row["difference_psnr"])
            else f"{row['difference_psnr']:+.2f}",
            "Empty because": because(
                {"published": row["published_reason"], "difference": row["difference_reason"]}
            ),
        }
        for row in rows
    ]
    caption = (
        f"Varied: {', '.join(paper.artefacts[artefact].parts)}. PSNR (dB) / SSIM under protocol "
        f"{config.figures.protocol}, mean over images, and over seeds (± sample standard deviation). "
        f"Change: against the unchanged network over the same images, means over each's seeds, with "
        f"its 95 % paired bootstrap interval over images, which does not contain the scatter over "
        f"seeds. That is tested apart: Student's t-test of the seeds' means, with Holm's correction "
        f"over the changes of one network; empty where both have one seed."
    )
    for _, claim in paper.known_cells(artefact):
        caption += f" Published: {claim.wording} ({source_text(claim)})."
    for source in dict.fromkeys(cell.source for cell in printed_in(paper, artefact)):
        caption += f" Published: {source}."
    if not any(row["of"] for row in rows):
        caption += " Empty: no run of this configuration varies them."
    else:
        caption += infinite_note(_scores(config))
    frame = pd.DataFrame(rows, columns=_columns(prefix))
    return artefact_table(config, paper, artefact, caption, frame, view)


def _columns(prefix: str) -> list[str]:
    """Columns of the tables, in this order also where they have no row."""
    columns = ["configuration", "label", "dataset", "part", "variant", "of", "parameters", "gmacs"]
    columns += [
        "firing_rate",
        "published_psnr",
        "published_ssim",
        f"{prefix}_psnr",
        f"{prefix}_ssim",
        "std_over_seeds",
    ]
    columns += ["protocol", "images", "seeds", "change", "low", "high", "base_std", "p", "p_holm"]
    return [*columns, "difference_psnr", "published_reason", "difference_reason"]


@dataclass(frozen=True)
class _Measured:
    """What the rows of a table are computed from.

    Attributes:
        scores: per image, of all runs, ablations too, under the figures' protocol.
        accounts: operation counts of all of them.
    """

    config: Config
    paper: AuditedPaper
    artefact: str
    scores: pd.DataFrame
    accounts: pd.DataFrame


def _rows(config: Config, paper: AuditedPaper, artefact: str) -> Iterator[dict[str, Any]]:
    """Rows of runs, with the printed cells that they stand for; then the other printed cells."""
    shown: set[CellKey] = set()
    for row in _rows_of_runs(config, paper, artefact):
        shown.update(row.pop("cells"))
        yield row
    others = [cell for cell in printed_in(paper, artefact) if cell.key not in shown]
    yield from rows_of_cells(config, paper, others, _columns(OWN_COLUMNS[config.label]))


def _rows_of_runs(config: Config, paper: AuditedPaper, artefact: str) -> Iterator[dict[str, Any]]:
    parts = paper.artefacts[artefact].parts
    varied: dict[str, Ablation] = {
        run: spec.ablation
        for run, spec in config.runs.items()
        if spec.ablation and spec.ablation.part in parts and spec.network == paper.network
    }
    if not varied:
        return
    scores = _scores(config)
    accounts = pd.concat([read_accounts(config, ablations=a) for a in (False, True)])
    measured = _Measured(config, paper, artefact, scores, accounts)
    tested = {run: [d for d in config.runs[run].test if config.paired(d)] for run in config.runs}
    for base in dict.fromkeys(changed.of for changed in varied.values()):
        runs = sorted(
            (run for run, changed in varied.items() if changed.of == base),
            key=lambda run: parts.index(varied[run].part),
        )
        for dataset in tested[base]:
            on_set = [run for run in runs if dataset in tested[run]]
            if on_set:
                yield _row(measured, base, base, dataset)
            rows = [_row(measured, run, base, dataset) for run in on_set]
            for row, corrected in zip(rows, holm([row["p"] for row in rows]), strict=True):
                yield row | {"p_holm": corrected}


def _scores(config: Config) -> pd.DataFrame:
    """Scores of all runs, ablations too, under the figures' protocol."""
    scores = pd.concat([read_scores(config, ablations=a) for a in (False, True)])
    return scores[scores["protocol"] == config.figures.protocol]


def _row(measured: _Measured, run: str, base: str, dataset: str) -> dict[str, Any]:
    """One run against the unchanged one, on one data set under one protocol."""
    config = measured.config
    prefix, spec = OWN_COLUMNS[config.label], config.runs[run]
    on_set = measured.scores[measured.scores["dataset"] == dataset]
    of_run, of_base = (on_set[on_set["run"] == name] for name in (run, base))
    means = finite(of_run).groupby("variant")[["psnr", "ssim"]].mean()
    counts = measured.accounts[measured.accounts["run"] == run]
    name = set_name(config, dataset)
    printed = _published(measured, run, name)
    row = {
        "configuration": config.name,
        "label": config.label,
        "dataset": name,
        "part": spec.ablation.part if spec.ablation else "unchanged",
        "variant": spec.title or run,
        "of": base,
        "parameters": counts["parameters"].iloc[0],
        "gmacs": counts["gmacs_256"].iloc[0],
        "firing_rate": counts["firing_rate"].astype(float).mean(),
        f"{prefix}_psnr": means["psnr"].mean(),
        f"{prefix}_ssim": means["ssim"].mean(),
        "std_over_seeds": means["psnr"].std() if len(means) > 1 else EMPTY,
        "protocol": config.figures.protocol,
        "images": of_run["image"].nunique(),
        "seeds": len(means) if spec.train else pd.NA,
        **dict.fromkeys(("change", "low", "high", "base_std", "p", "p_holm"), EMPTY),
        **printed,
    }
    row |= difference(config, row["published_psnr"], row[f"{prefix}_psnr"], row.pop("stated"))
    if run != base:
        seeds, base_seeds = _seeds(of_run), _seeds(of_base)
        row |= _change(of_run, of_base)
        row |= {"base_std": base_seeds.std(), "p": seeds_p(seeds.tolist(), base_seeds.tolist())}
    return row


def _published(measured: _Measured, run: str, dataset: str) -> dict[str, Any]:
    """What is printed of a run, if the run is what the paper's table speaks of.

    Transcribed cells count first. Else what others report of the unchanged network.
    """
    config, paper = measured.config, measured.paper
    cells = [
        cell
        for cell in printed_in(paper, measured.artefact)
        if cell.dataset == dataset
        and run in {entry.run for entry in runs_standing_for(config, paper, cell)}
    ]
    if cells:
        return cells_row(cells)
    entries = {entry.run: entry for entry in run_variants(config)}
    printed = None
    if run in entries and published_method(paper, entries[run]) == paper.method:
        known = paper.known_cells(measured.artefact)
        printed = next((claim.published for _, claim in known if claim.dataset == dataset), None)
    reason = paper.missing if printed is None else ""
    scores = {"published_psnr": EMPTY if printed is None else printed, "published_ssim": EMPTY}
    return scores | {"published_reason": reason, "stated": UNSTATED, "cells": []}


def _change(of_run: pd.DataFrame, of_base: pd.DataFrame) -> dict[str, float]:
    """Mean PSNR difference over the same images, each the mean over seeds, and its interval."""
    first, second = (scores.groupby("image")["psnr"].mean() for scores in (of_run, of_base))
    both = pd.concat([first, second], axis=1, join="inner").to_numpy().T
    both = both[:, np.isfinite(both).all(axis=0)]  # perfectly restored images have no difference
    [(low, high)] = difference_intervals(both[:1], both[1:])
    change = float((both[0] - both[1]).mean()) if both.size else EMPTY
    return {"change": change, "low": low, "high": high}


def _seeds(scores: pd.DataFrame) -> pd.Series:
    """Mean PSNR of every seed."""
    return finite(scores).groupby("variant")["psnr"].mean()
