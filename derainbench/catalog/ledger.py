"""The claims of a paper: what is claimed, where that is stated, and how it is tested.

``papers/NAME/claims.yaml`` holds them; see ``docs/adding-a-paper.md``.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from derainbench.foundation.settings import Strict
from derainbench.metrics.protocols import DEFAULT_PROTOCOL

Label = Literal["smoke", "study", "paper"]
LABELS: tuple[Label, ...] = get_args(Label)
Kind = Literal["abstract", "paper", "code", "user", "derived"]
KINDS: dict[Kind, str] = {
    "abstract": "the paper's abstract",
    "paper": "the paper's text, tables or figures",
    "code": "read in the authors' code",
    "user": "a user's report, second-hand",
    "derived": "computed from running the authors' model",
}
# Kinds of claims whose number somebody published; others are found by looking.
PUBLISHED = ("abstract", "paper", "user")
TestName = Literal[
    "parameters",
    "energy-saving",
    "comparable",
    "score",
    "score-gap",
    "direct-training",
    "rain-spikes",
    "ablation",
    "analog-macs",
    "analog-ratio",
    "schedule",
    "selection-leak",
    "library",
    "energy-against",
    "parameters-against",
    "macs-against",
    "outperforms",
    "untested",
]
TESTS: tuple[TestName, ...] = get_args(TestName)
# Those of which a published number is compared with one that is found.
NUMBERED = (
    *("score", "score-gap", "parameters", "energy-saving", "analog-macs", "analog-ratio"),
    *("energy-against", "parameters-against", "macs-against"),
)
# Those of which trained weights decide.
TRAINED = (
    "score",
    "score-gap",
    "comparable",
    "ablation",
    "rain-spikes",
    "selection-leak",
    "outperforms",
)

# The field that a test cannot do without.
NEEDS: dict[TestName, str] = {
    "score": "dataset",
    "score-gap": "dataset",
    "ablation": "without",
    "energy-against": "against",
    "parameters-against": "against",
    "macs-against": "against",
    "outperforms": "against",
    "untested": "reason",
}


class Claim(Strict):
    """One claim or finding.

    Attributes:
        id: short name, unique in the ledger.
        wording: what is claimed; quoted where the words matter.
        source: where it is stated, and what is not.
        kind: how well it is known; see :data:`KINDS`.
        published: the number, or None where none is stated.
        unit: of the number.
        test: how it is tested; see :mod:`derainbench.audit.verdicts`.
        tolerance: how far a measured value may lie from the published one.
        relative: whether the tolerance is a share of the published value.
        speaks: labels of the configurations that may give a verdict.
        dataset: for scores and gaps: on which test set.
        protocol: for scores and gaps: under which protocol.
        without: for ablations: constructor arguments that leave the part out.
        against: for claims against another network that is named: its model.
        reason: for claims that are not tested: why.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    wording: str
    source: str
    kind: Kind
    published: float | None = None
    unit: str = ""
    test: TestName
    tolerance: float = Field(0, ge=0)
    relative: bool = False
    speaks: tuple[Label, ...] = LABELS
    dataset: str | None = None
    protocol: str = DEFAULT_PROTOCOL
    without: dict[str, Any] | None = None
    against: str | None = None
    reason: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Claim:
        needs = NEEDS.get(self.test)
        if needs and getattr(self, needs) is None:
            raise ValueError(f"test '{self.test}' needs '{needs}'")
        if self.test in NUMBERED and self.published is None:
            raise ValueError(f"test '{self.test}' needs 'published'")
        if self.test in TRAINED and "smoke" in self.speaks:
            raise ValueError(f"test '{self.test}' takes trained networks: 'speaks' without smoke")
        return self

    @property
    def number(self) -> float:
        """The published number, of a claim whose test compares it.

        Raises:
            ValueError: for another claim that states none.
        """
        if self.published is None:
            raise ValueError(f"claim '{self.id}' states no number")
        return self.published

    def within(self, measured: float) -> bool:
        """Whether a measured value meets the published one."""
        allowed = self.tolerance * (abs(self.number) if self.relative else 1)
        return abs(measured - self.number) <= allowed


class Ledger(Strict):
    """The claims of one paper, and what the authors' code shows.

    Attributes:
        claims: of the paper and its users.
        findings: about the released code, by this benchmark or others.
    """

    claims: tuple[Claim, ...]
    findings: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Ledger:
        names = [claim.id for claim in self.all()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two claims have the id '{twice[0]}'")
        return self

    def all(self) -> tuple[Claim, ...]:
        """Claims, then findings."""
        return self.claims + self.findings
