"""Verdicts follow from the results, and say what is missing."""

import pytest
from helpers import read_json
from judging import FULL, SCALES, SMALL, TRAIN, Results, at, judged, only

from derainbench.audit.verdicts import judge, write
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.papers import paper_names
from derainbench.catalog.verdicts import Outcome

PAPER = read_audited_paper("esdnet")


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A results folder that a test writes what it needs into."""
    monkeypatch.chdir(tmp_path)
    return Results(tmp_path)


def test_without_results_nothing_is_judged_but_what_needs_none(results):
    found = {v.claim: v for v in judge(results.config("smoke"), PAPER)}
    assert set(found) == {c.id for c in PAPER.ledger.all()}
    settled = {k for k, v in found.items() if v.verdict != Outcome.NOT_TESTABLE}
    assert settled == {"zero-first-epoch"}
    assert found["params-0.165M"].reason == "second-hand report: structure/models.csv is missing"
    assert found["comparable"].reason == "takes a paper or study configuration"


def test_another_number_of_parameters_contradicts_and_its_origin_is_named(results):
    results.write("structure/models.csv", [{"model": "esdnet", "parameters": 12_811_463}])
    verdict = only(judged(results.config("smoke"), "params-0.165M"))
    assert (verdict.verdict, verdict.measured) == (Outcome.CONTRADICTED, 12_811_463)
    assert "77.6 times" in verdict.reason and "thop" not in verdict.reason
    counted = [
        {"model": "esdnet", "counter": "thop", "parameters": 165_911},
        {"model": "esdnet", "counter": "ptflops", "parameters": 12_811_463},
        {"model": "esdnet", "counter": "torch", "parameters": None},
    ]
    results.write("crosscheck/crosscheck.csv", counted)
    reason = only(judged(results.config("smoke"), "params-0.165M")).reason
    assert "thop reports 165,911" in reason and "ptflops" not in reason
    results.write("structure/models.csv", [{"model": "esdnet", "parameters": 165_911}])
    assert only(judged(results.config("smoke"), "params-0.165M")).verdict == Outcome.REPRODUCED


@pytest.mark.parametrize(
    ("differences", "lower", "verdict"),
    [
        # t(0.95, 2) = 2.920 and a deviation of 0.01: half-width 0.0169.
        ((0.09, 0.1, 0.11), (0, 0, 0), Outcome.REPRODUCED),
        ((0.09, 0.1, 0.11), (3, 1, 2), Outcome.DEVIATES),  # lower at some depth, whatever the seed
        ((0.09, 0.1, 0.11), (3, 0, 2), Outcome.UNDECIDED),
        ((-0.09, -0.1, -0.11), (3, 3, 3), Outcome.CONTRADICTED),
        ((0.0, 0.01, 0.02), (0, 0, 0), Outcome.UNDECIDED),
        ((0.1, 0.1), (0, 0), Outcome.UNDECIDED),
        ((0.1,), (0,), Outcome.UNDECIDED),
    ],
)
@SCALES
def test_rain_spikes_hold_everywhere_partly_or_not(results, scale, differences, lower, verdict):
    for seed, (difference, depths) in enumerate(zip(differences, lower, strict=True)):
        results.write(f"spikes/own/seed-{seed}/spikes.json", rain(difference, depths))
    seeds = TRAIN | {"seeds": list(range(len(lower)))}
    kwargs = scale.get("kwargs", SMALL)
    own = {"model": "esdnet", "kwargs": kwargs, "train": seeds, "test": ["rain"]}
    found = only(judged(results.config(**scale, own=own), "rain-spikes"))
    assert (found.verdict, found.reading) == (at(scale, verdict), "own on rain")
    assert found.measured == pytest.approx(sum(differences) / len(differences))
    assert found.scaled_down is (scale != FULL)
    assert found.evidence[0] == "spikes/own/seed-0/spikes.json"
    assert len(found.evidence) == 2 * len(lower)


def rain(difference: float, lower: int) -> dict:
    whole = {"verdict": "higher", "firing_rate": 0.2, "firing_rate_other": 0.2 - difference,
             "difference": difference, "low": difference - 0.05, "high": difference + 0.05,
             "images": 60}  # fmt: skip
    depths = {"number": 19, "higher": 8, "lower": lower, "undecided": 11 - lower}
    return {"comparisons": {"counterpart": {"by_neuron": whole, "depths": depths}}}


def test_official_weights_fire_more_at_rain_by_the_interval_over_images(results):
    official = {"model": "esdnet", "weights": "w.safetensors", "test": ["rain"]}
    for difference, word in ((0.1, Outcome.REPRODUCED), (0.04, Outcome.UNDECIDED)):
        results.write("spikes/own/official/spikes.json", rain(difference, 0))
        found = only(judged(results.config("paper", own=official), "rain-spikes"))
        assert (found.verdict, found.low) == (word, pytest.approx(difference - 0.05))
        assert "over 60 images" in found.reason


@pytest.mark.parametrize(
    ("reached", "neurons", "verdict"),
    [(82, 17, Outcome.REPRODUCED), (81, 17, Outcome.CONTRADICTED), (82, 0, Outcome.CONTRADICTED)],
)
def test_training_is_direct_if_the_gradient_gets_everywhere_through_neurons(
    results, reached, neurons, verdict
):
    reach = {"model": "esdnet", "kwargs": {}, "neurons": neurons, "tensors": 82, "reached": reached,
             "spikingjelly": "2.0.0", "lif_arguments": ["tau"]}  # fmt: skip
    results.write("gradients/esdnet.json", reach)
    direct = only(judged(results.config("smoke"), "direct-training"))
    assert (direct.verdict, direct.measured) == (verdict, reached / 82)
    assert direct.evidence == ("gradients/esdnet.json", "runs/own/seed-1/history.csv")
    library = only(judged(results.config("smoke"), "no-released-library"))
    assert library.verdict == Outcome.REPRODUCED and "2.0.0" in library.reading
    results.write("gradients/esdnet.json", reach | {"lif_arguments": ["tau", "backend"]})
    library = only(judged(results.config("smoke"), "no-released-library"))
    assert library.verdict == Outcome.CONTRADICTED


def test_findings_about_analog_input_come_from_the_structure(results):
    layer = {"model": "esdnet", "layer": "x", "role": "layer"}
    results.write(
        "structure/layers.csv",
        [
            layer | {"input": "analog", "macs": 159.51e9},
            layer | {"input": "spikes", "macs": 300e9},
            layer | {"input": "analog", "macs": 1e9, "role": "attention"},
            layer | {"input": "unmeasured", "macs": 128.33e9, "model": "esdnet-ann"},
        ],
    )
    config = results.config("smoke")
    share, ratio = (
        only(judged(config, "analog-share")),
        only(judged(config, "analog-against-counterpart")),
    )
    assert (share.verdict, share.measured) == (Outcome.REPRODUCED, pytest.approx(159.51))
    assert (ratio.verdict, ratio.measured) == (Outcome.REPRODUCED, pytest.approx(159.51 / 128.33))


def test_the_selection_leak_is_read_from_monitored_histories(results):
    own = {"model": "esdnet", "kwargs": SMALL, "test": ["rain"]}
    config = results.config(own=own | {"train": TRAIN | {"monitor": True}})
    missing = only(judged(config, "selection-on-test"))
    assert missing.verdict == Outcome.NOT_TESTABLE and "history.csv: missing" in missing.reason
    scores = {"selection_psnr_rgb": [22.0, 21.0], "monitored_psnr_rgb": [20.0, 20.25]}
    results.write("runs/own/seed-1/history.csv", {"epoch": [0, 1], **scores})
    facts = {"selected_on": "val", "selection_pairs": 4}
    results.write(
        "runs/own/seed-1/training.json", facts | {"monitored_on": "test", "monitored_pairs": 6}
    )
    found = only(judged(config, "selection-on-test"))
    assert found.measured == 0.25 and "would gain +0.250 dB" in found.reason
    assert found.evidence == ("runs/own/seed-1/history.csv",)


def test_the_files_hold_every_claim_and_verdict(results, tmp_path):
    table = write(results.config("smoke"), tmp_path / "audit")
    content = read_json(tmp_path / "audit" / "claims.json")
    papers = {paper["paper"]: paper for paper in content["papers"]}
    assert list(papers) == paper_names()
    for name, paper in papers.items():
        ledger = read_audited_paper(name).ledger
        assert [c["id"] for c in paper["claims"]] == [c.id for c in ledger.all()]
        assert all(c["verdicts"] for c in paper["claims"])
        lines = sum(len(c["verdicts"]) for c in paper["claims"])
        assert (table["paper"] == name).sum() == lines
    assert set(table["paper"]) == set(papers)
    paper, table = papers["esdnet"], table[table["paper"] == "esdnet"]
    told = table.set_index("claim")["reason"]
    assert told["params-0.165M"].startswith("second-hand report: ")
    by_id = {c["id"]: c for c in paper["claims"]}
    assert by_id["params-0.165M"]["verdicts"][0]["reason"].startswith("second-hand report: ")
    numbers = table.set_index("claim")["published"]
    assert (
        numbers["energy-54"] == 0.54 and numbers[["analog-share", "zero-first-epoch"]].isna().all()
    )
    assert not told["zero-first-epoch"].startswith("second-hand")
    assert (tmp_path / "audit" / "claims.json.provenance.json").is_file()
