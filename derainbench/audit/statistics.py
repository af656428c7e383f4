"""How sure means over images or seeds are, and how sure their differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

LEVEL = 0.95
RESAMPLES = 9999
ROWS_AT_ONCE = 500  # resampled means of that many samples take 40 MB
EQUIVALENT, DIFFERENT, UNDECIDED = "equivalent", "different", "undecided"


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
    found = np.full((len(finite), 2), math.nan)
    for size in np.unique(sizes[sizes > 1]):
        alike = np.flatnonzero(sizes == size)
        for some in np.array_split(alike, math.ceil(len(alike) / ROWS_AT_ONCE)):
            rows = np.stack([finite[i] for i in some])
            # Each on a scale of its own: what counts as equal must not depend on the others.
            scale = np.abs(rows).max(axis=1, keepdims=True)
            scale[scale == 0] = 1
            found[some] = _mean_intervals(rows / scale, level) * scale
    return found


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
            found = varying[:, drawn].mean(axis=axis)
        else:  # the same as one product: sum of c_i x_i / n, c_i how often i was drawn
            flat = drawn.reshape(-1, drawn.shape[axis])
            cells = (np.arange(len(flat))[:, None] * n + flat).ravel()
            counts = np.bincount(cells, minlength=len(flat) * n).reshape(-1, n).astype(float)
            found = (varying @ counts.T / flat.shape[1]).reshape(-1, *drawn.shape[:-1])
        return found.round(digits)

    found = stats.bootstrap(
        (np.arange(n),),
        means,
        vectorized=True,
        confidence_level=level,
        n_resamples=RESAMPLES,
        batch=1000,
        rng=np.random.default_rng(0),
    ).confidence_interval
    intervals[~constant] = np.stack([found.low, found.high], axis=1)
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


def seeds_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p-value of Student's t-test that two networks' means over seeds are equal.

    The scatter over seeds is taken to be the same for both, so that one seed of one network can be
    held against several of the other: t = (m1 - m2) / (s sqrt(1/n1 + 1/n2)), s pooled, with
    n1 + n2 - 2 degrees of freedom.

    Args:
        first: one mean score per seed of the first network; finite.
        second: of the second.

    Returns:
        p, or NaN for one seed each: nothing then tells seeds from networks.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    freedom = len(a) + len(b) - 2
    if freedom < 1:
        return math.nan
    squares = ((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()
    error = math.sqrt(squares / freedom * (1 / len(a) + 1 / len(b)))
    difference = abs(float(a.mean() - b.mean()))
    if error == 0:
        return float(difference == 0)
    return float(2 * stats.t.sf(difference / error, freedom))


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
            probability of superiority (Grissom and Kim, Effect Sizes for Research, 2005, chapter 5).
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
        mean, sd, minimum, maximum: sd is the sample standard deviation; NaN for one value.
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
    """Mean, deviation and range of at least one finite value, with Student's t-interval."""
    x = np.asarray(values, dtype=float)
    n, mean = len(x), float(x.mean())
    sd = low = high = math.nan
    if n > 1:
        sd = float(x.std(ddof=1))
        half = float(stats.t.ppf((1 + level) / 2, n - 1)) * sd / math.sqrt(n)
        low, high = mean - half, mean + half
    return Spread(n, mean, sd, float(x.min()), float(x.max()), low, high)


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
        values: one mean per seed, or one score per image; finite.
        published: in the same unit.
        margin: largest difference that counts as none, in the same unit; positive.
        unit: what the values are, for the verdict of a single one.
    """
    found = spread(values, 2 * LEVEL - 1)
    difference = found.mean - published
    if found.n < 2:
        none = math.nan
        return Equivalence(found.n, difference, none, none, none, f"one {unit} only: no test")
    low, high = found.low - published, found.high - published
    s = found.sd / math.sqrt(found.n)
    if s > 0:
        above = stats.t.sf((difference + margin) / s, found.n - 1)
        below = stats.t.cdf((difference - margin) / s, found.n - 1)
        p = float(max(above, below))
    else:
        p = float(abs(difference) >= margin)
    if p < 1 - LEVEL:
        verdict = EQUIVALENT
    else:
        verdict = DIFFERENT if low > margin or high < -margin else UNDECIDED
    return Equivalence(found.n, difference, low, high, p, verdict)
