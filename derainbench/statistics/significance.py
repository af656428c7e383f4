"""Tests of differences, and their correction where there are several."""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def seeds_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p-value of Student's t-test that two networks' means over seeds are equal.

    Means that are not finite are left out.

    The scatter over seeds is taken to be the same for both, so that one seed of one network can be
    held against several of the other: t = (m1 - m2) / (s sqrt(1/n1 + 1/n2)), s pooled, with
    n1 + n2 - 2 degrees of freedom.

    Args:
        first: one mean score per seed of the first network.
        second: of the second.

    Returns:
        p, or NaN for one seed each: nothing then tells seeds from networks; or for none of one.
    """
    a, b = (x[np.isfinite(x)] for x in (np.asarray(first, float), np.asarray(second, float)))
    freedom = len(a) + len(b) - 2
    if freedom < 1 or not len(a) or not len(b):
        return math.nan
    squares = ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
    error = math.sqrt(squares / freedom * (1 / len(a) + 1 / len(b)))
    difference = abs(float(a.mean() - b.mean()))
    if error == 0:
        return float(difference == 0)
    return float(2 * scipy.stats.t.sf(difference / error, freedom))
