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
    assert found["params-0.165M"].reason == "second-hand report: structure/models.csv is missing"
    assert found["comparable"].reason == "takes a paper or study configuration"


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
        "zero_skipping": False, "name": "esdnet", "dataset": None, "rival_bits": None, "fixed_share": fixed_share, "break_even_rate": break_even,
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
    assert "met at a mean firing rate of 0.368 under horowitz-45nm-fp32;" in found[0].reason
    assert "nothing: 24% more" in found[2].reason
    assert "at most 30%" in found[4].reason
    assert found[5].reason.startswith("possible against all of them under horowitz-45nm-fp32.")


def test_costs_that_nobody_states_are_all_tried(results):
    rows = [
        saving("a", "esdnet-ann", 0.0, 0.8),
        saving("a", "esdnet-ann", 0.0, 4.0, costs="other"),  # 54 % at 0.46 * 4: any rate
        saving("a", "esdnet-ann", 0.0, 0.4, reuse=True),
        saving("d", "nafnet", 0.6, 0.5),  # 40 % at most
        saving("d", "nafnet", 0.4, 0.5, costs="other"),  # 60 %
        saving("d", "nafnet", 0.1, 0.5, rival_bits=2),
        saving("d", "nafnet", 0.1, 0.5, zero_skipping=True),
    ]
    results.write("scenarios/savings.csv", rows)
    twin, others = (v for v in judged(results.config("smoke"), "energy-54") if v.measured)
    assert (twin.verdict, twin.measured) == (NOT_TESTABLE, 1)
    assert "met at a mean firing rate of 0.368 under horowitz-45nm-fp32" in twin.reason
    assert "a mean firing rate of 0.184 to any firing rate over all 3 accounts" in twin.reason
    assert (others.verdict, others.measured) == (NOT_TESTABLE, pytest.approx(0.4))
    assert (
        "possible against all of them under other; not under horowitz-45nm-fp32." in others.reason
    )
    results.write("scenarios/savings.csv", rows[:4])
    assert judged(results.config("smoke"), "energy-54")[-1].verdict == CONTRADICTED


def measured(name, rival, value, **changes):
    return saving(
        "a", rival, 0.0, 0.8, source="measured", name=name, dataset="rain", saving=value, rate=0.2,
        low=0, high=1, **changes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "verdict"),
    [((0.5, 0.58), REPRODUCED), ((0.2, 0.3), DEVIATES), ((-0.1, -0.2), CONTRADICTED)],
)
def test_with_full_training_the_measured_saving_counts_over_seeds(results, values, verdict):
    rows = [measured(f"own/seed-{i}", "esdnet-ann", v) for i, v in enumerate(values)]
    rows += [measured("own/seed-1", "x", 0.6), measured("own/seed-1", "y", -3)]
    results.write("scenarios/savings.csv", rows)
    twin, others = (v for v in judged(results.config(**FULL), "energy-54") if "rain" in v.reading)
    assert (twin.verdict, twin.measured) == (verdict, pytest.approx(sum(values) / 2))
    assert twin.low < min(values) < max(values) < twin.high  # Student's, of two seeds
    assert (others.verdict, others.measured) == (NOT_TESTABLE, 0.6)
    assert "that much or more against X; which ANN is meant is not stated" in others.reason
    results.write("scenarios/savings.csv", rows[:-2] + rows[-1:])
    others = judged(results.config(**FULL), "energy-54")[1]
    assert (others.verdict, others.measured) == (CONTRADICTED, -3)
    # A small network's saving is not the paper's.
    assert not [v for v in judged(results.config("paper"), "energy-54") if "rain" in v.reading]


@pytest.mark.parametrize(
    ("own", "verdict"),
    [([30, 31, 33], REPRODUCED), ([25, 26, 28], CONTRADICTED), ([29, 33, 29], NOT_TESTABLE)],
)
@SCALES
def test_comparable_means_not_worse_than_the_best_on_the_same_data(results, scale, own, verdict):
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
    assert "against good, the best of 2 ANN(s) trained on the same data (one seed" in found.reason
    assert "SSIM +0.0000 [+0.0000, +0.0000]" in found.reason
    assert ("undecided: " in found.reason) is (verdict == NOT_TESTABLE)
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
    [([31, 32, 33.1], REPRODUCED), ([29, 30, 31], CONTRADICTED), ([29, 33, 32], NOT_TESTABLE)],
)
@SCALES
def test_an_ablation_compares_the_same_network_with_and_without(results, scale, with_part, verdict):
    assert "no ablation of esdnet" in only(judged(results.config(), "mau-helps")).reason
    kwargs = scale.get("kwargs", SMALL)
    seeds = TRAIN | {"seeds": [1, 2]}
    own = {"model": "esdnet", "kwargs": kwargs, "test": ["rain"], "train": seeds}
    bare = BARE | {"kwargs": kwargs | {"attentions": []}, "train": seeds}
    config = results.config(**scale, own=own, bare=bare)
    for seed in (1, 2):
        results.scores("own", [value + seed / 100 for value in with_part], seed)
        results.scores("bare", [30, 31, 32], seed)
    found = only(judged(config, "mau-helps"))
    assert found.verdict == at(scale, verdict) and "2 seeds against 2 seeds" in found.reason
    assert found.measured == pytest.approx(sum(with_part) / 3 + 0.015 - 31)


def test_one_seed_each_decides_no_ablation(results):
    results.scores("own", [31, 32, 33.1])
    results.scores("bare", [30, 31, 32])
    found = only(judged(results.config(bare=BARE), "mau-helps"))
    assert found.verdict == NOT_TESTABLE and "one seed each: what another" in found.reason


def test_a_difference_that_seeds_make_too_decides_nothing(results):
    config = results.config(
        own={"model": "esdnet", "kwargs": SMALL, "test": ["rain"],
             "train": TRAIN | {"seeds": [1, 2, 3]}},
        bare=BARE,
    )  # fmt: skip
    for seed, shift in enumerate((0, 1, 2), start=1):
        results.scores("own", [31 + shift, 32 + shift, 33 + shift], seed)
    results.scores("bare", [30, 31, 32])
    found = only(judged(config, "mau-helps"))
    # Means 32, 33, 34 against 31: t = 2 / sqrt(4/3) with two degrees of freedom, p = 0.225.
    assert (found.verdict, found.measured) == (NOT_TESTABLE, pytest.approx(2))
    assert "3 seeds against one seed, p = 0.225 over seeds" in found.reason
    for seed in (1, 2, 3):
        results.scores("own", [33, 34, 35 + seed / 100], seed)
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
    own = config.runs["own"].model_copy(update={"train": config.runs["own"].train.model_copy(
        update={"set": {"epochs": 1}})})  # fmt: skip
    shorter = config.model_copy(update={"runs": {"own": own}})
    assert only(judged(shorter, "rain200h-psnr-main")).verdict == NOT_TESTABLE


def test_scores_over_seeds_have_students_interval(results):
    run = {"model": "esdnet", "train": TRAIN | {"seeds": [1, 2, 3]}, "test": ["Rain200H"]}
    config = results.config("paper", own=run)
    for seed, value in enumerate((29.5, 30.0, 30.4), start=1):
        results.scores("own", [value], seed, dataset="Rain200H")
    found = only(judged(config, "rain200h-psnr-main"))
    assert (found.low, found.high) == (
        pytest.approx(28.85, abs=0.01),
        pytest.approx(31.09, abs=0.01),
    )


def test_official_weights_are_judged_as_the_papers_network(results):
    official = {"model": "esdnet", "weights": "esdnet.safetensors", "test": ["Rain200H"]}
    config = results.config("study", own=official)
    results.write(
        "scores/own/official/Rain200H/per_image.csv",
        [{"image": "0.png", "protocol": p, "psnr": 30.1, "ssim": 0.9, "psnr_input": 13.0,
          "ssim_input": 0.4} for p in ("esdnet", "matlab-uint8", "rgb")],
    )  # fmt: skip
    [*found, last] = judged(config, "rain200h-30-against-29")
    assert "scaled down" not in last.reason and len(found) == 1
    paper = config.model_copy(update={"label": "paper"})
    assert only(judged(paper, "rain200h-psnr-main")).verdict == REPRODUCED


@SCALES
def test_a_gap_between_two_scores_is_sought_in_protocol_seed_and_choice_of_epoch(results, scale):
    assert (
        "no run of the network is tested on Rain200H"
        in only(judged(results.config(**scale), "rain200h-30-against-29")).reason
    )
    own = {"model": "esdnet", "kwargs": scale.get("kwargs", SMALL), "test": ["Rain200H"],
           "train": TRAIN | {"seeds": [1, 2], "monitor": True}}  # fmt: skip
    config = results.config(**scale, own=own)
    row = {"image": "0.png", "ssim": 0.9, "psnr_input": 20.0, "ssim_input": 0.5}
    for seed, shift in ((1, 0), (2, 0.4)):
        psnr = {"esdnet": 30.0, "matlab-uint8": 29.9, "matlab-double": 29.95, "rgb": 28.5}
        results.write(
            f"scores/own/seed-{seed}/Rain200H/per_image.csv",
            [row | {"protocol": name, "psnr": value + shift} for name, value in psnr.items()],
        )
    ways = ["another protocol on Y: own", "RGB in place of Y: own", "another seed: own"]
    found = judged(config, "rain200h-30-against-29")
    assert [v.reading for v in found] == ways
    assert [v.measured for v in found] == pytest.approx([0.1, 1.5, 0.4])
    assert {v.verdict for v in found} == {NOT_TESTABLE}
    assert [v.reason.rpartition(": alone it ")[2] for v in found] == [
        "could not explain the gap", "could explain the gap", "could not explain the gap",
    ]  # fmt: skip
    assert "the same images score 28.70 dB under rgb and 30.20 dB under esdnet" in found[1].reason
    assert "second-hand report: scaled down: " in found[1].reason or scale == FULL
    scores = {"selection_psnr_rgb": [22.0, 21.0], "monitored_psnr_rgb": [20.0, 20.6]}
    facts = {"selected_on": "val", "selection_pairs": 4, "monitored_on": "test"}
    for seed in (1, 2):
        results.write(f"runs/own/seed-{seed}/history.csv", {"epoch": [0, 1], **scores})
        results.write(f"runs/own/seed-{seed}/training.json", facts | {"monitored_pairs": 6})
    leak = judged(config, "rain200h-30-against-29")[3]
    assert leak.reading == "the epoch chosen on the test images: own"
    assert leak.measured == pytest.approx(0.6)
    assert "0.60 dB of RGB PSNR of central crops, 2 seeds" in leak.reason


@pytest.mark.parametrize(
    ("overall", "lower", "verdict"),
    [
        ("higher", 0, REPRODUCED),
        ("higher", 3, DEVIATES),
        ("lower", 3, CONTRADICTED),
        ("undecided", 0, NOT_TESTABLE),
    ],
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
    by_id = {c["id"]: c for c in paper["claims"]}
    assert by_id["params-0.165M"]["verdicts"][0]["reason"].startswith("second-hand report: ")
    numbers = table.set_index("claim")["published"]
    assert (
        numbers["energy-54"] == 0.54 and numbers[["analog-share", "zero-first-epoch"]].isna().all()
    )
    assert not told["zero-first-epoch"].startswith("second-hand")
    assert (tmp_path / "audit" / "claims.json.provenance.json").is_file()
