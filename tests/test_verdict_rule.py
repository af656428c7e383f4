"""The one rule for verdicts, on cases whose answer can be checked with a table of t quantiles.

Quantiles at 0.95: 6.314 (1 degree of freedom), 2.920 (2), 2.353 (3), 2.132 (4); 90 % intervals.
"""

import math

import pytest
from scipy import stats

from derainbench.audit.verdict_rule import LEAST, Sample, on_bound, on_count, on_number
from derainbench.catalog.verdicts import DECIDED, Outcome
from derainbench.statistics.equivalence import equivalence

REPRODUCED, DEVIATES, CONTRADICTED, UNDECIDED, NOT_TESTABLE = Outcome

# Scores of one to five seeds against 30 ± 0.5: word, and further seeds that would decide.
CASES = [
    # One seed tells of no scatter, wherever it lies.
    ([30.0], UNDECIDED, 2),
    ([25.0], UNDECIDED, 2),
    # Two: 30 -/+ 6.314 * 0.0141 / sqrt(2) = 0.063 lies inside, and fewer than three decide nothing.
    ([29.99, 30.01], UNDECIDED, 1),
    ([24.99, 25.01], UNDECIDED, 1),
    # 2.353 * 0.283 / sqrt(4) = 0.333; with three 2.920 * 0.283 / sqrt(3) = 0.477: both below 0.5.
    ([29.8, 30.2], UNDECIDED, 1),
    # Three: 2.920 * 0.1 / sqrt(3) = 0.169.
    ([29.9, 30.0, 30.1], REPRODUCED, None),
    ([30.2, 30.3, 30.4], REPRODUCED, None),  # up to 30.469
    ([30.25, 30.35, 30.45], UNDECIDED, 1),  # up to 30.519; four: 2.353 * 0.1 / 2 = 0.118 < 0.15
    ([30.4, 30.5, 30.6], UNDECIDED, None),  # at the limit: no number would do
    ([30.55, 30.65, 30.75], UNDECIDED, 1),  # from 30.481
    ([30.6, 30.7, 30.8], DEVIATES, None),  # from 30.531
    ([28.9, 29.0, 29.1], DEVIATES, None),
    # A scatter of 1: 2.920 / sqrt(3) = 1.686; 13 seeds give 1.782 / sqrt(13) = 0.494.
    ([29.0, 30.0, 31.0], UNDECIDED, 10),
    # Four, deviation 0.4: 2.353 * 0.4 / 2 = 0.471; 0.45: 0.529, and 2.132 * 0.45 / sqrt(5) = 0.429.
    ([30 + 0.4 * d for d in (-1.2247, 0, 0, 1.2247)], REPRODUCED, None),
    ([30 + 0.45 * d for d in (-1.2247, 0, 0, 1.2247)], UNDECIDED, 1),
    # Five, deviation 0.5: 2.132 * 0.5 / sqrt(5) = 0.477; 0.55: 0.524, and 2.015 * 0.55 / sqrt(6) = 0.452.
    ([30 + 0.5 * d for d in (-1.4142, 0, 0, 0, 1.4142)], REPRODUCED, None),
    ([30 + 0.55 * d for d in (-1.4142, 0, 0, 0, 1.4142)], UNDECIDED, 1),
    ([31.1 + 0.5 * d for d in (-1.4142, 0, 0, 0, 1.4142)], DEVIATES, None),  # from 30.62
]


@pytest.mark.parametrize(("seeds", "word", "more"), CASES)
def test_seeds_give_the_right_word_and_how_many_more_would(seeds, word, more):
    ruling = on_number([Sample.over("seed", seeds)], 30, 0.5, value=30)
    assert (ruling.outcome, ruling.more_seeds) == (word, more)


@pytest.mark.parametrize(("seeds", "word", "more"), [case for case in CASES if len(case[0]) > 2])
def test_the_word_is_that_of_two_one_sided_tests(seeds, word, more):
    tested = equivalence(seeds, 30, 0.5)
    above = stats.ttest_1samp(seeds, 29.5, alternative="greater").pvalue
    below = stats.ttest_1samp(seeds, 30.5, alternative="less").pvalue
    assert tested.p == pytest.approx(max(above, below))
    assert (word == REPRODUCED) == (tested.p < 0.05) == tested.inside
    assert (word == DEVIATES) == tested.outside
    sample = Sample.over("seed", seeds)
    assert (sample.low - 30, sample.high - 30) == pytest.approx((tested.low, tested.high))


def test_the_seeds_that_would_decide_do():
    """The deviation and mean of 3 seeds kept: with 12 they decide nothing, with 13 they do."""
    for number, word in ((12, UNDECIDED), (13, REPRODUCED)):
        half = math.sqrt((number - 1) / number)  # two halves so far from 30 deviate by 1
        seeds = [30 - half] * (number // 2) + [30 + half] * (number // 2) + [30.0] * (number % 2)
        scale = 1 / stats.tstd(seeds)
        seeds = [30 + (value - 30) * scale for value in seeds]
        assert on_number([Sample.over("seed", seeds)], 30, 0.5, value=30).outcome == word


def test_a_whole_set_scored_by_given_weights_leaves_the_difference():
    assert on_number([], 30, 0.5, value=30.5).outcome == REPRODUCED
    assert on_number([], 30, 0.5, value=30.51).outcome == DEVIATES
    assert on_number([], 0.5, 0.1, value=-0.1, directed=True).outcome == CONTRADICTED


@pytest.mark.parametrize(
    ("images", "word"),
    [
        ([29.9, 30.0, 30.1] * 4, REPRODUCED),  # t(0.95, 11) = 1.796: 0.044
        ([35, 36, 34] * 4, DEVIATES),
        ([25, 30, 35] * 4, UNDECIDED),
        ([30.0, 30.0], UNDECIDED),  # two images are no sample
    ],
)
def test_official_weights_are_tested_over_images_of_a_part(images, word):
    ruling = on_number([Sample.over("image", images, whole=200)], 30, 0.5, value=30)
    assert (ruling.outcome, ruling.more_seeds) == (word, None)


def test_images_that_would_decide_are_at_most_the_whole_set():
    few = Sample.over("image", [29, 30, 31], whole=200)
    assert "about 13 images would" in on_number([few], 30, 0.5, value=30).reason
    wild = Sample.over("image", [20, 30, 40], whole=200)  # 1,085 images
    reason = on_number([wild], 30, 0.5, value=30).reason
    assert "the whole published test set of 200 would" in reason


def test_seeds_and_images_must_agree():
    near, far = [29.9, 30.0, 30.1], [34.9, 35.0, 35.1]
    both = [Sample.over("seed", near), Sample.over("image", near)]
    assert on_number(both, 30, 0.5, value=30).outcome == REPRODUCED
    open_images = [Sample.over("seed", near), Sample.over("image", [25, 30, 35])]
    ruling = on_number(open_images, 30, 0.5, value=30)
    assert (ruling.outcome, ruling.more_seeds) == (UNDECIDED, None)
    apart = [Sample.over("seed", near), Sample.over("image", far)]
    assert "seeds and images do not agree" in on_number(apart, 30, 0.5, value=30).reason


@pytest.mark.parametrize(
    ("seeds", "directed", "word"),
    [
        ([0.53, 0.54, 0.55], True, REPRODUCED),
        ([0.19, 0.2, 0.21], True, DEVIATES),  # a smaller saving is one
        ([-0.21, -0.2, -0.19], True, CONTRADICTED),  # none at all
        ([-0.21, -0.2, -0.19], False, DEVIATES),
        ([-0.03, -0.01, 0.01], True, DEVIATES),  # up to +0.02: none, but not surely
    ],
)
def test_a_claim_with_a_direction_is_contradicted_where_that_is_refuted(seeds, directed, word):
    samples = [Sample.over("seed", seeds)]
    assert on_number(samples, 0.54, 0.02, value=0.5, directed=directed).outcome == word


@pytest.mark.parametrize(
    ("own", "other", "word", "more"),
    [
        # Not worse by more than 0.5; pooled deviation 0.1, t(0.95, 4) = 2.132: -/+ 0.174.
        ([29.9, 30.0, 30.1], [29.9, 30.0, 30.1], REPRODUCED, None),
        ([29.6, 29.7, 29.8], [29.9, 30.0, 30.1], REPRODUCED, None),  # -0.474
        ([29.5, 29.6, 29.7], [29.9, 30.0, 30.1], UNDECIDED, 4),  # 7: 1.782 * 0.1 * sqrt(2 / 7)
        ([29.0, 29.1, 29.2], [29.9, 30.0, 30.1], CONTRADICTED, None),
        ([29.9, 30.0, 30.1], [30.0], REPRODUCED, None),  # one seed of the other: 0.337
        ([29.9, 30.1], [29.9, 30.0, 30.1], UNDECIDED, 1),
        ([30.0], [30.0], UNDECIDED, 2),
    ],
)
def test_a_difference_of_two_networks_is_judged_over_seeds_of_both(own, other, word, more):
    ruling = on_bound([Sample.between_seeds(own, other)], -0.5)
    assert (ruling.outcome, ruling.more_seeds) == (word, more)


def test_a_count_is_another_one_or_it_is_not():
    assert on_count(True) == REPRODUCED and on_count(False) == CONTRADICTED


def test_three_words_decide_and_every_reason_names_what_it_was_held_against():
    assert (*DECIDED, UNDECIDED, NOT_TESTABLE) == tuple(Outcome)
    assert LEAST == 3
    for seeds, _, _ in CASES[2:]:
        if len(seeds) > 1:
            assert (
                "30.00 ± 0.50" in on_number([Sample.over("seed", seeds)], 30, 0.5, value=1).reason
            )
