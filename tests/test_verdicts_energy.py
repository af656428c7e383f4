"""Verdicts on claims about energy."""

import pytest
from judging import FULL, TRAIN, Results, judged

from derainbench.catalog.verdicts import Outcome


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A results folder that a test writes what it needs into."""
    monkeypatch.chdir(tmp_path)
    return Results(tmp_path)


def saving(scenario, baseline, fixed_share, break_even, **changes):
    return {
        "source": "structure", "model": "esdnet", "baseline": baseline, "baseline_title": baseline.upper(),
        "costs": "horowitz-45nm-fp32", "scenario": scenario, "reuse": False,
        "zero_skipping": False, "name": "esdnet", "dataset": None, "baseline_bits": None, "fixed_share": fixed_share, "break_even_rate": break_even,
        "saving": None, "firing_rate": None, "low": None, "high": None,
    } | changes  # fmt: skip


def test_the_saving_is_judged_under_every_scenario(results):
    rows = [
        # (a) saves 100 % without spikes and breaks even at 0.8: 54 % at 0.46 * 0.8.
        saving("a", "esdnet-ann", 0.0, 0.8),
        saving("a", "nafnet", 0.0, 0.1),
        saving("b", "esdnet-ann", 1.24, None),
        saving("b", "nafnet", 9.7, None),
        saving("c", "esdnet-ann", 0.7, 0.5),  # 30 % at most
        saving("c", "nafnet", 0.4, 0.9),  # 60 % at most
        saving("d", "esdnet-ann", 1.3, None),
        saving("d", "nafnet", 0.5, 0.9),  # 50 % at most
    ]
    results.write("scenarios/savings.csv", rows)
    found = judged(results.config("smoke"), "energy-54")
    assert [(v.reading[:12], v.verdict) for v in found] == [
        ("scenario (a)", Outcome.NOT_TESTABLE),
        ("scenario (a)", Outcome.NOT_TESTABLE),
        ("scenario (b)", Outcome.CONTRADICTED),
        ("scenario (b)", Outcome.CONTRADICTED),
        ("scenario (c)", Outcome.CONTRADICTED),
        ("scenario (c)", Outcome.NOT_TESTABLE),
        ("scenario (d)", Outcome.CONTRADICTED),
        ("scenario (d)", Outcome.CONTRADICTED),
    ]
    assert "met at a mean firing rate of 0.368 under horowitz-45nm-fp32;" in found[0].reason
    assert "nothing: 24% more" in found[2].reason
    assert "at most 30%" in found[4].reason
    assert all("no scores: structure only" in v.reason for v in found)
    assert found[5].reason.startswith(
        "some firing rate gives it against all of them under horowitz-45nm-fp32."
    )


def test_costs_that_nobody_states_are_all_tried(results):
    rows = [
        saving("a", "esdnet-ann", 0.0, 0.8),
        saving("a", "esdnet-ann", 0.0, 4.0, costs="other"),  # 54 % at 0.46 * 4: any rate
        saving("a", "esdnet-ann", 0.0, 0.4, reuse=True),
        saving("d", "nafnet", 0.6, 0.5),  # 40 % at most
        saving("d", "nafnet", 0.4, 0.5, costs="other"),  # 60 %
        saving("d", "nafnet", 0.1, 0.5, baseline_bits=2),
        saving("d", "nafnet", 0.1, 0.5, zero_skipping=True),
    ]
    results.write("scenarios/savings.csv", rows)
    counterpart, others = (v for v in judged(results.config("smoke"), "energy-54") if v.measured)
    assert (counterpart.verdict, counterpart.measured) == (Outcome.NOT_TESTABLE, 1)
    assert "met at a mean firing rate of 0.368 under horowitz-45nm-fp32" in counterpart.reason
    assert (
        "a mean firing rate of 0.184 to any firing rate over all 3 accounts" in counterpart.reason
    )
    assert (others.verdict, others.measured) == (Outcome.NOT_TESTABLE, pytest.approx(0.4))
    assert (
        "gives it against all of them under other; not under horowitz-45nm-fp32." in others.reason
    )
    results.write("scenarios/savings.csv", rows[:4])
    assert judged(results.config("smoke"), "energy-54")[-1].verdict == Outcome.CONTRADICTED


def measured(name, baseline, value, **changes):
    return saving(
        "a", baseline, 0.0, 0.8, source="measured", name=name, dataset="rain", saving=value, firing_rate=0.2,
        low=0, high=1, images=4, **changes,
    )  # fmt: skip


def compared(results, seeds=(1, 2), counterpart=(1,)):
    """The paper's network at full size over seeds, its counterpart and two other ANNs, all equal."""
    other = {"model": "nafnet", "train": TRAIN, "test": ["rain"]}
    own = {"model": "esdnet", "train": TRAIN | {"seeds": list(seeds)}, "test": ["rain"]}
    cp = {"model": "esdnet-ann", "train": TRAIN | {"seeds": list(counterpart)}, "test": ["rain"]}
    for run, of_run in (("own", seeds), ("cp", counterpart), ("x", [1]), ("y", [1])):
        for seed in of_run:
            results.scores(run, [28.0, 30.0], seed)
    return results.config(**FULL, own=own, cp=cp, x=other, y=other)


@pytest.mark.parametrize("counterpart", [[26.9, 28.9], [29.1, 31.1]])
def test_a_pair_of_unequal_quality_reproduces_no_saving(results, counterpart):
    rows = [measured("own/seed-1", "cp/seed-1", 0.54), measured("own/seed-1", "x/seed-1", 0.6)]
    results.write("scenarios/savings.csv", rows)
    config = compared(results)
    for run, psnr in (("own", [27.5, 29.5]), ("cp", counterpart), ("x", counterpart)):
        for seed in (1, 2) if run == "own" else (1,):
            results.scores(run, psnr, seed)
    found = [v for v in judged(config, "energy-54") if "rain" in v.reading]
    assert [v.verdict for v in found] == [Outcome.NOT_TESTABLE] * 2
    qualities = f"28.50 dB against {sum(counterpart) / 2:.2f} dB (esdnet)"
    assert all(qualities in v.reason and v.measured is None for v in found)
    # Without scores nothing is said either, but why.
    (results.folder / "scores" / "cp" / "seed-1" / "rain" / "per_image.csv").unlink()
    [first, _] = [v for v in judged(config, "energy-54") if "rain" in v.reading]
    assert first.verdict == Outcome.NOT_TESTABLE
    assert "no scores of cp/seed-1 on rain" in first.reason


@pytest.mark.parametrize(
    ("values", "verdict", "more"),
    [
        # t(0.95, 2) = 2.920: half-widths 2.920 * 0.01 / sqrt(3) = 0.017 and, below, 0.084.
        ((0.53, 0.54, 0.55), Outcome.REPRODUCED, None),
        ((0.2, 0.25, 0.3), Outcome.DEVIATES, None),
        ((-0.1, -0.15, -0.2), Outcome.CONTRADICTED, None),  # no saving at all, surely
        ((-0.05, 0.0, 0.05), Outcome.DEVIATES, None),  # perhaps a small one
        ((0.5, 0.54, 0.58), Outcome.UNDECIDED, 10),  # t(0.95, 12) * 0.04 / sqrt(13) = 0.0198
        ((0.53, 0.55), Outcome.UNDECIDED, 2),  # t(0.95, 3) * 0.01414 / sqrt(4) = 0.0166
        ((0.54,), Outcome.UNDECIDED, 2),
    ],
)
def test_with_full_training_the_measured_saving_counts_over_seeds(results, values, verdict, more):
    seeds = range(1, len(values) + 1)
    rows = [measured(f"own/seed-{i}", "cp/seed-1", v) for i, v in enumerate(values, 1)]
    results.write("scenarios/savings.csv", rows)
    config = compared(results, seeds)
    [found] = (v for v in judged(config, "energy-54") if "rain" in v.reading)
    assert (found.verdict, found.more_seeds) == (verdict, more)
    assert found.measured == pytest.approx(sum(values) / len(values))
    assert "29.00 dB against 29.00 dB (esdnet)" in found.reason
    if verdict == Outcome.REPRODUCED:  # shown: 95 %, t(0.975, 2) = 4.303
        half = 4.3027 * 0.01 / 3**0.5
        assert (found.low, found.high) == pytest.approx((0.54 - half, 0.54 + half), abs=1e-5)
    # A small network's saving is not the paper's.
    assert not [v for v in judged(results.config("paper"), "energy-54") if "rain" in v.reading]


def test_several_seeds_of_the_counterpart_are_no_further_seeds_of_the_network(results):
    rows = [
        measured("own/seed-1", f"cp/seed-{i}", value, baseline_title="ANN")
        for i, value in enumerate((0.53, 0.54, 0.55), 1)
    ]
    results.write("scenarios/savings.csv", rows)
    found = judged(compared(results, [1], [1, 2, 3]), "energy-54")[-1]
    assert (found.verdict, found.more_seeds) == (Outcome.UNDECIDED, 2)
    assert "one seed: the scatter is not known; 3 seeds at least" in found.reason


@pytest.mark.parametrize(
    ("x", "verdict", "reason"),
    [
        (
            (0.59, 0.6, 0.61),
            Outcome.NOT_TESTABLE,
            "that much or more against X; which ANN is meant",
        ),
        ((-0.1, -0.1, -0.1), Outcome.CONTRADICTED, "against none of them, at most -10% against X"),
        ((0.4, 0.6, 0.8), Outcome.UNDECIDED, "60% against X, at most; 90 % interval [26%, 94%]"),
    ],
)
def test_only_a_saving_against_no_ann_at_all_refutes_the_claim(results, x, verdict, reason):
    rows = [
        measured(f"own/seed-{i}", f"{run}/seed-1", value, baseline_title=run.upper())
        for run, values in (("x", x), ("y", (-3, -3, -3)))
        for i, value in enumerate(values, 1)
    ]
    results.write("scenarios/savings.csv", rows)
    others = judged(compared(results, [1, 2, 3]), "energy-54")[-1]
    assert others.verdict == verdict and reason in others.reason
    assert "against 2 other ANNs of equal quality" in others.reading


def test_official_weights_are_judged_by_the_interval_over_images(results):
    official = {"model": "esdnet", "weights": "w.safetensors", "test": ["rain"]}
    cp = {"model": "esdnet-ann", "train": TRAIN, "test": ["rain"]}
    row = measured("own/official", "cp/seed-1", 0.54) | {"images": 8, "high": 0.55}
    for run, seed in (("own", "official"), ("cp", 1)):
        results.scores(run, [28.0, 30.0], seed)
    config = results.config("paper", own=official, cp=cp)
    for low, verdict in ((0.53, Outcome.REPRODUCED), (0.4, Outcome.UNDECIDED)):
        results.write("scenarios/savings.csv", [row | {"low": low}])
        found = judged(config, "energy-54")[0]
        assert found.verdict == verdict and "95 % interval" in found.reason
