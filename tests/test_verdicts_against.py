"""Verdicts on claims that hold a network against another one that is named."""

import pytest
from judging import SMALL, TRAIN, Results, judged, only

from derainbench.catalog.verdicts import Outcome


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A results folder that a test writes what it needs into."""
    monkeypatch.chdir(tmp_path)
    return Results(tmp_path)


def energy(model, fixed, slope, scenario="b", costs="horowitz-45nm-fp32", reuse=False):
    return {
        "source": "structure", "model": model, "scenario": scenario, "costs": costs,
        "reuse": reuse, "zero_skipping": False, "fixed_mj": fixed, "slope_mj": slope,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("vlif", "esdnet", "verdict", "least"),
    [
        # 1.3 at least against 10 at most.
        ((1.3, 5.0), (2.0, 8.0), Outcome.NOT_TESTABLE, 0.13),
        # 1.4 of 10, and no fewer spikes than none.
        ((1.4, 5.0), (2.0, 8.0), Outcome.CONTRADICTED, 0.14),
        # Always cheaper than claimed: 0.5 of 10 at most.
        ((0.2, 0.3), (10.0, 1.0), Outcome.CONTRADICTED, 0.5 / 10),
        # Two networks on spikes alone: any share.
        ((0.0, 5.0), (0.0, 8.0), Outcome.NOT_TESTABLE, 0.0),
    ],
)
def test_a_share_of_another_networks_energy(results, vlif, esdnet, verdict, least):
    rows = [energy("vlif", *vlif), energy("esdnet", *esdnet), energy("nafnet", 1.0, 0.0)]
    results.write("scenarios/energy.csv", rows)
    found = only(judged(results.config("smoke"), "energy-13", "vlif"))
    assert found.verdict == verdict
    assert found.measured == pytest.approx(least)
    assert found.reading.startswith("scenario (b)") and found.reading.endswith("against ESDNet")


def test_an_energy_is_contradicted_only_where_no_account_allows_it(results):
    rows = [energy("vlif", 5.0, 1.0), energy("esdnet", 2.0, 2.0)]
    rows += [energy("vlif", 0.5, 1.0, reuse=True), energy("esdnet", 2.0, 2.0, reuse=True)]
    results.write("scenarios/energy.csv", rows)
    found = only(judged(results.config("smoke"), "energy-13", "vlif"))
    assert found.verdict == Outcome.NOT_TESTABLE
    assert "1 of 2 accounts" in found.reason
    assert found.measured == pytest.approx(5 / 4)


def sizes(counter, model, size, macs, parameters=None):
    return {
        "model": model, "counter": counter, "version": "1", "size": f"{size}x{size}",
        "macs": macs, "parameters": parameters,
    }  # fmt: skip


COUNTS = [  # of the authors' networks: 2.4 and 1.4 times fewer, under another counter 40 % fewer
    *(sizes("thop", "esdnet", s, 7.3204e9 * (s / 256) ** 2, 165_911) for s in (128, 256)),
    *(sizes("thop", "spikerain", s, 3.2308e9 * (s / 256) ** 2, 99_268) for s in (128, 256)),
    *(sizes("torch", "esdnet", s, 492.31e9 * (s / 256) ** 2) for s in (128, 256)),
    *(sizes("torch", "spikerain", s, 277.06e9 * (s / 256) ** 2) for s in (128, 256)),
]
MODELS = [
    {"model": "esdnet", "parameters": 12_811_463, "gmacs": 492.31},
    {"model": "spikerain", "parameters": 4_434_392, "gmacs": 277.06},
]


def test_parameters_are_fewer_than_claimed_and_the_likely_counter_is_found(results):
    results.write("structure/models.csv", MODELS)
    results.write("crosscheck/crosscheck-sizes.csv", COUNTS)
    found = only(judged(results.config("smoke"), "params-40", "spikerain"))
    assert found.verdict == Outcome.CONTRADICTED
    assert found.measured == pytest.approx(1 - 4_434_392 / 12_811_463)
    assert "65.4% fewer: 4,434,392 against 12,811,463" in found.reason
    assert (
        "others' counts, 1 tried: those of thop give 40.17% (99,268 against 165,911)."
        in found.reason
    )
    assert "A coincidence of numbers" in found.reason


def test_flops_are_found_at_two_sizes_of_image(results):
    results.write("structure/models.csv", MODELS)
    results.write("crosscheck/crosscheck-sizes.csv", COUNTS)
    found = only(judged(results.config("smoke"), "flops-88.96", "spikerain"))
    assert found.verdict == Outcome.CONTRADICTED
    assert "43.7% fewer at 256x256: 277.06 against 492.31 GMACs" in found.reason
    assert (
        "others' counts, 8 tried: those of thop at 128x128 against 256x256 give 88.97% "
        "(0.8077 against 7.3204 G). A coincidence of numbers"
    ) in found.reason


def test_a_true_count_needs_no_other(results):
    models = [MODELS[0], MODELS[1] | {"parameters": 12_811_463 * 0.6}]
    results.write("structure/models.csv", models)
    found = only(judged(results.config("smoke"), "params-40", "spikerain"))
    assert found.verdict == Outcome.REPRODUCED and "coincidence" not in found.reason


def test_nobody_elses_count_gives_it_either(results):
    results.write("structure/models.csv", MODELS)
    others = [row for row in COUNTS if row["counter"] == "torch"]
    results.write("crosscheck/crosscheck-sizes.csv", others)
    found = only(judged(results.config("smoke"), "flops-88.96", "spikerain"))
    assert "others' counts, 4 tried: none gives the published share" in found.reason


SEEDS = TRAIN | {"seeds": [1, 2, 3]}
FOUR = {"dim": 16, "en_num_blocks": [1] * 4, "de_num_blocks": [1] * 4}


def two_networks(results, vlif, esdnet, budget=SEEDS):
    of_vlif = {"model": "vlif", "kwargs": FOUR, "train": SEEDS, "test": ["rain"]}
    own = {"model": "esdnet", "kwargs": SMALL, "train": budget, "test": ["rain"]}
    for run, psnr in (("v", vlif), ("own", esdnet)):
        for seed in (1, 2, 3):
            results.scores(run, [value + 0.05 * seed for value in psnr], seed)
    results.write("structure/arguments.json", {"esdnet": {}, "vlif": {}})
    return results.config(own=own, v=of_vlif)


@pytest.mark.parametrize(
    ("vlif", "verdict"),
    [
        ([30.0, 31.0, 32.0], Outcome.REPRODUCED),
        ([27.0, 28.0, 29.0], Outcome.DEVIATES),  # a small network contradicts no paper
        ([25.0, 30.0, 34.0], Outcome.UNDECIDED),
    ],
)
def test_outperforming_takes_one_budget_and_every_sample(results, vlif, verdict):
    config = two_networks(results, vlif, [29.0, 30.0, 31.0])
    found = only(judged(config, "better-than-snn", "vlif"))
    assert found.verdict == verdict and found.scaled_down
    assert "trained under the same budget (3 seeds against 3 seeds" in found.reason


def test_two_lengths_of_training_are_not_compared(results):
    longer = SEEDS | {"set": {"epochs": 999}}
    config = two_networks(results, [30.0, 31.0, 32.0], [29.0, 30.0, 31.0], longer)
    found = only(judged(config, "better-than-snn", "vlif"))
    assert found.verdict == Outcome.NOT_TESTABLE
    assert "were not trained under one budget" in found.reason


def test_what_nobody_tests_says_why(results):
    found = only(judged(results.config("smoke"), "high-pass", "vlif"))
    assert found.verdict == Outcome.NOT_TESTABLE and "frequency response" in found.reason
