"""Whether a mean agrees with a published value to within a margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import scipy  # scipy.stats is imported where it is first used: it takes a second

from derainbench.statistics.bootstrap import LEVEL
from derainbench.statistics.effects import spread

EQUIVALENT, DIFFERENT, UNDECIDED = "equivalent", "different", "undecided"


@dataclass(frozen=True)
class Equivalence:
    """Whether a mean agrees with a published value to within a margin.

    Attributes:
        n: values.
        difference: mean - published.
        low, high: interval of the difference at level 2 LEVEL - 1 (90 %): it lies inside the margin
            exactly where both one-sided tests reject.
        p: of the two one-sided tests; NaN for one value.
        verdict: equivalent (p < 1 - LEVEL), different (the interval lies wholly outside the
            margin), undecided, or why there is no test.
    """

    n: int
    difference: float
    low: float
    high: float
    p: float
    verdict: str


def equivalence(
    values: Sequence[float], published: float, margin: float, unit: str = "seed"
) -> Equivalence:
    """Two one-sided t-tests of a mean against a published value.

    With m = mean - published, s = sd / sqrt(n): t1 = (m + margin) / s must be significantly
    positive and t2 = (m - margin) / s significantly negative, each with n - 1 degrees of freedom;
    p is the larger of the two p-values. A published value counts as exact.

    Source: Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657-680.

    Args:
        values: one mean per seed, or one score per image; those that are not finite are left out.
        published: in the same unit.
        margin: largest difference that counts as none, in the same unit; positive.
        unit: what the values are, for the verdict of a single one.
    """
    scatter = spread(values, 2 * LEVEL - 1)
    difference = scatter.mean - published
    if scatter.n < 2:
        none = math.nan
        why = f"one {unit} only: no test" if scatter.n else "no finite score: no test"
        return Equivalence(scatter.n, difference, none, none, none, why)
    low, high = scatter.low - published, scatter.high - published
    s = scatter.sd / math.sqrt(scatter.n)
    if s > 0:
        above = scipy.stats.t.sf((difference + margin) / s, scatter.n - 1)
        below = scipy.stats.t.cdf((difference - margin) / s, scatter.n - 1)
        p = float(max(above, below))
    else:
        p = float(abs(difference) >= margin)
    if p < 1 - LEVEL:
        verdict = EQUIVALENT
    else:
        verdict = DIFFERENT if low > margin or high < -margin else UNDECIDED
    return Equivalence(scatter.n, difference, low, high, p, verdict)
