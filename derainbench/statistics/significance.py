"""Tests of differences, and their correction where there are several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # scipy.stats is imported where it is first used: it takes a second
from numpy.typing import ArrayLike


def wilcoxon(differences: ArrayLike) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test of paired differences against 0.

    Differences of 0 are ranked and then dropped (Pratt). NaN for fewer than two finite values.
    """
    finite = np.asarray(differences, dtype=float)
    finite = finite[np.isfinite(finite)]
    if len(finite) < 2:
        return math.nan
    if not finite.any():
        return 1.0
    return float(scipy.stats.wilcoxon(finite, zero_method="pratt").pvalue)


def holm(p_values: ArrayLike) -> list[float]:
    """Holm's step-down correction of several p-values; NaN stays NaN and is not counted."""
    p = np.asarray(p_values, dtype=float)
    corrected = np.full(len(p), math.nan)
    order = [i for i in np.argsort(p, kind="stable") if np.isfinite(p[i])]
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p[i]))
        corrected[i] = largest
    return corrected.tolist()


@dataclass(frozen=True)
class SeedDifference:
    """The difference of two networks' means over seeds.

    Attributes:
        first, second: seeds with a finite mean.
        difference: first mean - second mean; NaN where a network has none.
        sd: scatter over seeds, the same for both; NaN for one seed each.
        error: standard error of the difference.
        freedom: degrees of freedom.
    """

    first: int
    second: int
    difference: float
    sd: float
    error: float
    freedom: int

    @property
    def p(self) -> float:
        """Two-sided p-value of Student's t-test that the means are equal; NaN without scatter."""
        if math.isnan(self.error):
            return math.nan
        if self.error == 0:
            return float(self.difference == 0)
        return float(2 * scipy.stats.t.sf(abs(self.difference) / self.error, self.freedom))

    def interval(self, level: float) -> tuple[float, float]:
        """Student's interval of the difference; NaN without scatter."""
        if math.isnan(self.error):
            return math.nan, math.nan
        half = float(scipy.stats.t.ppf((1 + level) / 2, self.freedom)) * self.error
        return self.difference - half, self.difference + half


def seeds_difference(first: Sequence[float], second: Sequence[float]) -> SeedDifference:
    """How two networks' means over seeds differ, by Student's t-test.

    Means that are not finite are left out.

    The scatter over seeds is taken to be the same for both, so that one seed of one network can be
    held against several of the other: t = (m1 - m2) / (s sqrt(1/n1 + 1/n2)), s pooled, with
    n1 + n2 - 2 degrees of freedom. With one seed each nothing tells seeds from networks.

    Args:
        first: one mean score per seed of the first network.
        second: of the second.
    """
    a, b = (x[np.isfinite(x)] for x in (np.asarray(first, float), np.asarray(second, float)))
    freedom = len(a) + len(b) - 2
    difference = float(a.mean() - b.mean()) if len(a) and len(b) else math.nan
    sd = error = math.nan
    if freedom > 0 and len(a) and len(b):
        sd = math.sqrt((((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / freedom)
        error = sd * math.sqrt(1 / len(a) + 1 / len(b))
    return SeedDifference(len(a), len(b), difference, sd, error, freedom)


def seeds_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p-value of :func:`seeds_difference`: that two networks' means are equal."""
    return seeds_difference(first, second).p
