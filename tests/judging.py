"""Invented results of a configuration, and the verdicts on one claim that they allow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from derainbench.audit.case import Verdict
from derainbench.audit.verdicts import judge
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.verdicts import Outcome
from derainbench.config.schema import Config, parse
from derainbench.models.construction import constructor_arguments

SMALL = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]}
TRAIN = {"dataset": "rain", "recipe": "esdnet", "seeds": [1]}
# The paper's network under the paper's training may be contradicted, a scaled-down one deviates.
FULL: dict[str, Any] = {"label": "paper", "kwargs": {}}
SCALES = pytest.mark.parametrize(
    "scale",
    [FULL, {"label": "paper"}, {"label": "study", "kwargs": {}}, {}],
    ids=["paper", "paper-small", "study-full-size", "study"],
)


class Results:
    """A results folder, empty but for constructor arguments and what a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "results" / "tiny"
        self.write("structure/arguments.json", {"esdnet": constructor_arguments("esdnet", {})})

    def config(
        self,
        label: str = "study",
        kwargs: dict[str, Any] = SMALL,
        datasets: dict[str, Any] | None = None,
        **runs: dict[str, Any],
    ) -> Config:
        """One run of the paper's network, and others by name; data sets may be told anew."""
        own = {"model": "esdnet", "kwargs": kwargs, "train": TRAIN, "test": ["rain"]}
        return parse(
            {
                "name": "tiny",
                "label": label,
                "title": "Tiny",
                "data_root": "data",
                "weights_root": "weights",
                "datasets": {
                    "rain": {"kind": "synthetic", "rain": "heavy"},
                    "Rain200H": {"kind": "folder"},
                    **(datasets or {}),
                },
                "runs": {"own": own, **runs},
                "figures": {"dataset": "rain"},
            },
            "test",
        )

    def write(self, name: str, rows: Any) -> None:
        """A JSON file, or a CSV file from rows."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".json":
            file.write_text(json.dumps(rows))
        else:
            pd.DataFrame(rows).to_csv(file, index=False)

    def scores(
        self, run: str, psnr: list[float], seed: int | str = 1, dataset: str = "rain"
    ) -> None:
        """Scores of one seed, or of "official" weights, on a set, an image each."""
        variant = seed if isinstance(seed, str) else f"seed-{seed}"
        self.write(
            f"scores/{run}/{variant}/{dataset}/per_image.csv",
            [
                {"image": f"{i}.png", "protocol": "esdnet", "psnr": value, "ssim": 0.9,
                 "psnr_input": 20.0, "ssim_input": 0.5}
                for i, value in enumerate(psnr)
            ],
        )  # fmt: skip


def at(scale: dict[str, Any], outcome: Outcome) -> Outcome:
    """The outcome where a scaled-down study contradicts nothing."""
    small = outcome == Outcome.CONTRADICTED and scale != FULL
    return Outcome.DEVIATES if small else outcome


def judged(config: Config, claim: str, paper: str = "esdnet") -> list[Verdict]:
    """The verdicts on one claim of a paper."""
    return [v for v in judge(config, read_audited_paper(paper)) if v.claim == claim]


def only(verdicts: list[Verdict]) -> Verdict:
    """The only one of several verdicts."""
    [verdict] = verdicts
    return verdict
