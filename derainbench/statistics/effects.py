"""How large a paired difference is, and how far values spread."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy  # scipy.stats is imported where it is first used: it takes a second

from derainbench.statistics.bootstrap import LEVEL


@dataclass(frozen=True)
class Effect:
    """How large a paired difference is.

    Attributes:
        n: pairs.
        mean: mean difference, in the scores' unit.
        sd: sample standard deviation of the differences.
        dz: mean / sd, Cohen's d of paired differences (Lakens 2013, Frontiers in Psychology 4:863,
            equation 6); NaN where the differences do not vary.
        share_better: share of pairs in which the first is higher, ties counted half: the
            probability of superiority (Grissom and Kim, Effect Sizes for Research, 2005,
            chapter 5).
    """

    n: int
    mean: float
    sd: float
    dz: float
    share_better: float


def effect(differences: Sequence[float]) -> Effect:
    """The size of paired differences (first - second); those that are not finite are left out."""
    d = np.asarray(differences, dtype=float)
    d = d[np.isfinite(d)]
    if not len(d):
        return Effect(0, *[math.nan] * 4)
    varies = len(d) > 1 and np.ptp(d) > 0
    sd = (float(d.std(ddof=1)) if varies else 0.0) if len(d) > 1 else math.nan
    share = float(np.mean(d > 0) + np.mean(d == 0) / 2)
    return Effect(len(d), float(d.mean()), sd, float(d.mean()) / sd if varies else math.nan, share)


@dataclass(frozen=True)
class Spread:
    """How values scatter: over seeds, say.

    Attributes:
        n: values.
        mean, sd, minimum, maximum: of the values that are finite; sd is the sample standard deviation; NaN for one value.
        low, high: mean -/+ t(n - 1) sd / sqrt(n), Student's interval; NaN for one value.
    """

    n: int
    mean: float
    sd: float
    minimum: float
    maximum: float
    low: float
    high: float


def spread(values: Sequence[float], level: float = LEVEL) -> Spread:
    """Mean, deviation and range of the finite values, with Student's t-interval.

    Without any, all numbers are NaN.
    """
    x = np.asarray(values, dtype=float)
    x = x[np.isfinite(x)]
    if not len(x):
        return Spread(0, *[math.nan] * 6)
    n, mean = len(x), float(x.mean())
    sd = low = high = math.nan
    if n > 1:
        sd = float(x.std(ddof=1))
        half = float(scipy.stats.t.ppf((1 + level) / 2, n - 1)) * sd / math.sqrt(n)
        low, high = mean - half, mean + half
    return Spread(n, mean, sd, float(x.min()), float(x.max()), low, high)
