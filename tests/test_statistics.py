"""Intervals cover what they promise to cover."""

import math

import numpy as np
import pytest
from scipy import stats

from derainbench.statistics.bootstrap import (
    difference_intervals,
    mean_interval,
    mean_intervals,
    ratio_interval,
)
from derainbench.statistics.effects import effect, spread
from derainbench.statistics.equivalence import equivalence, values_to_decide
from derainbench.statistics.significance import holm, seeds_difference, seeds_p, wilcoxon


def test_intervals_cover_the_true_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        low, high = mean_interval(rng.normal(30, 3, 60))
        covered += low <= 30 <= high
    assert 0.90 <= covered / 200 <= 0.99


def test_an_interval_is_near_that_of_the_normal_distribution():
    values = np.random.default_rng(2).normal(0, 1, 400)
    low, high = mean_interval(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


def test_equal_values_give_one_point_and_single_ones_nothing():
    assert mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0)
    assert all(math.isnan(v) for v in mean_interval([2.0]))
    assert all(math.isnan(v) for v in mean_interval([2.0, math.nan]))


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(3).random(30)
    assert mean_interval(values) == mean_interval(values)


def test_ratio_intervals_cover_the_true_ratio_about_as_often_as_they_say():
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(100):
        below = rng.normal(10, 2, 40)
        low, high = ratio_interval(1.2 * below + rng.normal(0, 1, 40), below)
        covered += low <= 1.2 <= high
    assert 0.87 <= covered / 100 <= 0.99


def test_a_ratio_keeps_images_paired():
    below = np.random.default_rng(5).uniform(1, 100, 30)
    low, high = ratio_interval(2 * below + 1e-3, below)
    assert 2 < low < high < 2.001  # unpaired, the images' spread would show


def test_ratios_that_cannot_be_stated():
    assert ratio_interval([2.0, 4.0], [1.0, 2.0]) == (2.0, 2.0)
    assert ratio_interval([2.0, 4.0, math.nan], [1.0, 2.0, 3.0]) == (2.0, 2.0)
    assert all(math.isnan(v) for v in ratio_interval([1.0, 2.0], [0.0, 0.0]))
    assert all(math.isnan(v) for v in ratio_interval([1.0], [1.0]))


def test_wilcoxon_by_hand():
    """All of 6 differences positive: of 2^6 signs two are as extreme."""
    assert wilcoxon([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == pytest.approx(2 / 64)
    assert wilcoxon([-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, math.nan]) == pytest.approx(2 / 64)
    assert wilcoxon([0.0, 0.0, 0.0]) == 1
    assert math.isnan(wilcoxon([1.0]))


def test_holm_by_hand():
    """Sorted 0.01, 0.02, 0.04 times 3, 2, 1, never falling."""
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.6, 0.5]) == [1, 1]
    corrected = holm([0.01, math.nan, 0.04])
    assert corrected[::2] == pytest.approx([0.02, 0.04]) and math.isnan(corrected[1])
    assert holm([]) == []


@pytest.mark.parametrize("images", [20, 60, 1001])
def test_difference_intervals_are_scipys_one_by_one(images):
    rng = np.random.default_rng(6)
    first, second = rng.normal(30, 3, (2, 4, images))
    found = difference_intervals(first, second)
    for d, interval in zip(first - second, found, strict=True):
        theirs = stats.bootstrap((d,), np.mean, n_resamples=9999, rng=np.random.default_rng(0))
        assert interval == pytest.approx(theirs.confidence_interval, abs=1e-9)
        assert mean_interval(d) == pytest.approx(interval, abs=1e-9)


def test_difference_intervals_keep_images_paired():
    second = np.random.default_rng(7).uniform(10, 50, (1, 40))  # images differ by far
    first = second + np.random.default_rng(8).normal(0.2, 0.01, (1, 40))
    [[low, high]] = difference_intervals(first, second)
    assert 0.19 < low < 0.2 < high < 0.21


def test_equal_differences_give_one_point_and_single_images_nothing():
    found = difference_intervals([[2.0, 3.0, 4.0], [1.0, 5.0, 2.0]], [[1.0, 2.0, 3.0], [1, 1, 1]])
    assert found[0].tolist() == [1, 1]
    assert found[1, 0] < 5 / 3 < found[1, 1]
    assert np.isnan(difference_intervals([[1.0]], [[2.0]])).all()


def test_scale_does_not_matter_to_an_interval_of_few_values():
    """With few values many resamples tie with the sample: rounding must not break the ties."""
    values = np.array([0.1, 0.7, 0.3, 1.1, 0.2, 0.5])
    expected = np.array(mean_interval(values))
    for scale in (1e-6, 3.0, 1e6):
        assert np.array(mean_interval(values * scale)) / scale == pytest.approx(expected)
    assert mean_interval(values[::-1]) == pytest.approx(expected, abs=0.02)


def test_an_effect_by_hand():
    """Differences 1, 2, 3, 0 and -1: mean 1, deviation sqrt(2.5); 3 above 0 and a tie of 5."""
    found = effect([1.0, 2.0, 3.0, 0.0, -1.0, math.nan])
    assert (found.n, found.mean) == (5, 1)
    assert found.sd == pytest.approx(math.sqrt(2.5))
    assert found.dz == pytest.approx(1 / math.sqrt(2.5))
    assert found.share_better == pytest.approx(0.7)


def test_effects_that_cannot_be_stated():
    same = effect([0.0, 0.0, 0.0])
    assert (same.mean, same.sd, same.share_better) == (0, 0, 0.5)
    assert math.isnan(same.dz)
    one = effect([2.0])
    assert one.mean == 2 and math.isnan(one.sd) and math.isnan(one.dz)
    assert effect([]).n == 0


def test_a_spread_by_hand():
    """1, 2, 3: deviation 1, t(2) at 97.5 % is 4.3027."""
    found = spread([1.0, 2.0, 3.0])
    assert (found.n, found.mean, found.sd, found.minimum, found.maximum) == (3, 2, 1, 1, 3)
    assert (found.low, found.high) == pytest.approx(
        (2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4
    )


def test_a_spread_of_one_is_none():
    found = spread([30.0])
    assert (found.n, found.mean) == (1, 30)
    assert all(math.isnan(v) for v in (found.sd, found.low, found.high))


@pytest.mark.parametrize("published", [29.9, 30.0, 30.07, 30.4])
def test_equivalence_is_two_one_sided_t_tests(published):
    values = np.array([30.01, 30.05, 29.98, 30.02])
    found = equivalence(values, published, 0.1)
    above = stats.ttest_1samp(values, published - 0.1, alternative="greater").pvalue
    below = stats.ttest_1samp(values, published + 0.1, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below))
    mean = stats.ttest_1samp(values, published).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((mean.low - published, mean.high - published))


def test_equivalence_by_hand():
    """Mean 0.02, deviation 0.02, 4 values: s = 0.01; t1 = 12, t2 = -8, one-sided p at t(3) = 8."""
    a = 0.02 * math.sqrt(0.75)
    values = [0.02 - a, 0.02 - a, 0.02 + a, 0.02 + a]
    found = equivalence(values, 0.0, 0.1)
    assert found.difference == pytest.approx(0.02)
    assert found.p == pytest.approx(stats.t.sf(8, 3))
    assert (found.low, found.high) == pytest.approx((0.02 - 0.023534, 0.02 + 0.023534), abs=1e-6)
    assert found.inside and not found.outside


def lies(values, published) -> str:
    found = equivalence(values, published, 0.1)
    return "inside" if found.inside else "outside" if found.outside else "neither"


def test_a_mean_lies_inside_the_margin_outside_or_neither():
    values = [30.0, 30.02, 29.98]
    assert lies(values, 30.0) == "inside"
    assert lies(values, 30.5) == lies(values, 29.5) == "outside"
    assert lies([29.0, 31.0, 30.0], 30.0) == lies(values, 30.1) == "neither"


def test_one_value_is_no_test():
    found = equivalence([30.0], 30.0, 0.1)
    assert found.difference == 0 and math.isnan(found.p)
    assert not found.inside and not found.outside


def test_values_that_do_not_scatter_are_compared_as_they_are():
    assert lies([30.0, 30.0], 30.05) == "inside"
    assert lies([30.0, 30.0], 30.2) == "outside"


def test_equivalence_errs_as_seldom_as_it_promises():
    """At the margin itself one in twenty is found inside."""
    rng = np.random.default_rng(9)
    samples = rng.normal(0.1, 0.03, (2000, 5))
    found = sum(equivalence(x, 0.0, 0.1).inside for x in samples)
    assert 0.03 <= found / 2000 <= 0.07


@pytest.mark.parametrize(
    ("sd", "gap", "groups", "needed"),
    [
        # Quantiles of t at 0.95: 2.920 (2), 2.353 (3), 2.132 (4), 2.015 (5), 1.782 (12).
        (0.1, 0.17, 1, 3),  # 2.920 * 0.1 / sqrt(3) = 0.1686
        (0.1, 0.168, 1, 4),  # 2.353 * 0.1 / sqrt(4) = 0.1177
        (1.0, 0.5, 1, 13),  # 1.782 / sqrt(13) = 0.4943; with 12: 1.796 / sqrt(12) = 0.5184
        (1.0, 1.75, 2, 3),  # of each: 2.132 * sqrt(2 / 3) = 1.7407
        (1.0, 1.74, 2, 4),
        (0.0, 0.1, 1, 3),
        (1.0, 0.0, 1, None),  # at the limit itself
        (1.0, 0.01, 1, None),  # (1.645 / 0.01)^2 = 27,060
        (math.nan, 0.5, 1, None),
    ],
)
def test_the_number_of_values_that_would_decide(sd, gap, groups, needed):
    assert values_to_decide(sd, gap, least=3, groups=groups) == needed


def test_the_difference_of_two_networks_seeds_by_hand():
    found = seeds_difference([32, 33, 34], [31, math.inf])
    assert (found.first, found.second, found.freedom) == (3, 1, 2)
    assert (found.difference, found.sd) == (2, 1)
    low, high = found.interval(0.9)  # t(0.95, 2) = 2.919986
    assert (low, high) == pytest.approx((2 - 3.371709, 2 + 3.371709), abs=1e-5)
    assert math.isnan(seeds_difference([1], [2]).interval(0.9)[0])
    assert math.isnan(seeds_difference([], [2]).difference)


def test_seeds_are_told_from_networks_by_students_test():
    first, second = [20.0, 20.2, 20.6], [19.0, 19.4]
    assert seeds_p(first, second) == pytest.approx(
        stats.ttest_ind(first, second, equal_var=True).pvalue
    )
    # One seed against three: t = 1 / (0.1 sqrt(1 + 1/3)) with two degrees of freedom.
    t = 1 / (0.1 * (4 / 3) ** 0.5)
    by_hand = 1 - t / (t**2 + 2) ** 0.5
    assert seeds_p([21], [19.9, 20.0, 20.1]) == pytest.approx(by_hand)
    assert math.isnan(seeds_p([21], [20]))
    assert seeds_p([21, 21], [20, 20]) == 0 and seeds_p([1, 1], [1]) == 1


def test_many_intervals_at_once_are_those_one_by_one():
    rng = np.random.default_rng(3)
    samples = [rng.normal(size=8) * 10.0**k for k in range(-6, 7, 3)] + [rng.normal(5, 1, 3)]
    samples += [[2.0, 2.0, 2.0], [0.0, 0.0], [1.0], [], [1.0, math.nan, 3.0, math.inf]]
    one_by_one = np.array([mean_interval(sample) for sample in samples])
    np.testing.assert_allclose(mean_intervals(samples), one_by_one, rtol=1e-9)
    assert mean_intervals([]).shape == (0, 2)
