"""A paper's table of photographs of real rain: no-reference scores."""

from __future__ import annotations

from typing import Any

import pandas as pd

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.metrics.no_reference import METRICS
from derainbench.report.paper.cells import artefact_table, because
from derainbench.report.paper.published import (
    printed_cell,
    printed_in,
    published_method,
    set_name,
)
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
    printed = printed_in(paper, artefact)
    unrated = [
        {"dataset": dataset, "method": method, "metric": metric.title}
        | {"reason": why_not_here(config, dataset)}
        for dataset in sets
        for method in dict.fromkeys([paper.method, *(cell.method for cell in printed)])
        if (dataset, method) not in rated_here
        for metric in METRICS
    ]
    rows = [_row(config, paper, artefact, row) for row in unrated + rows]
    view = [
        {
            "Data set": row["dataset"] + ("" if row["in_paper"] else " (additional)"),
            "Method": row["method"],
            "Weights": row["weights"],
            "Metric": row["metric"],
            "Published": number(row["published_mean"], 2),
            "Source": row["source"],
            OWN_HEADINGS[config.label]: ""
            if is_empty(row[f"{prefix}_mean"])
            else f"{row[f'{prefix}_mean']:.2f} {interval_text(row['low'], row['high'])}",
            "Difference": "" if is_empty(row["difference"]) else f"{row['difference']:+.2f}",
            "Images": number(row["images"]),
            "Empty because": because(
                {"published": row["published_reason"], "reproduced": row["reproduced_reason"]}
            ),
        }
        for row in rows
    ]
    caption = (
        "Mean over the images (pyiqa) and its 95 % bootstrap interval; lower is better, and there "
        "is no ground truth. Where a cell of the paper was transcribed, the difference to it; which "
        "implementation it is of is not known."
    )
    return artefact_table(config, paper, artefact, caption, pd.DataFrame(rows), view)


def _row(config: Config, paper: AuditedPaper, artefact: str, row: dict[str, Any]) -> dict[str, Any]:
    prefix, in_paper = OWN_COLUMNS[config.label], row["dataset"] in paper.artefacts[artefact].sets
    names = {metric.title: metric.name for metric in METRICS}
    printed = printed_cell(
        printed_in(paper, artefact), row["method"], names[row["metric"]], row["dataset"]
    )
    published, found = printed.value if printed else EMPTY, row.get(f"{prefix}_mean", EMPTY)
    comparable = printed is not None and not is_empty(found) and config.comparable
    missing = paper.missing if in_paper else "nothing published on this set"
    return {
        "configuration": config.name,
        "label": config.label,
        "dataset": row["dataset"],
        "in_paper": in_paper,
        "method": row["method"],
        "weights": row.get("weights", ""),
        "metric": row["metric"],
        "published_mean": published,
        "source": printed.source if printed else "",
        f"{prefix}_mean": found,
        "low": row.get("low", EMPTY),
        "high": row.get("high", EMPTY),
        "difference": found - published if comparable else EMPTY,
        "images": row.get("images", EMPTY),
        "published_reason": "" if printed else missing,
        "reproduced_reason": row["reason"],
    }
