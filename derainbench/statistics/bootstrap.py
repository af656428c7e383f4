"""Bootstrap confidence intervals of means, differences and ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import scipy  # scipy.stats is imported where it is first used: it takes a second
from numpy.typing import ArrayLike

LEVEL = 0.95
RESAMPLES = 9999
ROWS_AT_ONCE = 500  # resampled means of that many samples take 40 MB


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, float]:
    """Bootstrap confidence interval of a mean (bias-corrected and accelerated, fixed seed).

    Args:
        values: one per image.
        level: of confidence.

    Returns:
        (low, high); NaN for fewer than two finite values.
    """
    finite = np.asarray(values, dtype=float)
    low, high = _mean_intervals(finite[np.isfinite(finite)][None], level)[0]
    return float(low), float(high)


def mean_intervals(samples: Sequence[Sequence[float]], level: float = LEVEL) -> np.ndarray:
    """:func:`mean_interval` of many samples, fast where many have the same number of values.

    Args:
        samples: values of each; those that are not finite are left out.
        level: of confidence.

    Returns:
        [samples, 2], low and high; NaN for fewer than two finite values.
    """
    finite = [np.asarray(values, dtype=float) for values in samples]
    finite = [values[np.isfinite(values)] for values in finite]
    sizes = np.array([len(values) for values in finite])
    intervals = np.full((len(finite), 2), math.nan)
    for size in np.unique(sizes[sizes > 1]):
        alike = np.flatnonzero(sizes == size)
        for some in np.array_split(alike, math.ceil(len(alike) / ROWS_AT_ONCE)):
            rows = np.stack([finite[i] for i in some])
            # Each on a scale of its own: what counts as equal must not depend on the others.
            scale = np.abs(rows).max(axis=1, keepdims=True)
            scale[scale == 0] = 1
            intervals[some] = _mean_intervals(rows / scale, level) * scale
    return intervals


def difference_intervals(first: ArrayLike, second: ArrayLike, level: float = LEVEL) -> np.ndarray:
    """Paired bootstrap intervals of mean(first - second), many comparisons at once.

    In a resample every image is drawn with its scores by both methods: a row's interval is
    :func:`mean_interval` of its differences.

    Args:
        first: scores of the first methods, [comparisons, images]; finite.
        second: of the second methods on the same images.
        level: of confidence.

    Returns:
        [comparisons, 2], low and high; NaN for fewer than two images.
    """
    return _mean_intervals(np.asarray(first, float) - np.asarray(second, float), level)


def _mean_intervals(rows: np.ndarray, level: float) -> np.ndarray:
    """BCa intervals [rows, 2] of the means of finite values [rows, n]; all rows share resamples.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 14.3.
    """
    n = rows.shape[1]
    intervals = np.full((len(rows), 2), math.nan)
    if n < 2:
        return intervals
    largest = np.abs(rows).max()
    constant = np.ptp(rows, axis=1) <= 1e-11 * largest  # no BCa interval: nothing varies
    intervals[constant] = rows[constant, :1]
    if constant.all():
        return intervals
    varying = rows[~constant]
    # A resample that equals the sample must tie with it, not lie a rounding error to one side.
    digits = 12 - math.ceil(math.log10(largest))

    def means(drawn: np.ndarray, axis: int) -> np.ndarray:
        """Means [rows, ...] of the values drawn, indices [..., n]."""
        if len(varying) == 1:
            means_of_rows = varying[:, drawn].mean(axis=axis)
        else:  # the same as one product: sum of c_i x_i / n, c_i how often i was drawn
            flat = drawn.reshape(-1, drawn.shape[axis])
            cells = (np.arange(len(flat))[:, None] * n + flat).ravel()
            counts = np.bincount(cells, minlength=len(flat) * n).reshape(-1, n).astype(float)
            means_of_rows = (varying @ counts.T / flat.shape[1]).reshape(-1, *drawn.shape[:-1])
        return means_of_rows.round(digits)

    interval = scipy.stats.bootstrap(
        (np.arange(n),),
        means,
        vectorized=True,
        confidence_level=level,
        n_resamples=RESAMPLES,
        batch=1000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    intervals[~constant] = np.stack([interval.low, interval.high], axis=1)
    return intervals


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
        interval = scipy.stats.bootstrap(
            (above, below),
            lambda a, b, axis: a.mean(axis=axis) / b.mean(axis=axis),
            paired=True,
            confidence_level=level,
            n_resamples=RESAMPLES,
            batch=1000,
            rng=np.random.default_rng(0),
        ).confidence_interval
    return float(interval.low), float(interval.high)
