"""How sure a mean over images is."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95
RESAMPLES = 9999


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Bootstrap confidence interval of a mean (bias-corrected and accelerated, fixed seed).

    Args:
        values: one per image.
        level: of confidence.

    Returns:
        (low, high); NaN for fewer than two finite values.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if len(finite) < 2:
        return math.nan, math.nan
    if np.ptp(finite) == 0:
        return float(finite[0]), float(finite[0])
    found = stats.bootstrap(
        (finite,),
        np.mean,
        confidence_level=level,
        n_resamples=RESAMPLES,
        batch=1000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def ratio_interval(
    numerators: Sequence[float], denominators: Sequence[float], level: float = LEVEL
) -> tuple[float, float]:
    """Bootstrap confidence interval of mean(numerators) / mean(denominators), images kept paired.

    Returns:
        (low, high); NaN for fewer than two finite pairs, or where too many denominators are 0.
    """
    pairs = np.array([numerators, denominators], dtype=float)
    above, below = pairs[:, np.isfinite(pairs).all(axis=0)]
    if len(above) < 2 or below.sum() == 0:
        return math.nan, math.nan
    ratio = float(above.mean() / below.mean())
    if np.allclose(above, ratio * below, rtol=1e-12, atol=0):
        return ratio, ratio
    with np.errstate(divide="ignore", invalid="ignore"):  # resamples of zeros alone
        found = stats.bootstrap(
            (above, below),
            lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis),
            paired=True,
            confidence_level=level,
            n_resamples=RESAMPLES,
            batch=1000,
            rng=np.random.default_rng(0),
        ).confidence_interval
    return float(found.low), float(found.high)


def wilcoxon(differences: Sequence[float]) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test of paired differences against 0.

    Differences of 0 are ranked and then dropped (Pratt). NaN for fewer than two finite values.
    """
    finite = np.asarray(differences, dtype=float)
    finite = finite[np.isfinite(finite)]
    if len(finite) < 2:
        return math.nan
    if not finite.any():
        return 1.0
    return float(stats.wilcoxon(finite, zero_method="pratt").pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction of several p-values; NaN stays NaN and is not counted."""
    p = np.asarray(p_values, dtype=float)
    corrected = np.full(len(p), math.nan)
    order = [i for i in np.argsort(p, kind="stable") if np.isfinite(p[i])]
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p[i]))
        corrected[i] = largest
    return corrected.tolist()
