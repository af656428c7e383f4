"""The table of real-rain photographs: no-reference scores of every method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.config.schema import Config
from derainbench.foundation.frames import records
from derainbench.metrics.no_reference import METRICS
from derainbench.report.tables.table import RAINY, Table, captioned, interval_text, number
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table
from derainbench.results.runs import run_variants
from derainbench.statistics.bootstrap import mean_interval


def rated(config: Config) -> list[tuple[str, str, str, Path]]:
    """(data set, method, weights, file) of everything that was rated."""
    layout = layout_of(config)
    files = []
    for dataset in config.real_rain():
        files.append((dataset, RAINY, "", layout.no_reference_input(dataset)))
        for entry in run_variants(config):
            if dataset in entry.spec.test:
                file = layout.no_reference(entry.run, entry.variant, dataset)
                files.append((dataset, entry.title, entry.origin_on(dataset), file))
    return files


def real_rain_frame(config: Config) -> pd.DataFrame:
    """One row per data set, method and metric: mean, 95 % interval over images, or a reason.

    Raises:
        BenchError: if a file is missing.
    """
    rows = []
    for dataset, title, weights, file in rated(config):
        scores = read_table(file)
        for metric in METRICS:
            of_metric = scores[scores.metric == metric.name]
            reasons = [r for r in of_metric.reason.fillna("") if r]
            low, high = mean_interval(of_metric["score"].tolist())
            rows.append(
                {
                    "configuration": config.name,
                    "dataset": dataset,
                    "method": title,
                    "weights": weights,
                    "images": len(of_metric),
                    "metric": metric.title,
                    "mean": None if reasons else of_metric.score.mean(),
                    "low": None if reasons else low,
                    "high": None if reasons else high,
                    "reason": reasons[0] if reasons else "",
                }
            )
    columns = ["configuration", "dataset", "method", "weights", "images", "metric"]
    return pd.DataFrame(rows, columns=[*columns, "mean", "low", "high", "reason"])


def real_rain(config: Config) -> Table:
    """The no-reference scores, as a table."""
    rows = real_rain_frame(config)
    caption = captioned(
        config,
        "no-reference scores of photographs of real rain (pyiqa), mean over the images and its "
        "95 % bootstrap interval; lower is better. There is no ground truth: these metrics reward "
        "images that look like clean photographs in general, not the removal of rain.",
    )
    if rows.empty:
        caption += " Empty: this configuration has no set without ground truth."
    return Table("realrain", caption, rows, _view(rows))


def _view(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per method, one column per metric; a missing score shows its reason."""
    shown = []
    keys = ["dataset", "method", "weights", "images"]
    for (dataset, method, weights, images), group in rows.groupby(keys, sort=False):
        first = {"Data set": dataset, "Method": method, "Weights": weights, "Images": str(images)}
        shown.append(first | {row["metric"]: _cell(row) for row in records(group)})
    return pd.DataFrame(shown)


def _cell(row: dict[str, Any]) -> str:
    if row["reason"]:
        return f"not measured: {row['reason']}"
    return f"{number(row['mean'], 2)} {interval_text(row['low'], row['high'])}"
