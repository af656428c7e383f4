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
