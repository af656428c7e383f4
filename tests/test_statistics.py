"""Intervals cover what they promise to cover."""

import math

import numpy as np
import pytest

from derainbench.audit.statistics import mean_interval


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
