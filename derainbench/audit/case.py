"""A claim with what its test may look at, and the verdict that comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench import cards, models
from derainbench.audit.ledger import Claim, Ledger
from derainbench.config import Config, Run
from derainbench.energy.account import read_layers
from derainbench.report import collect

VERDICTS = REPRODUCED, DEVIATES, CONTRADICTED, NOT_TESTABLE = (
    "reproduced",
    "deviates",
    "contradicted",
    "not testable here",
)


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim under one reading.

    Attributes:
        claim: id.
        reading: scenario, rival or data set, where the verdict depends on it.
        verdict: one of :data:`VERDICTS`.
        reason: in a sentence.
        measured: the value found, in the claim's unit; None if there is none.
        low, high: its 95 % interval.
        evidence: files behind it, relative to the results folder.
    """

    claim: str
    verdict: str
    reason: str
    reading: str = ""
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    evidence: tuple[str, ...] = ()


class Missing(Exception):
    """What a test needs is not among the results."""


@dataclass(frozen=True)
class Case:
    """A claim with all that its test may look at."""

    claim: Claim
    book: Ledger
    config: Config

    @property
    def results(self) -> Path:
        return Path(self.config.results)

    def table(self, file: str) -> pd.DataFrame:
        """A CSV file of the results.

        Raises:
            Missing: if it is not there.
        """
        if not (self.results / file).is_file():
            raise Missing(f"{file} is missing")
        return read_layers(self.results / file)

    def verdict(self, verdict: str, reason: str, **facts: Any) -> Verdict:
        for name in ("measured", "low", "high"):
            if name in facts:
                facts[name] = None if pd.isna(facts[name]) else float(facts[name])
        return Verdict(self.claim.id, verdict, reason, **facts)

    def own_runs(self) -> list[collect.Entry]:
        """Runs of the paper's network, ablations apart: trained here, or with official weights."""
        return [
            e
            for e in collect.entries(self.config)
            if models.card(e.spec.model).name == self.book.model
        ]

    def scaled(self, run: Run, verdict: str, reason: str) -> tuple[str, str]:
        """Verdict and reason of what a network does, where its weights are not the paper's.

        A scaled-down study contradicts no paper: the paper's network under the paper's training may
        do what a small one does not.
        """
        if as_published(run) and (self.config.label == "paper" or not run.train):
            return verdict, reason
        return DEVIATES if verdict == CONTRADICTED else verdict, f"scaled down: {reason}"


def as_published(run: Run) -> bool:
    """Whether a run is a paper's network after its training: defaults, and its unchanged recipe.

    Official weights have that training behind them.
    """
    card = models.card(run.model)
    full_size = models.arguments(run.model, run.kwargs) == models.arguments(run.model, {})
    facts = cards.facts().get(card.name)
    recipe = facts.training.recipe if facts else run.train and run.train.recipe
    return full_size and (not run.train or (run.train.recipe == recipe and not run.train.set))
