"""A claim with what its test may look at, and the verdict that comes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.ledger import Claim
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.verdicts import Outcome
from derainbench.config.runs import Run
from derainbench.config.schema import Config
from derainbench.results.accounts import read_layers
from derainbench.results.gradients import GradientReach, read_gradients
from derainbench.results.layout import layout_of
from derainbench.results.runs import RunVariant, default_arguments, run_variants


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim under one reading.

    Attributes:
        claim: id.
        verdict: its word.
        reason: in a sentence.
        reading: scenario, baseline or data set, where the verdict depends on it.
        measured: the value found, in the claim's unit; None if there is none.
        low, high: its 95 % interval.
        more_seeds: further seeds that would decide an undecided one; None where that is not what
            is missing, or not known.
        scaled_down: whether it is of a smaller network, or a shorter training, than the paper's.
        evidence: files behind it, relative to the results folder.
    """

    claim: str
    verdict: Outcome
    reason: str
    reading: str = ""
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    more_seeds: int | None = None
    scaled_down: bool = False
    evidence: tuple[str, ...] = ()


class Missing(Exception):
    """What a test needs is not among the results."""


@dataclass(frozen=True)
class Case:
    """A claim with all that its test may look at."""

    claim: Claim
    paper: AuditedPaper
    config: Config

    @property
    def results(self) -> Path:
        """Folder of the configuration's results."""
        return Path(self.config.results)

    @property
    def dataset(self) -> str:
        """The data set of a claim about scores.

        Raises:
            Missing: if the claim names none.
        """
        if self.claim.dataset is None:
            raise Missing("the claim names no data set")
        return self.claim.dataset

    def named_network(self) -> str:
        """The model that a claim holds the paper's network against.

        Raises:
            Missing: if the claim names none.
        """
        if self.claim.against is None:
            raise Missing("the claim names no network")
        return self.claim.against

    def gradients(self) -> tuple[GradientReach, str]:
        """How far a gradient gets in the paper's network, and the file that says so.

        Raises:
            Missing: if nobody has looked.
        """
        file = layout_of(self.config).gradients(self.paper.name)
        name = str(file.relative_to(self.results))
        if not file.is_file():
            raise Missing(f"{name} is missing")
        return read_gradients(self.config, self.paper.name), name

    def table(self, file: str) -> pd.DataFrame:
        """A CSV file of the results.

        Raises:
            Missing: if it is not there.
        """
        if not (self.results / file).is_file():
            raise Missing(f"{file} is missing")
        return read_layers(self.results / file)

    def verdict(
        self,
        outcome: Outcome,
        reason: str,
        *,
        reading: str = "",
        measured: float | None = None,
        low: float | None = None,
        high: float | None = None,
        more_seeds: int | None = None,
        scaled_down: bool = False,
        evidence: tuple[str, ...] = (),
    ) -> Verdict:
        """A verdict on the claim; numbers that are not known become None."""
        return Verdict(
            claim=self.claim.id,
            verdict=outcome,
            reason=reason,
            reading=reading,
            measured=_known(measured),
            low=_known(low),
            high=_known(high),
            more_seeds=more_seeds,
            scaled_down=scaled_down,
            evidence=evidence,
        )

    def network_runs(self) -> list[RunVariant]:
        """Runs of the paper's network, ablations apart: with weights, or images of others."""
        return [
            entry for entry in run_variants(self.config) if entry.spec.network == self.paper.network
        ]

    def speaks_for_paper(self, run: Run) -> bool:
        """Whether what a run of the paper's network does is what the paper's does."""
        return as_published(self.config, run) and (
            self.config.judged_as == "paper" or not run.train
        )

    def scaled(self, run: Run, outcome: Outcome, reason: str) -> tuple[Outcome, str]:
        """Outcome and reason of what a network does, where its weights are not the paper's.

        A scaled-down study contradicts no paper: the paper's network under the paper's training may
        do what a small one does not.
        """
        if self.speaks_for_paper(run):
            return outcome, reason
        at_most = Outcome.DEVIATES if outcome == Outcome.CONTRADICTED else outcome
        return at_most, f"scaled down: {reason}"


def _known(number: float | None) -> float | None:
    return None if number is None or pd.isna(number) or math.isinf(number) else float(number)


def as_published(config: Config, run: Run) -> bool:
    """Whether a run is a paper's network after its training: defaults, and its unchanged recipe.

    Official weights have that training behind them, and so have images that others restored.

    Raises:
        BenchError: if the run sets arguments and the structure has not been counted.
    """
    card = model_card(run.network)
    if run.kwargs:
        defaults = default_arguments(config)[card.name]
        if any(defaults.get(name) != value for name, value in run.kwargs.items()):
            return False
    recipe = card.training.recipe
    unchanged = run.train and (not run.train.set or config.label == "rehearsal")
    return not run.train or bool(run.train.recipe == recipe and unchanged)
