"""Verdicts on claims about scores."""

import pytest
from judging import FULL, SCALES, SMALL, TRAIN, Results, at, judged, only

from derainbench.catalog.verdicts import Outcome

SEEDS = TRAIN | {"seeds": [1, 2, 3]}
BARE = {
    "model": "esdnet",
    "kwargs": SMALL | {"attentions": []},
    "train": TRAIN,
    "test": ["rain"],
    "ablation": {"of": "own", "part": "MAU"},
}


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A results folder that a test writes what it needs into."""
    monkeypatch.chdir(tmp_path)
    return Results(tmp_path)


def trained(scale, **changes) -> dict:
    """The paper's network, from three seeds."""
    kwargs = scale.get("kwargs", SMALL)
    return {"model": "esdnet", "kwargs": kwargs, "train": SEEDS, "test": ["rain"]} | changes


@pytest.mark.parametrize(
    ("own", "scatter", "verdict"),
    [
        ([30, 31, 33], 0.1, Outcome.REPRODUCED),
        ([25, 26, 28], 0.1, Outcome.CONTRADICTED),
        ([29, 33, 29], 0.1, Outcome.UNDECIDED),  # the images differ
        ([30, 31, 33], 1, Outcome.UNDECIDED),  # the seeds do
    ],
)
@SCALES
def test_comparable_means_not_worse_than_the_best_on_the_same_data(
    results, scale, own, scatter, verdict
):
    baseline = {"model": "prn_r", "train": TRAIN, "test": ["rain"]}
    longer = baseline | {"train": TRAIN | {"set": {"epochs": 999}}}
    baselines = {"good": baseline, "bad": baseline, "longer": longer}
    config = results.config(**scale, own=trained(scale), **baselines)
    for seed in (1, 2, 3):
        results.scores("own", [value + (seed - 2) * scatter for value in own], seed)
    results.scores("good", [30, 31, 32.5])
    results.scores("bad", [10, 11, 12])
    results.scores("longer", [40, 41, 42])
    found = only(judged(config, "comparable"))
    assert found.verdict == at(scale, verdict)
    assert found.reason.startswith("scaled down: ") is found.scaled_down is (scale != FULL)
    assert "against good, the best of 2 ANN(s) trained on the same data (3 seeds" in found.reason
    assert "SSIM +0.0000 [+0.0000, +0.0000]" in found.reason
    assert found.measured == pytest.approx(sum(own) / 3 - 93.5 / 3)


def test_one_seed_is_comparable_to_nothing_yet(results):
    baseline = {"model": "prn_r", "train": TRAIN, "test": ["rain"]}
    results.scores("own", [30, 31, 33])
    results.scores("good", [30, 31, 32.5])
    found = only(judged(results.config(good=baseline), "comparable"))
    assert (found.verdict, found.more_seeds) == (Outcome.UNDECIDED, 2)
    assert "one seed each: the scatter is not known; 3 seeds of each network at least" in (
        found.reason
    )


def test_another_recipe_is_trained_alike_and_another_budget_of_the_same_is_not(results):
    baseline = {"model": "prn_r", "train": TRAIN | {"recipe": "prenet"}, "test": ["rain"]}
    results.scores("own", [30, 31, 32])
    results.scores("other", [31, 32, 33])
    assert only(judged(results.config(other=baseline), "comparable")).measured == pytest.approx(-1)
    baseline["train"] = TRAIN | {"set": {"epochs": 999}}
    found = only(judged(results.config(other=baseline), "comparable"))
    assert (found.verdict, found.measured) == (Outcome.NOT_TESTABLE, None)
    assert "no ANN was trained on the same data" in found.reason


@pytest.mark.parametrize(
    ("with_part", "verdict"),
    [
        ([31, 32, 33.1], Outcome.REPRODUCED),
        ([29, 30, 31], Outcome.CONTRADICTED),
        ([29, 33, 32], Outcome.UNDECIDED),
    ],
)
@SCALES
def test_an_ablation_compares_the_same_network_with_and_without(results, scale, with_part, verdict):
    assert "no ablation of esdnet" in only(judged(results.config(), "mau-helps")).reason
    own = trained(scale)
    bare = BARE | {"kwargs": own["kwargs"] | {"attentions": []}, "train": SEEDS}
    config = results.config(**scale, own=own, bare=bare)
    for seed in (1, 2, 3):
        results.scores("own", [value + seed / 100 for value in with_part], seed)
        results.scores("bare", [30, 31, 32], seed)
    found = only(judged(config, "mau-helps"))
    assert found.verdict == at(scale, verdict) and "3 seeds against 3 seeds" in found.reason
    assert found.measured == pytest.approx(sum(with_part) / 3 + 0.02 - 31)


@pytest.mark.parametrize("seeds", [[1], [1, 2]])
def test_fewer_than_three_seeds_decide_no_ablation(results, seeds):
    train = TRAIN | {"seeds": seeds}
    own = {"model": "esdnet", "kwargs": SMALL, "train": train, "test": ["rain"]}
    for seed in seeds:
        results.scores("own", [31 + seed / 100, 32, 33.1], seed)
        results.scores("bare", [30, 31, 32], seed)
    found = only(judged(results.config(own=own, bare=BARE | {"train": train}), "mau-helps"))
    assert (found.verdict, found.more_seeds) == (Outcome.UNDECIDED, 3 - len(seeds))


def test_a_difference_that_seeds_make_too_decides_nothing(results):
    config = results.config(own=trained({}), bare=BARE)
    for seed, shift in enumerate((0, 1, 2), start=1):
        results.scores("own", [31 + shift, 32 + shift, 33 + shift], seed)
    results.scores("bare", [30, 31, 32])
    found = only(judged(config, "mau-helps"))
    # Means 32, 33, 34 against 31, two degrees of freedom: 2 -/+ t(0.95, 2) sqrt(1 + 1/3) = 3.37.
    assert (found.verdict, found.measured) == (Outcome.UNDECIDED, pytest.approx(2))
    assert "3 seeds against one seed" in found.reason
    assert "90 % interval [-1.37, +5.37] over 3 seeds" in found.reason
    # With three of each: t(0.95, 4) sqrt(2 / 3) = 1.74 < 2.
    assert "about 3 seeds of each network would" in found.reason and found.more_seeds == 2
    for seed in (1, 2, 3):
        results.scores("own", [33, 34, 35 + seed / 100], seed)
    assert only(judged(config, "mau-helps")).verdict == Outcome.REPRODUCED


WHOLE = {"Rain200H": {"kind": "folder", "catalogue": "Rain200H", "subset": True}}


@pytest.mark.parametrize(
    ("kwargs", "counts"),
    [({}, True), ({"dim": 48, "en_num_blocks": [4, 4, 8], "T": 4}, True), (SMALL, False)],
)
def test_scores_of_the_paper_are_held_against_the_full_network_alone(results, kwargs, counts):
    run = {"model": "esdnet", "kwargs": kwargs, "train": SEEDS, "test": ["Rain200H"]}
    config = results.config("paper", own=run, datasets=WHOLE)
    for seed in (1, 2, 3):
        results.scores("own", [29.8 + seed / 10, 30.1] * 100, seed, dataset="Rain200H")
    found = only(judged(config, "rain200h-psnr-main"))
    assert found.verdict == (Outcome.REPRODUCED if counts else Outcome.NOT_TESTABLE)
    own = config.runs["own"].model_copy(update={"train": config.runs["own"].train.model_copy(
        update={"set": {"epochs": 1}})})  # fmt: skip
    shorter = config.model_copy(update={"runs": {"own": own}})
    assert only(judged(shorter, "rain200h-psnr-main")).verdict == Outcome.NOT_TESTABLE


@pytest.mark.parametrize(
    ("seeds", "images", "word", "told"),
    [
        # Of the whole test set seeds alone are drawn: t(0.95, 2) 0.1 / sqrt(3) = 0.17.
        ((29.9, 30.0, 30.1), 200, Outcome.REPRODUCED, "200 images of 200"),
        ((31.9, 32.0, 32.1), 200, Outcome.DEVIATES, "90 % interval [31.83, 32.17] over 3 seeds"),
        ((29.0, 30.0, 31.0), 200, Outcome.UNDECIDED, "about 13 seeds would"),
        ((29.9, 30.1), 200, Outcome.UNDECIDED, "about 3 seeds would, at the scatter seen (0.14)"),
        ((30.0,), 200, Outcome.UNDECIDED, "one seed: the scatter is not known; 3 seeds at least"),
        # Of a part of it images are too: they lie 5 dB to either side.
        ((29.9, 30.0, 30.1), 20, Outcome.UNDECIDED, "the whole published test set of 200 would"),
    ],
)
def test_a_score_is_judged_over_seeds_and_over_images_unless_all_were_scored(
    results, seeds, images, word, told
):
    train = TRAIN | {"seeds": list(range(len(seeds)))}
    run = {"model": "esdnet", "train": train, "test": ["Rain200H"]}
    config = results.config("paper", own=run, datasets=WHOLE)
    for seed, mean in enumerate(seeds):
        results.scores("own", [mean - 5, mean + 5] * (images // 2), seed, dataset="Rain200H")
    found = only(judged(config, "rain200h-psnr-main"))
    assert found.verdict == word and told in found.reason


@pytest.mark.parametrize(
    ("mean", "images", "status", "word"),
    [
        (30.5, 200, "verified", Outcome.REPRODUCED),  # the difference itself decides
        (30.6, 200, "verified", Outcome.DEVIATES),
        (30.5, 200, None, Outcome.REPRODUCED),
        (30.5, 200, "deviates", Outcome.UNDECIDED),  # other images than the published ones
        (30.1, 60, "subset", Outcome.UNDECIDED),  # t(0.95, 59) 5.04 / sqrt(60) = 1.09
        (33.0, 60, "subset", Outcome.DEVIATES),
    ],
)
def test_official_weights_are_judged_over_images_or_by_the_whole_set(
    results, mean, images, status, word
):
    run = {"model": "esdnet", "weights": "w.safetensors", "test": ["Rain200H"]}
    config = results.config("paper", own=run, datasets=WHOLE)
    scores = [mean - 5, mean + 5] * (images // 2)
    results.scores("own", scores, "official", dataset="Rain200H")
    if status:
        facts = {"splits": {"test": {"status": status}}}
        results.write("data/Rain200H/dataset.json", facts)
    assert only(judged(config, "rain200h-psnr-main")).verdict == word


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
    alone = only(judged(paper, "rain200h-psnr-main"))
    assert (alone.verdict, alone.measured) == (Outcome.UNDECIDED, pytest.approx(30.1))
    assert "official weights, one image of a set of unknown size" in alone.reason


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
    assert {v.verdict for v in found} == {Outcome.NOT_TESTABLE}
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
