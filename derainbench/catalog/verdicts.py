"""The words that a verdict may have. There are these five and no others.

Which one it is, one rule decides: :mod:`derainbench.audit.verdict_rule`.
"""

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
    Outcome.REPRODUCED: "what was found lies within the tolerance of the claim, surely enough: two "
    "one-sided tests at 5 % over three seeds or more, or a count that leaves nothing to chance",
    Outcome.DEVIATES: "what was measured lies outside the tolerance, surely enough, and does not "
    "refute the direction of the claim",
    Outcome.CONTRADICTED: "what was found refutes the claim: it points the other way, surely enough, "
    "or a count that leaves nothing to chance is another one",
    Outcome.UNDECIDED: "there is data, but not enough of it to decide; the reason says how much "
    "would be",
    Outcome.NOT_TESTABLE: "what a test would need is not among these results",
}
# Words that answer a claim.
DECIDED = (Outcome.REPRODUCED, Outcome.DEVIATES, Outcome.CONTRADICTED)
