"""A paper's table of photographs of real rain: no-reference scores."""

from __future__ import annotations

from typing import Any

import pandas as pd

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.metrics.no_reference import METRICS
from derainbench.report.paper.cells import artefact_table, because
from derainbench.report.paper.published import published_method, set_name
from derainbench.report.paper.scores import why_not_here
from derainbench.report.tables.real_rain import real_rain_frame
from derainbench.report.tables.table import (
    OWN_COLUMNS,
    OWN_HEADINGS,
    Table,
    interval_text,
    number,
)
from derainbench.results.runs import run_variants

EMPTY = float("nan")


def real_rain(config: Config, paper: AuditedPaper, artefact: str) -> Table:
    """No-reference scores on photographs of real rain; lower is better.

    Raises:
        BenchError: if a file of `derainbench no-reference` is missing.
    """
    prefix, sets = OWN_COLUMNS[config.label], paper.artefacts[artefact].sets
    rated = real_rain_frame(config).rename(columns={"mean": f"{prefix}_mean"})
    titles = {e.title: published_method(paper, e) or e.title for e in run_variants(config)}
    rows = [
        row
        | {
            "dataset": set_name(config, row["dataset"]),
            "method": titles.get(row["method"], row["method"]),
        }
        for row in records(rated)
    ]
    rated_here = {(row["dataset"], row["method"]) for row in rows}
    unrated = [
        {"dataset": dataset, "method": paper.method, "metric": metric.title}
        | {"reason": why_not_here(config, dataset)}
        for dataset in sets
        if (dataset, paper.method) not in rated_here
        for metric in METRICS
    ]
    rows = [_row(config, paper, row, in_paper=row["dataset"] in sets) for row in unrated + rows]
    view = [
        {
            "Data set": row["dataset"] + ("" if row["in_paper"] else " (additional)"),
            "Method": row["method"],
            "Weights": row["weights"],
            "Metric": row["metric"],
            "Published": "",
            OWN_HEADINGS[config.label]: ""
            if is_empty(row[f"{prefix}_mean"])
            else f"{row[f'{prefix}_mean']:.2f} {interval_text(row['low'], row['high'])}",
            "Difference": "",
            "Images": number(row["images"]),
            "Empty because": because(
                {"published": row["published_reason"], "reproduced": row["reproduced_reason"]}
            ),
        }
        for row in rows
    ]
    caption = (
        "Mean over the images (pyiqa) and its 95 % bootstrap interval; lower is better, and there "
        "is no ground truth. Without published cells there is no difference."
    )
    return artefact_table(config, paper, artefact, caption, pd.DataFrame(rows), view)


def _row(
    config: Config, paper: AuditedPaper, row: dict[str, Any], *, in_paper: bool
) -> dict[str, Any]:
    prefix = OWN_COLUMNS[config.label]
    return {
        "configuration": config.name,
        "label": config.label,
        "dataset": row["dataset"],
        "in_paper": in_paper,
        "method": row["method"],
        "weights": row.get("weights", ""),
        "metric": row["metric"],
        "published_mean": EMPTY,
        f"{prefix}_mean": row.get(f"{prefix}_mean", EMPTY),
        "low": row.get("low", EMPTY),
        "high": row.get("high", EMPTY),
        "difference": EMPTY,
        "images": row.get("images", EMPTY),
        "published_reason": paper.missing if in_paper else "nothing published on this set",
        "reproduced_reason": row["reason"],
    }
