"""Whether a mean agrees with a published value to within a margin, and how many values would tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # scipy.stats is imported where it is first used: it takes a second

from derainbench.statistics.bootstrap import LEVEL
from derainbench.statistics.effects import spread

TWO_ONE_SIDED = 2 * LEVEL - 1  # 90 %: inside a margin exactly where both tests at 5 % reject
UNDECIDED = "undecided"  # of a comparison that found neither the one nor the other
MOST_VALUES = 10_000  # more than anybody measures


@dataclass(frozen=True)
class Equivalence:
    """How a mean lies to a published value.

    Attributes:
        n: values.
        difference: mean - published.
        low, high: interval of the difference at level :data:`TWO_ONE_SIDED`.
        p: of the two one-sided tests; NaN for one value.
        inside: whether both tests reject at 5 %: the mean agrees to within the margin.
        outside: whether the interval lies wholly outside the margin.
    """

    n: int
    difference: float
    low: float
    high: float
    p: float
    inside: bool
    outside: bool


def equivalence(values: Sequence[float], published: float, margin: float) -> Equivalence:
    """Two one-sided t-tests of a mean against a published value.

    With m = mean - published, s = sd / sqrt(n): t1 = (m + margin) / s must be significantly
    positive and t2 = (m - margin) / s significantly negative, each with n - 1 degrees of freedom;
    p is the larger of the two p-values. A published value counts as exact.

    Source: Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657-680.

    Args:
        values: one mean per seed, or one score per image; those that are not finite are left out.
            One value alone is no test: it lies neither inside nor outside.
        published: in the same unit.
        margin: largest difference that counts as none, in the same unit; positive.
    """
    scatter = spread(values, TWO_ONE_SIDED)
    difference = scatter.mean - published
    if scatter.n < 2:
        none = math.nan
        return Equivalence(scatter.n, difference, none, none, none, inside=False, outside=False)
    low, high = scatter.low - published, scatter.high - published
    s = scatter.sd / math.sqrt(scatter.n)
    if s > 0:
        above = scipy.stats.t.sf((difference + margin) / s, scatter.n - 1)
        below = scipy.stats.t.cdf((difference - margin) / s, scatter.n - 1)
        p = float(max(above, below))
    else:
        p = float(abs(difference) >= margin)
    outside = low > margin or high < -margin
    return Equivalence(scatter.n, difference, low, high, p, inside=p < 1 - LEVEL, outside=outside)


def values_to_decide(sd: float, gap: float, *, least: int, groups: int = 1) -> int | None:
    """How many values a one-sided test at 5 % takes, if mean and scatter stay what they are.

    The smallest n at which the half-width of the 90 % interval, t(0.95, groups (n - 1)) sd
    sqrt(groups / n), falls below the gap.

    Args:
        sd: scatter of single values.
        gap: distance of the mean from the bound that it is held against.
        least: fewest that count as a test; 2 or more.
        groups: 1 for a mean, 2 for the difference of two means with n values each.

    Returns:
        n per group, or None where the mean lies at the bound itself, or more than
        :data:`MOST_VALUES` would be needed.
    """
    if not gap > 0 or math.isnan(sd):
        return None
    n = np.arange(least, MOST_VALUES + 1)
    half = scipy.stats.t.ppf(LEVEL, groups * (n - 1)) * sd * np.sqrt(groups / n)
    enough = half < gap
    return int(n[enough.argmax()]) if enough.any() else None
