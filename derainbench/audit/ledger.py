"""The claims of a paper: what is claimed, where that is stated, and how it is tested.

One file per paper in ``catalog/claims/``; see ``docs/adding-a-paper.md``.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from derainbench.errors import BenchError
from derainbench.settings import check, read_yaml
from derainbench.sources import known_model

LABELS = ("smoke", "study", "paper")
KINDS = {
    "abstract": "the paper's abstract",
    "paper": "the paper's text, tables or figures",
    "code": "read in the authors' code",
    "user": "a user's report, second-hand",
    "derived": "computed from running the authors' model",
}
# Kinds of claims whose number somebody published; others are found by looking.
PUBLISHED = ("abstract", "paper", "user")
TESTS = (
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
)
# Those of which trained weights decide.
TRAINED = ("score", "score-gap", "comparable", "ablation", "rain-spikes", "selection-leak")


class Claim(BaseModel):
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
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*$")
    wording: str
    source: str
    kind: Literal[tuple(KINDS)]
    published: float | None = None
    unit: str = ""
    test: Literal[TESTS]
    tolerance: float = Field(0, ge=0)
    relative: bool = False
    speaks: tuple[Literal[LABELS], ...] = LABELS
    dataset: str | None = None
    protocol: str = "esdnet"
    without: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Claim:
        needs = {"score": "dataset", "score-gap": "dataset", "ablation": "without"}.get(self.test)
        if needs and getattr(self, needs) is None:
            raise ValueError(f"test '{self.test}' needs '{needs}'")
        numbered = (
            "score",
            "score-gap",
            "parameters",
            "energy-saving",
            "analog-macs",
            "analog-ratio",
        )
        if self.test in numbered and self.published is None:
            raise ValueError(f"test '{self.test}' needs 'published'")
        if self.test in TRAINED and "smoke" in self.speaks:
            raise ValueError(f"test '{self.test}' takes trained networks: 'speaks' without smoke")
        return self

    def within(self, measured: float) -> bool:
        """Whether a measured value meets the published one."""
        allowed = self.tolerance * (abs(self.published) if self.relative else 1)
        return abs(measured - self.published) <= allowed


class Ledger(BaseModel):
    """The claims of one paper, and what the authors' code shows.

    Attributes:
        model: the paper's network in the registry.
        twin: the ANN of the same topology in the registry.
        claims: of the paper and its users.
        findings: about the released code, by this benchmark or others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    twin: str | None = None
    claims: tuple[Claim, ...]
    findings: tuple[Claim, ...] = ()

    @field_validator("model", "twin")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        try:
            return name and known_model(name)
        except BenchError as error:
            raise ValueError(str(error)) from error

    @model_validator(mode="after")
    def _has_twin(self) -> Ledger:
        for claim in self.all():
            if claim.test == "analog-ratio" and not self.twin:
                raise ValueError(f"claim '{claim.id}': test 'analog-ratio' needs 'twin'")
        return self

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


def names() -> list[str]:
    """The papers with a ledger."""
    folder = resources.files("derainbench.catalog").joinpath("claims")
    return sorted(Path(file.name).stem for file in folder.iterdir() if file.name.endswith(".yaml"))


def load(name: str) -> Ledger:
    """A paper's ledger.

    Raises:
        BenchError: for an unknown paper, or a mistake in its file, in one line.
    """
    if name not in names():
        raise BenchError(f"no ledger '{name}'; there are: {', '.join(names())}")
    with resources.as_file(resources.files("derainbench.catalog") / "claims" / f"{name}.yaml") as f:
        return check(Ledger, read_yaml(f), f.name)
