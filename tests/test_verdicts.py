"""Verdicts follow from the results, and say what is missing."""

import json

import pandas as pd
import pytest
from helpers import read_json

from derainbench.audit import ledger, verdicts
from derainbench.audit.case import CONTRADICTED, DEVIATES, NOT_TESTABLE, REPRODUCED
from derainbench.config import parse

SMALL = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]}
TRAIN = {"dataset": "rain", "seeds": [1]}
BARE = {
    "model": "esdnet",
    "kwargs": SMALL | {"attentions": []},
    "train": TRAIN,
    "test": ["rain"],
    "ablation": {"of": "own", "part": "MAU"},
}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A configuration and its results folder, empty but for what a test writes."""
    monkeypatch.chdir(tmp_path)

    class Results:
        folder = tmp_path / "results" / "tiny"

        def config(self, label="study", kwargs=SMALL, **runs):
            own = {"model": "esdnet", "kwargs": kwargs, "train": TRAIN, "test": ["rain"]}
            return parse(
                {
                    "name": "tiny",
                    "label": label,
                    "title": "Tiny",
                    "data_root": "data",
                    "weights_root": "weights",
                    "datasets": {
                        "rain": {"kind": "synthetic", "rain": "heavy"},
                        "Rain200H": {"kind": "folder"},
                    },
                    "runs": {"own": own, **runs},
                    "figures": {"dataset": "rain"},
                },
                "test",
            )

        def write(self, name, rows):
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".json":
                file.write_text(json.dumps(rows))
            else:
                pd.DataFrame(rows).to_csv(file, index=False)

        def scores(self, run, psnr, seed=1, dataset="rain"):
            self.write(
                f"scores/{run}/seed-{seed}/{dataset}/per_image.csv",
                [
                    {"image": f"{i}.png", "protocol": "esdnet", "psnr": value, "ssim": 0.9,
                     "psnr_input": 20.0, "ssim_input": 0.5}
                    for i, value in enumerate(psnr)
                ],
            )  # fmt: skip

    return Results()


# The paper's network under the paper's training may be contradicted, a scaled-down one deviates.
FULL = {"label": "paper", "kwargs": {}}
SCALES = pytest.mark.parametrize(
    "scale",
    [FULL, {"label": "paper"}, {"label": "study", "kwargs": {}}, {}],
    ids=["paper", "paper-small", "study-full-size", "study"],
)


def at(scale, verdict):
    return DEVIATES if verdict == CONTRADICTED and scale != FULL else verdict


def judged(config, claim):
    return [v for v in verdicts.judge(config, "esdnet") if v.claim == claim]


def only(found):
    [verdict] = found
    return verdict


def test_without_results_nothing_is_judged_but_what_needs_none(results):
    found = {v.claim: v for v in verdicts.judge(results.config("smoke"), "esdnet")}
    assert set(found) == {c.id for c in ledger.load("esdnet").all()}
    settled = {k for k, v in found.items() if v.verdict != NOT_TESTABLE}
    assert settled == {"direct-training", "zero-first-epoch", "no-released-library"}
    assert found["params-0.165M"].reason == "structure/models.csv is missing"
    assert found["comparable"].reason.startswith("takes a configuration labelled paper or study")


def test_another_number_of_parameters_contradicts_and_its_origin_is_named(results):
    results.write("structure/models.csv", [{"model": "esdnet", "parameters": 12_811_463}])
    verdict = only(judged(results.config("smoke"), "params-0.165M"))
    assert (verdict.verdict, verdict.measured) == (CONTRADICTED, 12_811_463)
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
    assert only(judged(results.config("smoke"), "params-0.165M")).verdict == REPRODUCED


def saving(scenario, rival, fixed_share, break_even, **changes):
    return {
        "source": "structure", "model": "esdnet", "rival": rival, "rival_title": rival.upper(),
        "costs": "horowitz-45nm-fp32", "scenario": scenario, "reuse": False,
        "zero_skipping": False, "fixed_share": fixed_share, "break_even_rate": break_even,
        "saving": None, "rate": None, "low": None, "high": None,
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
        ("scenario (a)", NOT_TESTABLE),
        ("scenario (a)", NOT_TESTABLE),
        ("scenario (b)", CONTRADICTED),
        ("scenario (b)", CONTRADICTED),
        ("scenario (c)", CONTRADICTED),
        ("scenario (c)", NOT_TESTABLE),
        ("scenario (d)", CONTRADICTED),
        ("scenario (d)", CONTRADICTED),
    ]
    assert "at a mean firing rate of 0.368;" in found[0].reason
    assert "nothing: 24% more" in found[2].reason
    assert "at most 30%" in found[4].reason
    assert found[5].reason.startswith("possible against NAFNET;")


def test_with_full_training_the_measured_saving_counts(results):
    rows = [saving("a", "esdnet-ann", 0.0, 0.8)]
    for value, rival in ((0.55, "x"), (0.2, "y"), (-0.1, "z")):
        rows.append(
            saving("a", rival, 0.0, 0.8, source="measured", saving=value, rate=0.2, low=0, high=1)
        )
    results.write("scenarios/savings.csv", rows)
    found = [v for v in judged(results.config("paper"), "energy-54") if v.measured is not None]
    assert [v.verdict for v in found] == [REPRODUCED, DEVIATES, CONTRADICTED]


@pytest.mark.parametrize(
    ("own", "verdict"),
    [([30, 31, 33], REPRODUCED), ([25, 26, 28], CONTRADICTED), ([29, 33, 29], DEVIATES)],
)
@SCALES
def test_comparable_means_not_worse_than_the_best_trained_alike(results, scale, own, verdict):
    rival = {"model": "prn_r", "train": TRAIN, "test": ["rain"]}
    longer = rival | {"train": TRAIN | {"set": {"epochs": 999}}}
    config = results.config(**scale, good=rival, bad=rival, longer=longer)
    results.scores("own", own)
    results.scores("good", [30, 31, 32.5])
    results.scores("bad", [10, 11, 12])
    results.scores("longer", [40, 41, 42])
    found = only(judged(config, "comparable"))
    assert found.verdict == at(scale, verdict)
    assert found.reason.startswith("scaled down: ") is (scale != FULL)
    assert "best of 2 ANNs trained alike (good)" in found.reason
    assert found.measured == pytest.approx(sum(own) / 3 - 93.5 / 3)


def test_another_recipe_is_trained_alike_and_another_budget_of_the_same_is_not(results):
    rival = {"model": "prn_r", "train": TRAIN | {"recipe": "prenet"}, "test": ["rain"]}
    results.scores("own", [30, 31, 32])
    results.scores("other", [31, 32, 33])
    assert only(judged(results.config(other=rival), "comparable")).measured == pytest.approx(-1)
    rival["train"] = TRAIN | {"set": {"epochs": 999}}
    found = only(judged(results.config(other=rival), "comparable"))
    assert (found.verdict, found.measured) == (NOT_TESTABLE, None)
    assert "no ANN was trained on the same data" in found.reason


@pytest.mark.parametrize(
    ("with_part", "verdict"),
    [([31, 32, 33.1], REPRODUCED), ([29, 30, 31], CONTRADICTED), ([29, 33, 32], DEVIATES)],
)
@SCALES
def test_an_ablation_compares_the_same_network_with_and_without(results, scale, with_part, verdict):
    assert "no ablation of esdnet" in only(judged(results.config(), "mau-helps")).reason
    kwargs = scale.get("kwargs", SMALL) | {"attentions": []}
    config = results.config(**scale, bare=BARE | {"kwargs": kwargs})
    results.scores("own", with_part)
    results.scores("bare", [30, 31, 32])
    found = only(judged(config, "mau-helps"))
    assert found.verdict == at(scale, verdict) and "one seed" in found.reason
    assert found.measured == pytest.approx(sum(with_part) / 3 - 31)


def test_a_difference_below_what_seeds_make_decides_nothing(results):
    config = results.config(
        own={"model": "esdnet", "kwargs": SMALL, "test": ["rain"],
             "train": TRAIN | {"seeds": [1, 2]}},
        bare=BARE,
    )  # fmt: skip
    results.scores("own", [31, 32, 33])
    results.scores("bare", [30, 31, 32])
    results.scores("own", [29, 30, 31], seed=2)
    found = only(judged(config, "mau-helps"))
    # Of seed 1 alone, which both have; the seeds differ by 2 dB.
    assert (found.verdict, found.measured) == (DEVIATES, pytest.approx(1))
    assert "means of its 2 seeds lie within 2.00 dB" in found.reason
    results.scores("own", [30.5, 31.5, 32.5], seed=2)
    assert only(judged(config, "mau-helps")).verdict == REPRODUCED


@pytest.mark.parametrize(
    ("kwargs", "counts"),
    [({}, True), ({"dim": 48, "en_num_blocks": [4, 4, 8], "T": 4}, True), (SMALL, False)],
)
def test_scores_of_the_paper_are_held_against_the_full_network_alone(results, kwargs, counts):
    run = {"model": "esdnet", "kwargs": kwargs, "train": TRAIN, "test": ["Rain200H"]}
    config = results.config("paper", own=run)
    results.scores("own", [29.8, 30.1], dataset="Rain200H")
    found = only(judged(config, "rain200h-psnr-main"))
    assert found.verdict == (REPRODUCED if counts else NOT_TESTABLE)


@SCALES
def test_a_gap_between_two_scores_is_sought_in_protocol_seed_and_choice_of_epoch(results, scale):
    assert (
        "no run of the network is tested on Rain200H"
        in only(judged(results.config(**scale), "rain200h-30-against-29")).reason
    )
    own = {"model": "esdnet", "kwargs": scale.get("kwargs", SMALL), "test": ["Rain200H"],
           "train": TRAIN | {"seeds": [1, 2], "monitor": True}}  # fmt: skip
    config = results.config(**scale, own=own)
    rows = {"image": "0.png", "ssim": 0.9, "psnr_input": 20.0, "ssim_input": 0.5}
    for seed, (luma, rgb) in enumerate(((30.0, 28.5), (30.4, 28.9)), start=1):
        results.write(
            f"scores/own/seed-{seed}/Rain200H/per_image.csv",
            [rows | {"protocol": "esdnet", "psnr": luma}, rows | {"protocol": "rgb", "psnr": rgb}],
        )
    found = judged(config, "rain200h-30-against-29")
    assert [v.reading for v in found] == ["another protocol: own", "another seed: own"]
    assert [v.measured for v in found] == pytest.approx([1.5, 0.4])
    assert [v.verdict for v in found] == [REPRODUCED, DEVIATES]
    assert "the same images score 28.70 dB under rgb and 30.20 dB under esdnet" in found[0].reason
    assert found[0].reason.endswith(": enough to explain the gap alone")
    assert found[0].reason.startswith("scaled down: ") is (scale != FULL)
    scores = {"selection_psnr_rgb": [22.0, 21.0], "monitored_psnr_rgb": [20.0, 20.6]}
    facts = {"selected_on": "val", "selection_pairs": 4, "monitored_on": "test"}
    for seed in (1, 2):
        results.write(f"runs/own/seed-{seed}/history.csv", {"epoch": [0, 1], **scores})
        results.write(f"runs/own/seed-{seed}/training.json", facts | {"monitored_pairs": 6})
    leak = judged(config, "rain200h-30-against-29")[2]
    assert leak.reading == "the epoch chosen on the test images: own"
    assert (leak.verdict, leak.measured) == (REPRODUCED, pytest.approx(0.6))
    assert "in 2 trainings" in leak.reason


@pytest.mark.parametrize(
    ("overall", "lower", "verdict"),
    [("higher", 0, REPRODUCED), ("higher", 3, DEVIATES), ("undecided", 0, CONTRADICTED)],
)
@SCALES
def test_rain_spikes_hold_everywhere_partly_or_not(results, scale, overall, lower, verdict):
    whole = {"verdict": overall, "rate": 0.2, "rate_other": 0.1, "difference": 0.1, "low": 0.05,
             "high": 0.15}  # fmt: skip
    depths = {"number": 19, "higher": 8, "lower": lower, "undecided": 11 - lower}
    content = {"comparisons": {"counterpart": {"by_neuron": whole, "depths": depths}}}
    results.write("spikes/own/seed-1/spikes.json", content)
    found = only(judged(results.config(**scale), "rain-spikes"))
    assert (found.verdict, found.low, found.high) == (at(scale, verdict), 0.05, 0.15)


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
    share, ratio = only(judged(config, "analog-share")), only(judged(config, "analog-against-twin"))
    assert (share.verdict, share.measured) == (REPRODUCED, pytest.approx(159.51))
    assert (ratio.verdict, ratio.measured) == (REPRODUCED, pytest.approx(159.51 / 128.33))


def test_the_selection_leak_is_read_from_monitored_histories(results):
    own = {"model": "esdnet", "kwargs": SMALL, "test": ["rain"]}
    config = results.config(own=own | {"train": TRAIN | {"monitor": True}})
    missing = only(judged(config, "selection-on-test"))
    assert missing.verdict == NOT_TESTABLE and "history.csv: missing" in missing.reason
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
    table = verdicts.write(results.config("smoke"), tmp_path / "audit")
    content = read_json(tmp_path / "audit" / "claims.json")
    [paper] = content["papers"]
    assert [c["id"] for c in paper["claims"]] == [c.id for c in ledger.load("esdnet").all()]
    assert all(c["verdicts"] for c in paper["claims"])
    assert len(table) == sum(len(c["verdicts"]) for c in paper["claims"])
    told = table.set_index("claim")["reason"]
    assert told["params-0.165M"].startswith("second-hand report: ")
    assert not told["zero-first-epoch"].startswith("second-hand")
    assert (tmp_path / "audit" / "claims.json.provenance.json").is_file()
