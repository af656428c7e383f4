"""The claims of a paper: what is claimed, where that is stated, and how it is tested.

``papers/NAME/claims.yaml`` holds them; see ``docs/adding-a-paper.md``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, model_validator

from derainbench.catalog.cells.format import PrintedCell
from derainbench.catalog.claim_kinds import BRANCHES, TESTS, Branch, TestName
from derainbench.catalog.protocols import default_protocol
from derainbench.foundation.settings import Strict

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


class Claim(Strict):
    """One claim or finding.

    Attributes:
        id: short name, unique in the ledger.
        wording: what is claimed; quoted where the words matter.
        source: where it is stated, and what is not.
        kind: how well it is known; see :data:`KINDS`.
        published: the number, or None where none is stated.
        unit: of the number.
        branch: of the tree of claims; see :data:`BRANCHES`. Default: that of the test.
        weight: what it counts beside the other claims of its branch.
        test: how it is tested; see :mod:`derainbench.audit.verdicts`.
        tolerance: how far a measured value may lie from the published one.
        relative: whether the tolerance is a share of the published value.
        speaks: labels of the configurations that may give a verdict.
        dataset: for scores and gaps: on which test set.
        protocol: for scores and gaps: under which protocol.
        without: for ablations: constructor arguments that leave the part out.
        against: for claims against another network that is named: its model.
        reason: for claims that are not tested: why.
        cell: the cell of a table that is claimed, where one was transcribed.
    """

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    wording: str
    source: str
    kind: Kind
    published: float | None = None
    unit: str = ""
    test: TestName
    branch: Branch  # filled in by _in_a_branch
    weight: float = Field(1, gt=0)
    tolerance: float = Field(0, ge=0)
    relative: bool = False
    speaks: tuple[Label, ...] = LABELS
    dataset: str | None = None
    protocol: str = Field(default_factory=default_protocol)
    without: dict[str, Any] | None = None
    against: str | None = None
    reason: str | None = None
    cell: PrintedCell | None = None

    @model_validator(mode="before")
    @classmethod
    def _in_a_branch(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("test") in TESTS:
            return {"branch": TESTS[values["test"]].branch} | values
        return values

    @model_validator(mode="after")
    def _complete(self) -> Claim:
        test, needs = TESTS[self.test], TESTS[self.test].needs
        if needs and getattr(self, needs) is None:
            raise ValueError(f"test '{self.test}' needs '{needs}'")
        if test.printed and self.cell is None:
            raise ValueError(
                f"test '{self.test}' is of cells: `derainbench published add` takes them in"
            )
        if test.numbered and self.published is None:
            raise ValueError(f"test '{self.test}' needs 'published'")
        if test.trained and "smoke" in self.speaks:
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

    @property
    def allowed(self) -> float:
        """The tolerance in the claim's unit."""
        return self.tolerance * (abs(self.number) if self.relative else 1)

    def within(self, measured: float) -> bool:
        """Whether a value that leaves nothing to chance meets the published one."""
        return abs(measured - self.number) <= self.allowed


class Ledger(Strict):
    """The claims of one paper, and what the authors' code shows: a tree of branches and claims.

    A branch counts by its weight among the branches that have claims, a claim by its weight within
    its branch: so CORE-Bench and PaperBench weigh what a replication settles.

    Attributes:
        claims: of the paper and its users.
        findings: about the released code, by this benchmark or others.
        cells: what the transcribed cells of its tables claim; see :mod:`derainbench.catalog.cells`.
        weights: what a branch counts beside others; 1 where none is given.
    """

    claims: tuple[Claim, ...]
    findings: tuple[Claim, ...] = ()
    cells: tuple[Claim, ...] = ()
    weights: dict[Branch, Annotated[float, Field(gt=0)]] = {}

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

    def branches(self) -> dict[Branch, tuple[Claim, ...]]:
        """The claims, findings and cells of every branch that has any."""
        by_branch = {b: tuple(c for c in self.all() if c.branch == b) for b in BRANCHES}
        return {branch: claims for branch, claims in by_branch.items() if claims}

    def shares(self) -> dict[str, float]:
        """What every claim counts in the whole paper, by id; together 1.

        weight of its branch / sum over branches, times its own weight / sum over the branch.
        """
        branches = self.branches()
        total = sum(self.weights.get(branch, 1) for branch in branches)
        return {
            claim.id: self.weights.get(branch, 1)
            / total
            * claim.weight
            / sum(other.weight for other in claims)
            for branch, claims in branches.items()
            for claim in claims
        }
