"""Intervals cover what they promise to cover."""

import math

import numpy as np
import pytest

from derainbench.audit.statistics import holm, mean_interval, ratio_interval, wilcoxon


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
