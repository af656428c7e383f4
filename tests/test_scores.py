"""The statistics of constructed scores whose answer is known, from score files to tables."""

import math
import time

import numpy as np
import pandas as pd
import pytest
from helpers import one_line

from derainbench.audit.method_comparisons import paired, protocol_matrix, seeds, verdict
from derainbench.audit.published_agreement import MARGIN_DB
from derainbench.audit.selection import leak
from derainbench.catalog.protocols import protocol_names
from derainbench.config.schema import Config, parse
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_json
from derainbench.models.construction import constructor_arguments
from derainbench.report.tables import statistics as tables
from derainbench.results.layout import layout_of
from derainbench.results.runs import run_variants
from derainbench.results.scores import score_folder

IMAGES = 40
TRAIN = {"dataset": "Rain100L", "seeds": [1, 2, 3]}
CONFIG = {
    "name": "made",
    "label": "study",
    "title": "Made",
    "data_root": "data",
    "weights_root": "weights",
    "datasets": {"Rain100L": {"kind": "folder", "catalogue": "Rain100L", "subset": True}},
    "runs": {
        "ours": {"model": "esdnet", "title": "Ours", "train": TRAIN, "test": ["Rain100L"]},
        "one": {
            "model": "prn",
            "title": "PRN",
            "train": {"dataset": "Rain100L", "seeds": [1], "monitor": True},
            "test": ["Rain100L"],
        },
        "official": {
            "model": "prenet",
            "title": "PReNet",
            "weights": "prenet.pth",
            "test": ["Rain100L"],
        },
    },
    "figures": {"dataset": "Rain100L"},
}
# PSNR under a protocol = that of the image + what the protocol adds.
ADDED = {"esdnet": 0.5, "matlab-uint8": 0.0, "matlab-double": 0.1, "rgb": -1.5}
ADDED |= {"spikerain": 0.2, "vlif": -0.25}


def base(images: int = IMAGES) -> np.ndarray:
    """PSNR of a run on images that differ by far, dB."""
    return np.random.default_rng(0).uniform(20, 40, images)


def frame(run: str, variant: str, psnr: np.ndarray, title: str = "", **protocols) -> pd.DataFrame:
    """Scores as they are collected; SSIM is PSNR / 50; ``protocols`` replaces what one adds."""
    added = ADDED | protocols
    names = [f"{i:03d}.png" for i in range(len(psnr))]
    parts = []
    for protocol in protocol_names():
        score = psnr + added[protocol]
        parts.append(
            pd.DataFrame({"image": names, "protocol": protocol, "psnr": score, "ssim": score / 50})
        )
    labels = {
        "run": run,
        "variant": variant,
        "title": title or run,
        "weights": "",
        "dataset": "set",
    }
    return pd.concat(parts, ignore_index=True).assign(**labels)


def compare(*frames: pd.DataFrame) -> pd.DataFrame:
    """The paired table under one protocol."""
    found = paired(pd.concat(frames))
    return found[found["protocol"] == "esdnet"].set_index(["metric", "run", "other"])


def test_a_constant_difference_is_found_whatever_the_images_scatter():
    found = compare(frame("a", "official", base() + 0.3), frame("b", "official", base()))
    row = found.loc["psnr", "a", "b"]
    assert (row.difference, row.low, row.high) == pytest.approx((0.3, 0.3, 0.3))
    assert (row.images, row.share_better, row.verdict) == (IMAGES, 1, "better")
    assert row.p == row.p_holm < 1e-6
    assert found.loc["ssim", "a", "b"].difference == pytest.approx(0.3 / 50)


def test_the_worse_method_is_called_worse():
    noise = np.random.default_rng(1).normal(-1, 0.5, IMAGES)
    row = compare(frame("a", "official", base() + noise), frame("b", "official", base())).loc[
        "psnr", "a", "b"
    ]
    assert row.difference == pytest.approx(noise.mean())
    assert row.low < noise.mean() < row.high < 0
    assert row.verdict == "worse"
    assert row.dz == pytest.approx(noise.mean() / noise.std(ddof=1))


def test_every_protocol_adds_something():
    assert tuple(ADDED) == protocol_names() and len(set(ADDED.values())) == len(ADDED)


def test_identical_methods_are_undecided():
    found = compare(frame("a", "official", base()), frame("b", "official", base()))
    for metric in ("psnr", "ssim"):
        row = found.loc[metric, "a", "b"]
        assert (row.difference, row.low, row.high, row.p, row.share_better) == (0, 0, 0, 1, 0.5)
        assert row.verdict == "undecided"


def test_seeds_are_averaged_before_images_are_paired():
    shift = np.random.default_rng(2).normal(0, 3, IMAGES)
    seeds = [frame("a", f"seed-{i}", base() + sign * shift + 0.2) for i, sign in ((1, 1), (2, -1))]
    row = compare(*seeds, frame("b", "official", base())).loc["psnr", "a", "b"]
    assert (row.difference, row.images) == (pytest.approx(0.2), IMAGES)
    assert row["sd"] == pytest.approx(0, abs=1e-9)


def test_holm_corrects_over_the_pairs_of_a_set_and_protocol():
    rng = np.random.default_rng(3)
    shifts = zip("abcd", (0.0, 0.0, 0.2, 0.4), strict=True)
    runs = [frame(r, "official", base() + rng.normal(by, 1, IMAGES)) for r, by in shifts]
    found = compare(*runs).loc["psnr"]
    assert len(found) == 6
    assert found["p_holm"].min() == pytest.approx(6 * found["p"].min())
    assert (found["p_holm"] >= found["p"]).all()


def test_chance_alone_decides_little():
    """Of 20 families of 3 pairs without any difference, about 5 % hold a verdict."""
    rng = np.random.default_rng(4)
    decided = 0
    for _ in range(20):
        runs = [frame(r, "official", base(15) + rng.normal(0, 1, 15)) for r in "abc"]
        decided += (compare(*runs).loc["psnr", "verdict"] != "undecided").any()
    assert decided <= 4  # more come by chance in 0.3 % of all cases, at 5 %


def test_an_unequal_number_of_images_is_refused():
    with pytest.raises(BenchError) as refused:
        paired(pd.concat([frame("a", "official", base()), frame("b", "official", base(39))]))
    assert one_line(refused.value).startswith("set: run 'b' has no score of 039.png")


def test_images_restored_perfectly_are_left_out():
    perfect = base()
    perfect[3] = math.inf
    row = compare(frame("a", "official", perfect + 1), frame("b", "official", base())).loc[
        "psnr", "a", "b"
    ]
    assert (row.images, row.difference) == (IMAGES - 1, pytest.approx(1))


def test_a_single_method_has_no_pairs():
    assert paired(frame("a", "official", base())).empty


def test_verdicts_need_interval_and_test():
    assert verdict(0.1, 0.2, 0.01) == "better"
    assert verdict(-0.2, -0.1, 0.01) == "worse"
    assert verdict(-0.1, 0.2, 0.01) == "undecided"
    assert verdict(0.1, 0.2, 0.06) == "undecided"
    assert verdict(0.1, 0.2, math.nan) == "undecided"


def test_the_protocol_matrix_by_hand():
    found = protocol_matrix(
        pd.concat(
            [
                frame("a", "official", base()),
                frame("b", "official", base() - 0.2, rgb=-1.0),
                frame("c", "official", base() - 5),
            ]
        )
    ).set_index("run")
    assert found.loc["a", "psnr_matlab-uint8"] == pytest.approx(base().mean())
    assert found.loc["a", "ssim_rgb"] == pytest.approx((base().mean() - 1.5) / 50)
    assert found["spread_db"].tolist() == pytest.approx([2.0, 1.5, 2.0])
    assert found["spread_luma_db"].tolist() == pytest.approx([0.5, 0.5, 0.5])
    for protocol in protocol_names():  # b is above a under rgb alone
        ranks = [2, 1, 3] if protocol == "rgb" else [1, 2, 3]
        assert found[f"rank_{protocol}"].tolist() == ranks
    assert found["rank_changes"].tolist() == [True, True, False]


def test_seeds_are_spread_and_one_says_so():
    found = seeds(
        pd.concat(
            [
                *(frame("a", f"seed-{i}", base() + d) for i, d in enumerate((-0.1, 0.0, 0.1))),
                frame("b", "seed-1", base()),
                frame("c", "official", base()),
            ]
        )
    )
    assert set(found["run"]) == {"a", "b"}
    psnr = found[(found["metric"] == "psnr") & (found["protocol"] == "matlab-uint8")]
    a, b = (row for _, row in psnr.iterrows())
    assert (a.n, a["mean"], a["sd"]) == (3, pytest.approx(base().mean()), pytest.approx(0.1))
    assert a.maximum - a.minimum == pytest.approx(0.2)
    assert a.high - a.low == pytest.approx(2 * 4.3027 * 0.1 / math.sqrt(3), abs=1e-4)
    assert (a.note, b.note) == ("", "one seed: no spread")
    assert b.n == 1 and math.isnan(b["sd"]) and math.isnan(b.low)


def test_a_leak_by_hand():
    history = pd.DataFrame(
        {
            "epoch": range(6),
            "selection_psnr_rgb": [None, 20.0, None, 23.0, None, 23.0],
            "monitored_psnr_rgb": [None, 21.0, None, 21.5, None, 22.25],
        }
    )
    found = leak(history)
    assert (found.epochs, found.selected_epoch, found.best_test_epoch) == (3, 3, 5)
    assert (found.selected_psnr, found.selected_test_psnr) == (23, 21.5)
    assert (found.best_test_psnr, found.last_test_psnr, found.leak_psnr) == (22.25, 22.25, 0.75)


def test_no_leak_where_both_choose_alike():
    history = pd.DataFrame(
        {
            "epoch": [0, 1],
            "selection_psnr_rgb": [22.0, 21.0],
            "monitored_psnr_rgb": [20.0, 19.0],
        }
    )
    assert leak(history).leak_psnr == 0 and leak(history).last_test_psnr == 19


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes score files of the configuration; gives the configuration."""
    monkeypatch.chdir(tmp_path)

    def build(psnr: dict[tuple[str, str], np.ndarray], values: dict = CONFIG) -> Config:
        config = parse(values, "made")
        arguments = {name: constructor_arguments(name, {}) for name in ("esdnet", "prn", "prenet")}
        write_json(layout_of(config).structure / "arguments.json", arguments)
        for entry in run_variants(config):
            for dataset in entry.spec.test:
                scores = frame(entry.run, entry.variant, psnr[entry.run, entry.variant])
                scores = scores[["image", "protocol", "psnr", "ssim"]]
                folder = score_folder(config, entry, dataset)
                folder.mkdir(parents=True)
                scores.assign(psnr_input=20, ssim_input=0.5).to_csv(
                    folder / "per_image.csv", index=False
                )
        return config

    return build


def made(official: float, one: float, images: int = IMAGES) -> dict[tuple[str, str], np.ndarray]:
    """Scores of all runs of CONFIG; means under matlab-double of the two named."""
    level = base(images) - base(images).mean() - ADDED["matlab-double"]
    ours = {("ours", f"seed-{i}"): level + 30 + i / 100 for i in (1, 2, 3)}
    return ours | {("one", "seed-1"): level + one, ("official", "official"): level + official}


def monitored(tmp_path, monitored_psnr=(20.5, 21.0, 21.75)) -> None:
    folder = tmp_path / "results" / "made" / "runs" / "one" / "seed-1"
    folder.mkdir(parents=True)
    history = {"epoch": [0, 1, 2], "loss": 0.1, "selection_psnr_rgb": [22.0, 24.0, 23.0]}
    facts = {"selected_on": "val", "selection_pairs": 4}
    if monitored_psnr:
        history["monitored_psnr_rgb"] = monitored_psnr
        facts |= {"monitored_on": "test", "monitored_pairs": 6}
    pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
    write_json(folder / "training.json", facts)


def test_published_values_are_met_over_images_or_seeds(write):
    config = write(made(official=37.48, one=36.99))
    found = tables.equivalence(config).frame.set_index("run")
    # Only matlab-double was published of these on Rain100L; nothing of "Ours".
    assert list(found.index) == ["official", "one"]
    official, one = found.loc["official"], found.loc["one"]
    assert (official.basis, official.n, official.images) == ("images", IMAGES, IMAGES)
    assert (official.published_psnr, official.difference) == (37.48, pytest.approx(0))
    assert official.verdict == "undecided"  # the images scatter by far more than the margin
    assert (one.basis, one.n, one.verdict) == ("seeds and images", 1, "undecided")
    assert "one seed: the scatter is not known; 3 seeds at least" in one.reason
    assert "the whole published test set of 100 would" in official.reason
    assert one.margin_db == MARGIN_DB


@pytest.mark.parametrize(
    ("psnr", "verdict"), [(37.48, "reproduced"), (37.4, "reproduced"), (37.6, "deviates")]
)
def test_a_complete_test_set_leaves_nothing_to_chance(write, psnr, verdict):
    config = write(made(official=psnr, one=30, images=100))
    row = tables.equivalence(config).frame.set_index("run").loc["official"]
    assert (row.basis, row.verdict) == ("all images", verdict)
    assert row.difference == pytest.approx(psnr - 37.48) and math.isnan(row.p)


@pytest.mark.parametrize(
    ("mean", "images", "verdict"),
    [(37.48, 100, "reproduced"), (37.9, 100, "deviates"), (37.48, IMAGES, "undecided")],
)
def test_seeds_are_held_against_published_values(write, mean, images, verdict):
    runs = CONFIG["runs"] | {"ours": CONFIG["runs"]["ours"] | {"title": "PReNet_r"}}
    psnr = made(30, 30, images)
    for i, off in ((1, -0.01), (2, 0.0), (3, 0.01)):  # PReNet_r was published with 37.10
        psnr["ours", f"seed-{i}"] += mean - 0.38 + off - 30 - i / 100
    row = (
        tables.equivalence(write(psnr, CONFIG | {"runs": runs})).frame.set_index("run").loc["ours"]
    )
    basis = "seeds" if images == 100 else "seeds and images"  # of a part, other images count too
    assert (row.basis, row.n, row.images) == (basis, 3, images)
    assert row.difference == pytest.approx(mean - 37.48, abs=1e-6)
    assert row.verdict == verdict


def test_scores_of_the_ledger_are_held_against_the_papers_network_under_every_protocol(write):
    runs = {
        "full": {"model": "esdnet", "title": "ESDNet", "test": ["Rain200H"],
                 "train": {"dataset": "Rain200H", "seeds": [1, 2, 3]}},
        "small": {"model": "esdnet", "kwargs": {"dim": 16}, "test": ["Rain200H"],
                  "train": {"dataset": "Rain200H", "seeds": [1]}},
    }  # fmt: skip
    level = base(200) - base(200).mean()
    psnr = {("full", f"seed-{i}"): level + 30 + (i - 2) / 100 for i in (1, 2, 3)}
    psnr["small", "seed-1"] = level + 30
    folder = {"kind": "folder", "catalogue": "Rain200H"}
    values = CONFIG | {"datasets": {"Rain200H": folder}, "runs": runs}
    values["figures"] = {"dataset": "Rain200H"}
    found = tables.equivalence(write(psnr, values)).frame
    assert set(found["run"]) == {"full"} and set(found["margin_db"]) == {0.5}
    main = found[found["published_psnr"] == 30].set_index("protocol")
    assert sorted(main.index) == sorted(protocol_names()) and set(main["n"]) == {3}
    far = {
        p: "undecided" if abs(d) == 0.5 else "deviates" if d < -1 else "reproduced"
        for p, d in ADDED.items()
    }
    assert main["verdict"].to_dict() == far
    assert main["difference"].to_dict() == pytest.approx(ADDED)
    assert all("second-hand" in kind for kind in found["kind"])


def test_the_tables_of_a_result_folder(write, tmp_path):
    config = write(made(official=37.48, one=36.99))
    monitored(tmp_path)
    found = {table.name: table for table in tables.all_statistics(config)}
    assert list(found) == ["paired", "protocols", "seeds", "equivalence", "selection"]
    for table in found.values():
        assert (table.frame["configuration"] == "made").all()
        assert not table.view.empty and not table.view.isna().any(axis=None)
        assert table.caption[0].isupper() and "Empty" not in table.caption
    assert len(found["paired"].frame) == 3 * len(protocol_names()) * 2
    assert len(found["paired"].view) == 3
    first = found["paired"].view.iloc[0]
    assert (first["Method"], first["Against"]) == ("Ours", "PRN")
    assert (first["PSNR difference (dB)"], first["PSNR"]) == ("-6.97", "worse")
    assert first["95 % interval (dB)"] == "[-6.97, -6.97]"
    assert "The ranking is always the same" in found["protocols"].caption
    assert found["protocols"].view["Largest difference (dB)"].tolist() == ["2.00"] * 3
    assert found["protocols"].view["esdnet"].str.slice(-3).tolist() == ["(3)", "(2)", "(1)"]
    seeds = found["seeds"].view
    assert seeds["Seeds"].tolist() == ["3", "1"] * 2
    assert seeds["Deviation"].tolist()[:2] == ["0.01", ""]
    assert found["equivalence"].view["Over"].tolist() == ["40 images", "1 seed and 40 images"]
    selection = found["selection"].frame.iloc[0]
    assert (selection.selected_epoch, selection.selected_test_psnr) == (1, 21.0)
    assert (selection.best_test_epoch, selection.leak_psnr, selection.variant) == (
        2,
        0.75,
        "seed-1",
    )
    assert found["selection"].view["Leak (dB)"].tolist() == ["0.750"]


def test_few_images_are_said_to_decide_nothing(write):
    """3 pairs, 5 images: 2 / 32 times 3 at best."""
    config = write(made(official=37.48, one=36.99, images=5))
    table = tables.paired(config)
    assert "Rain100L cannot decide: 5 images give a corrected p of 0.19 at best" in table.caption
    assert set(table.frame["verdict"]) == {"undecided"}


def test_a_run_that_was_not_monitored_is_refused(write, tmp_path):
    config = write(made(30, 30))
    monitored(tmp_path, monitored_psnr=None)
    with pytest.raises(BenchError) as refused:
        tables.selection(config)
    message = one_line(refused.value)
    assert message.endswith("was not monitored; train again with monitor: true")


def test_a_missing_history_is_refused(write):
    with pytest.raises(BenchError, match=r"history\.csv: missing"):
        tables.selection(write(made(30, 30)))


def test_tables_that_are_empty_say_why(write):
    runs = {"official": CONFIG["runs"]["official"] | {"title": "Unheard of"}}
    config = write(made(30, 30), CONFIG | {"runs": runs})
    for make in (tables.paired, tables.seeds, tables.equivalence, tables.selection):
        table = make(config)
        assert table.frame.empty and table.view.empty and " Empty: " in table.caption
        assert "configuration" in table.frame


def test_a_smoke_configuration_is_marked(write):
    config = write(made(30, 30), CONFIG | {"label": "smoke"})
    assert tables.protocols(config).caption.startswith("SMOKE")


def test_fifteen_runs_take_seconds(write):
    """CPU time, so that a busy machine does not matter; 20 s are there for the whole report."""
    official = CONFIG["runs"]["official"]
    runs = {f"run{i}": official | {"title": f"Run {i}"} for i in range(15)}
    rng = np.random.default_rng(5)
    psnr = {(run, "official"): base(200) + rng.normal(0, 1, 200) for run in runs}
    config = write(psnr, CONFIG | {"runs": runs})
    started = time.process_time()
    tables.all_statistics(config)
    assert time.process_time() - started < 10
