"""Published numbers: one file per paper or per group of methods in the catalogue.

A cell that nobody has transcribed has no row; none is ever guessed.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derainbench.catalog.card_format import ModelCard
from derainbench.catalog.files import matching
from derainbench.foundation.files import regular_file

if TYPE_CHECKING:
    import pandas as pd

SCORES = ("papers/*/published.csv", "published/*.csv")
POINTS = ("papers/*/points.csv",)
CATALOG_FILES = SCORES + POINTS
SCORE_COLUMNS = ("method", "dataset", "protocol", "psnr", "ssim", "kind", "source")
SCORE_METRICS = ("psnr", "ssim")
UNKNOWN_PROTOCOL = "unknown"  # the source does not state it
POINT_COLUMNS = ("dataset", "title", "psnr", "parameters", "gmacs_256", "kind", "source")


def scores() -> pd.DataFrame:
    """Published PSNR and SSIM: method, dataset, protocol, psnr, ssim, kind, source.

    The protocol is "unknown" where the source does not say it.
    """
    return _joined(SCORES, SCORE_COLUMNS)


def points() -> pd.DataFrame:
    """Points of size against PSNR that papers state, for the Pareto figure.

    Columns: dataset, title, psnr, parameters, gmacs_256 (empty where nobody published it), kind,
    source; protocols are not known.
    """
    return _joined(POINTS, POINT_COLUMNS)


def published_scores(card: ModelCard) -> list[dict[str, Any]]:
    """The published scores of a model, by data set: rows of :func:`scores`."""
    rows = [row for file in matching(*SCORES) for row in _rows(file)]
    known = [row for row in rows if row["method"] == card.published_as]
    return sorted(known, key=lambda row: str(row["dataset"]))


def _rows(file: Path) -> list[dict[str, Any]]:
    with regular_file(file).open(encoding="utf-8", newline="") as stream:
        return [
            row | {score: float(row[score] or "nan") for score in ("psnr", "ssim")}
            for row in csv.DictReader(stream)
        ]


def _joined(patterns: tuple[str, ...], columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd  # takes half a second: a card alone is shown without

    tables = [pd.read_csv(regular_file(file)) for pattern in patterns for file in matching(pattern)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(columns))
