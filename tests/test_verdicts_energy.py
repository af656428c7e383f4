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
    assert found[5].reason.startswith("possible against all of them under horowitz-45nm-fp32.")


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
        "possible against all of them under other; not under horowitz-45nm-fp32." in others.reason
    )
    results.write("scenarios/savings.csv", rows[:4])
    assert judged(results.config("smoke"), "energy-54")[-1].verdict == Outcome.CONTRADICTED


def measured(name, baseline, value, **changes):
    return saving(
        "a", baseline, 0.0, 0.8, source="measured", name=name, dataset="rain", saving=value, firing_rate=0.2,
        low=0, high=1, **changes,
    )  # fmt: skip


def compared(results):
    """The paper's network at full size over two seeds, its counterpart and two other ANNs."""
    train = TRAIN | {"seeds": [1, 2]}
    other = {"model": "nafnet", "train": TRAIN, "test": ["rain"]}
    runs = {"cp": other | {"model": "esdnet-ann"}, "x": other, "y": other}
    own = {"model": "esdnet", "train": train, "test": ["rain"]}
    return results.config(**FULL, **runs, own=own)


@pytest.mark.parametrize("counterpart", [[26.9, 28.9], [29.1, 31.1]])
def test_a_pair_of_unequal_quality_reproduces_no_saving(results, counterpart):
    rows = [measured("own/seed-1", "cp/seed-1", 0.54), measured("own/seed-1", "x/seed-1", 0.6)]
    results.write("scenarios/savings.csv", rows)
    for run, psnr in (("own", [27.5, 29.5]), ("cp", counterpart), ("x", counterpart)):
        for seed in (1, 2) if run == "own" else (1,):
            results.scores(run, psnr, seed)
    found = [v for v in judged(compared(results), "energy-54") if "rain" in v.reading]
    assert [v.verdict for v in found] == [Outcome.NOT_TESTABLE] * 2
    qualities = f"28.50 dB against {sum(counterpart) / 2:.2f} dB (esdnet)"
    assert all(qualities in v.reason and v.measured is None for v in found)
    # Without scores nothing is said either, but why.
    (results.folder / "scores" / "cp" / "seed-1" / "rain" / "per_image.csv").unlink()
    [first, _] = [v for v in judged(compared(results), "energy-54") if "rain" in v.reading]
    assert first.verdict == Outcome.NOT_TESTABLE
    assert "no scores of cp/seed-1 on rain" in first.reason


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.5, 0.58), Outcome.REPRODUCED),
        ((0.2, 0.3), Outcome.DEVIATES),
        ((-0.1, -0.2), Outcome.CONTRADICTED),
    ],
)
def test_with_full_training_the_measured_saving_counts_over_seeds(results, values, verdict):
    rows = [measured(f"own/seed-{i}", "cp/seed-1", v) for i, v in enumerate(values, 1)]
    rows += [measured("own/seed-1", "x/seed-1", 0.6), measured("own/seed-1", "y/seed-1", -3)]
    results.write("scenarios/savings.csv", rows)
    trained = [("own", 1), ("own", 2), ("cp", 1), ("x", 1), ("y", 1)]
    for run, seed in trained:
        results.scores(run, [28.0, 30.0], seed)
    counterpart, others = (v for v in judged(compared(results), "energy-54") if "rain" in v.reading)
    assert (counterpart.verdict, counterpart.measured) == (verdict, pytest.approx(sum(values) / 2))
    assert counterpart.low < min(values) < max(values) < counterpart.high  # Student's, of two seeds
    assert "29.00 dB against 29.00 dB (esdnet)" in counterpart.reason
    assert (others.verdict, others.measured) == (Outcome.NOT_TESTABLE, 0.6)
    assert "that much or more against X/SEED-1; which ANN is meant is not stated" in others.reason
    results.write("scenarios/savings.csv", rows[:-2] + rows[-1:])
    others = judged(compared(results), "energy-54")[1]
    assert (others.verdict, others.measured) == (Outcome.CONTRADICTED, -3)
    # A small network's saving is not the paper's.
    assert not [v for v in judged(results.config("paper"), "energy-54") if "rain" in v.reading]
