"""The words that a verdict may have. There are these five and no others."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What the results say of a claim, in one word; :attr:`meaning` says it in more."""

    REPRODUCED = "reproduced"
    DEVIATES = "deviates"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    NOT_TESTABLE = "not testable here"

    @property
    def meaning(self) -> str:
        """The word in a sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    Outcome.REPRODUCED: "what was found agrees with the claim",
    Outcome.DEVIATES: "what was found differs from the claim, without refuting it",
    Outcome.CONTRADICTED: "what was found refutes the claim",
    Outcome.UNDECIDED: "there is data, but not enough of it to decide",
    Outcome.NOT_TESTABLE: "what a test would need is not among these results",
}
