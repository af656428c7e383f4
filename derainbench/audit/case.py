"""A claim with what its test may look at, and the verdict that comes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.audit.ledger import Claim, Ledger
from derainbench.config import Config
from derainbench.energy.account import read_layers

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
        return Verdict(self.claim.id, verdict, reason, **facts)
