"""The claims of a paper: what is claimed, where that is stated, and how it is tested.

``papers/NAME/claims.yaml`` holds them; see ``docs/adding-a-paper.md``.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, model_validator

from derainbench.catalog.cells.format import PrintedCell
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
    "printed-score",
    "no-reference",
    "printed-parameters",
    "printed-operations",
    "printed-energy",
    "direct-training",
    "rain-spikes",
    "ablation",
    "analog-macs",
    "analog-ratio",
    "schedule",
    "selection-leak",
    "library",
]
TESTS: tuple[TestName, ...] = get_args(TestName)
# Those of which a published number is compared with one that is found.
NUMBERED: tuple[TestName, ...] = (
    "score",
    "score-gap",
    "parameters",
    "energy-saving",
    "analog-macs",
    "analog-ratio",
)
# Those of cells that were transcribed from a table.
PRINTED = (
    "printed-score",
    "no-reference",
    "printed-parameters",
    "printed-operations",
    "printed-energy",
)
# Those of which trained weights decide.
TRAINED: tuple[TestName, ...] = (
    "score",
    "score-gap",
    "comparable",
    "ablation",
    "rain-spikes",
    "selection-leak",
)
TRAINED += ("printed-score", "no-reference")


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
        cell: the cell of a table that is claimed, where one was transcribed.
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
    cell: PrintedCell | None = None

    @model_validator(mode="after")
    def _complete(self) -> Claim:
        needs = {"score": "dataset", "score-gap": "dataset", "ablation": "without"}.get(self.test)
        if needs and getattr(self, needs) is None:
            raise ValueError(f"test '{self.test}' needs '{needs}'")
        if self.test in PRINTED and self.cell is None:
            raise ValueError(
                f"test '{self.test}' is of cells: `derainbench published add` takes them in"
            )
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
        cells: what the transcribed cells of its tables claim; see :mod:`derainbench.catalog.cells`.
    """

    claims: tuple[Claim, ...]
    findings: tuple[Claim, ...] = ()
    cells: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Ledger:
        names = [claim.id for claim in self.all()]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two claims have the id '{twice[0]}'")
        return self

    def all(self) -> tuple[Claim, ...]:
        """Claims, then findings, then cells."""
        return self.claims + self.findings + self.cells
