"""The scores of a configuration's runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from derainbench.results.reading import read_table
from derainbench.results.runs import RunVariant, run_variants

if TYPE_CHECKING:
    from derainbench.config.schema import Config

SCORE_COLUMNS = ("image", "protocol", "psnr", "ssim", "psnr_input", "ssim_input")


def read_scores(config: Config, *, ablations: bool = False) -> pd.DataFrame:
    """Per-image scores: columns of ``per_image.csv`` plus run, variant, title, dataset.

    Results that grew over several versions may hold runs that were scored under more protocols than
    others: only those that all were scored under are here, so that whatever compares runs has each of
    them.

    Args:
        config: whose runs.
        ablations: those of the ablations, or those of all other runs.

    Raises:
        BenchError: if a score file is missing.
    """
    tables = []
    for entry in run_variants(config, ablations=ablations):
        for dataset in entry.spec.test:
            if not config.paired(dataset):
                continue
            table = read_table(score_folder(config, entry, dataset) / "per_image.csv")
            tables.append(
                table.assign(
                    run=entry.run,
                    variant=entry.variant,
                    title=entry.title,
                    weights=entry.origin_on(dataset),
                    dataset=dataset,
                )
            )
    if not tables:
        return pd.DataFrame(
            columns=[*SCORE_COLUMNS, "run", "variant", "title", "weights", "dataset"]
        )
    common = set.intersection(*(set(table["protocol"]) for table in tables))
    scores = pd.concat(tables, ignore_index=True)
    return scores[scores["protocol"].isin(common)].reset_index(drop=True)


def score_folder(config: Config, entry: RunVariant, dataset: str) -> Path:
    """Where an entry's restored images and scores on a set lie."""
    return Path(config.results) / "scores" / entry.run / entry.variant / dataset
