"""The branches that claims grow on, and the tests that they may name: what each of them takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Branch = Literal["accuracy", "energy", "mechanism", "code"]
BRANCHES: dict[Branch, str] = {
    "accuracy": "how well the network restores",
    "energy": "what it takes to run: parameters, operations, energy",
    "mechanism": "how it is said to work",
    "code": "what the released code shows",
}
TestName = Literal[
    "parameters",
    "parameters-against",
    "analog-macs",
    "analog-ratio",
    "macs-against",
    "energy-saving",
    "energy-against",
    "comparable",
    "outperforms",
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
    "schedule",
    "selection-leak",
    "library",
    "untested",
]


@dataclass(frozen=True)
class TestKind:
    """What a test is about, and what a claim must say to be tested by it.

    Attributes:
        branch: of a claim that names none.
        needs: the field of the claim that it cannot do without.
        numbered: whether a published number is compared with one that is found.
        trained: whether trained weights decide.
        full_size: whether the answer for the paper's own network takes its training, or its authors'
            weights; so it is wherever trained weights decide, and where a firing rate does.
        printed: whether it is of cells that were transcribed from a table.
        explains: whether it shows what could explain a claim, and settles nothing: the networks or
            the code that the claim is about are not at hand.
    """

    branch: Branch
    needs: str | None = None
    numbered: bool = False
    trained: bool = False
    full_size: bool = False
    printed: bool = False
    explains: bool = False


TESTS: dict[TestName, TestKind] = {
    "parameters": TestKind("energy", numbered=True),
    "parameters-against": TestKind("energy", "against", numbered=True),
    "analog-macs": TestKind("energy", numbered=True),
    "analog-ratio": TestKind("energy", numbered=True),
    "macs-against": TestKind("energy", "against", numbered=True),
    "energy-saving": TestKind("energy", numbered=True, full_size=True),
    "energy-against": TestKind("energy", "against", numbered=True, full_size=True),
    "comparable": TestKind("accuracy", trained=True),
    "outperforms": TestKind("accuracy", "against", trained=True),
    "score": TestKind("accuracy", "dataset", numbered=True, trained=True),
    "score-gap": TestKind("accuracy", "dataset", numbered=True, trained=True, explains=True),
    "printed-score": TestKind("accuracy", trained=True, printed=True),
    "no-reference": TestKind("accuracy", trained=True, printed=True),
    "printed-parameters": TestKind("energy", printed=True),
    "printed-operations": TestKind("energy", printed=True),
    "printed-energy": TestKind("energy", printed=True),
    "direct-training": TestKind("mechanism"),
    "rain-spikes": TestKind("mechanism", trained=True),
    "ablation": TestKind("mechanism", "without", trained=True),
    "schedule": TestKind("code"),
    "selection-leak": TestKind("code", trained=True, explains=True),
    "library": TestKind("code"),
    "untested": TestKind("mechanism", "reason"),
}


def takes_training(test: TestName) -> bool:
    """Whether the answer for the paper's own network takes its training, or its authors' weights."""
    return TESTS[test].trained or TESTS[test].full_size


def is_trained(test: TestName) -> bool:
    """Whether trained weights decide a claim."""
    return TESTS[test].trained
