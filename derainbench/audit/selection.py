"""What it is worth to choose the best epoch on the test split, measured on monitored runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from derainbench.config.runs import Training
from derainbench.config.schema import Config
from derainbench.foundation.errors import BenchError
from derainbench.foundation.frames import records
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json, read_table
from derainbench.results.runs import RunVariant, run_variants

SELECTED, MONITORED = "selection_psnr_rgb", "monitored_psnr_rgb"


@dataclass(frozen=True)
class Leak:
    """The same training run, its epoch chosen in two ways. Scores are RGB PSNR of central crops, dB.

    Attributes:
        epochs: epochs that were scored on both splits, the candidates.
        selected_epoch: best on the selection split: the one whose weights were kept.
        selected_psnr: its score on the selection split.
        selected_test_psnr: its score on the monitored split.
        best_test_epoch: best on the monitored split.
        best_test_psnr: its score there.
        last_test_psnr: score of the last epoch on the monitored split: no choice at all.
        leak_psnr: best_test_psnr - selected_test_psnr, never negative.
    """

    epochs: int
    selected_epoch: int
    selected_psnr: float
    selected_test_psnr: float
    best_test_epoch: int
    best_test_psnr: float
    last_test_psnr: float
    leak_psnr: float


def leak(history: pd.DataFrame) -> Leak:
    """The selection leak of one run; of equal epochs the first counts, as in training.

    Args:
        history: ``history.csv`` of a monitored run.
    """
    scored = records(history.dropna(subset=[SELECTED, MONITORED]))
    chosen = max(scored, key=lambda epoch: epoch[SELECTED])
    best = max(scored, key=lambda epoch: epoch[MONITORED])
    return Leak(
        epochs=len(scored),
        selected_epoch=int(chosen["epoch"]),
        selected_psnr=float(chosen[SELECTED]),
        selected_test_psnr=float(chosen[MONITORED]),
        best_test_epoch=int(best["epoch"]),
        best_test_psnr=float(best[MONITORED]),
        last_test_psnr=float(scored[-1][MONITORED]),
        # Infinite scores, of crops that were all restored perfectly, have no difference.
        leak_psnr=0.0
        if best[MONITORED] == chosen[MONITORED]
        else float(best[MONITORED] - chosen[MONITORED]),
    )


def histories(config: Config) -> list[tuple[RunVariant, Training, Path]]:
    """Every monitored run with its training and that one's folder."""
    return [
        (entry, entry.spec.train, layout_of(config).training(entry.run, entry.variant))
        for entry in run_variants(config)
        if entry.spec.train and entry.spec.train.monitor
    ]


def selection(config: Config) -> pd.DataFrame:
    """The leak of every monitored run and seed: what :class:`Leak` says, and of which images.

    Raises:
        BenchError: if a file is missing, or of a run that was not monitored.
    """
    rows = []
    for entry, training, folder in histories(config):
        history = read_table(folder / "history.csv")
        facts = read_json(folder / "training.json")
        if MONITORED not in history or "monitored_on" not in facts:
            raise BenchError(f"{folder}: was not monitored; train again with monitor: true")
        rows.append(
            {
                "run": entry.run,
                "variant": entry.variant,
                "title": entry.title,
                "dataset": training.dataset,
                "selected_on": facts["selected_on"],
                "selection_images": facts["selection_pairs"],
                "monitored_on": facts["monitored_on"],
                "monitored_images": facts["monitored_pairs"],
                **vars(leak(history)),
            }
        )
    columns = ["run", "variant", "title", "dataset", "selected_on", "selection_images"]
    columns += ["monitored_on", "monitored_images", *Leak.__dataclass_fields__]
    return pd.DataFrame(rows, columns=columns)
