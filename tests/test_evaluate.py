"""Evaluation restores and scores a split into files: all of them, or none."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import noise, one_line, read_json, save, tree
from safetensors.torch import save_file

from derainbench.catalog.protocols import protocols
from derainbench.data.images import read_rgb
from derainbench.evaluation.full_reference import evaluate, score_folders, summarise
from derainbench.evaluation.restoration import Restorer
from derainbench.foundation.errors import BenchError
from derainbench.metrics.scorer import score_all
from derainbench.models.construction import build
from derainbench.models.weights import load_model
from derainbench.results.reading import read_table

# One protocol scores what a network restored before it was rounded for the file.
OF_FILES = [name for name, protocol in protocols().items() if not protocol.unrounded]
RESULTS = ["per_image.csv", "per_image.csv.provenance.json", "summary.json"]


@pytest.fixture
def restorer(prn_weights) -> Restorer:
    return Restorer("prn_r", prn_weights, device="cpu")


@pytest.fixture
def split(paired_set):
    return paired_set(splits={"test": 3}) / "test"


def test_every_file_is_written(restorer, split, tmp_path):
    evaluate(restorer, split, tmp_path / "out")
    images = [f"images/{i:02d}.png" for i in range(3)]
    assert sorted(tree(tmp_path / "out")) == sorted(images + RESULTS)


def test_rows_are_images_times_protocols(restorer, split, tmp_path):
    table = evaluate(restorer, split, tmp_path / "out")
    written = pd.read_csv(tmp_path / "out" / "per_image.csv")
    pd.testing.assert_frame_equal(written, table, rtol=1e-9)
    keys = list(zip(written["image"], written["protocol"], strict=True))
    assert keys == [(f"{i:02d}.png", p) for i in range(3) for p in protocols()]


def test_scores_are_those_of_the_written_images_and_of_the_input(restorer, split, tmp_path):
    table = evaluate(restorer, split, tmp_path / "out").set_index(["image", "protocol"])
    for name in ("00.png", "01.png", "02.png"):
        target = read_rgb(split / "target" / name)
        after = score_all(read_rgb(tmp_path / "out" / "images" / name), target)
        before = score_all(read_rgb(split / "input" / name), target)
        for protocol in OF_FILES:
            row = table.loc[(name, protocol)]
            assert (row["psnr"], row["ssim"]) == pytest.approx(after[protocol], rel=1e-12)
            assert (row["psnr_input"], row["ssim_input"]) == pytest.approx(before[protocol])


def test_summary_holds_means_and_settings(restorer, split, tmp_path, prn_weights):
    table = evaluate(restorer, split, tmp_path / "out")
    summary = read_json(tmp_path / "out" / "summary.json")
    assert summary["model"] == "prn_r" and summary["kwargs"] == {"recurrent_iter": 1}
    assert (summary["inference"], summary["quantise"]) == ("whole", "truncate")
    assert summary["images"] == 3
    for protocol, means in summary["protocols"].items():
        rows = table[table["protocol"] == protocol]
        for column, mean in means.items():
            assert mean == pytest.approx(rows[column].mean(), abs=1e-6)
    assert list(summary["protocols"]) == list(protocols())
    record = read_json(tmp_path / "out" / "per_image.csv.provenance.json")
    assert record["inputs"].keys() == {"data", "weights"}


def test_a_repeated_run_gives_equal_bytes(restorer, split, tmp_path):
    for out in ("one", "two", "two"):  # the second time into a full folder
        evaluate(restorer, split, tmp_path / out)
    one, two = tree(tmp_path / "one"), tree(tmp_path / "two")
    del one["per_image.csv.provenance.json"], two["per_image.csv.provenance.json"]  # has the time
    assert one == two


def test_mode_and_rounding_can_be_chosen(prn_weights, paired_set, tmp_path):
    split = paired_set(splits={"test": 1}, size=(24, 600)) / "test"  # wider than a tile
    tables = {}
    for mode, quantise in (("whole", "round"), ("whole", "truncate"), ("tiled", "round")):
        chosen = Restorer("prn_r", prn_weights, mode=mode, quantise=quantise, device="cpu")
        evaluate(chosen, split, tmp_path / mode / quantise)
        tables[mode, quantise] = tree(tmp_path / mode / quantise / "images")
    assert len({tuple(t.values()) for t in tables.values()}) == 3


def test_without_target_images_are_restored_and_nothing_is_scored(restorer, paired_set, tmp_path):
    folder = paired_set(splits={"test": 2}, target=False) / "test"
    assert evaluate(restorer, folder, tmp_path / "out").empty
    assert sorted(tree(tmp_path / "out" / "images")) == ["00.png", "01.png"]
    assert read_json(tmp_path / "out" / "summary.json")["protocols"] == {}
    written = pd.read_csv(tmp_path / "out" / "per_image.csv")
    assert written.empty
    assert {"image", "protocol", "psnr", "ssim"} <= set(written.columns)


@pytest.mark.parametrize("side", ["input", "target"])
@pytest.mark.parametrize("before", [True, False], ids=["into results", "into nothing"])
def test_a_failing_image_changes_nothing(restorer, split, side, before, tmp_path):
    if before:
        evaluate(restorer, split, tmp_path / "out")
    old = tree(tmp_path / "out")
    file = split / side / "02.png"
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(BenchError) as refused:
        evaluate(restorer, split, tmp_path / "out")
    assert one_line(refused.value).startswith(f"{file}: ")
    assert tree(tmp_path / "out") == old
    assert (tmp_path / "out").exists() == before


def test_images_too_small_to_score_are_refused_by_name(restorer, paired_set, tmp_path):
    folder = paired_set(size=(18, 40)) / "test"
    with pytest.raises(BenchError, match=r"^00\.png: 18x40 is too small for protocol esdnet"):
        evaluate(restorer, folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_output_that_is_not_finite_is_refused(split, tmp_path):
    model = build("prn_r", recurrent_iter=1)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    state["conv.0.weight"].fill_(1e38)
    save_file(state, tmp_path / "wild.safetensors")
    wild = Restorer("prn_r", tmp_path / "wild.safetensors", kwargs={"recurrent_iter": 1})
    with pytest.raises(BenchError, match="not finite"):
        evaluate(wild, split, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_any_name_passes_through_the_files_and_back(restorer, tmp_path):
    names = ["雨.png", "a|b.png", 'c,"d".png', "NA.png", "-x.png", "=1+1.png", "e f.png", "{g}.png"]
    for i, name in enumerate(names):
        for side in ("input", "target"):
            save(tmp_path / "test" / side / name, noise(24, 24, seed=i + len(side)))
    table = evaluate(restorer, tmp_path / "test", tmp_path / "out")
    read = read_table(tmp_path / "out" / "per_image.csv")
    assert set(read["image"]) == set(table["image"]) == set(names)
    images = {file.name for file in (tmp_path / "out" / "images").iterdir()}
    assert images == set(names)
    scores = score_folders(
        tmp_path / "out" / "images", tmp_path / "test" / "target", tmp_path / "s.csv"
    )
    assert set(scores["image"]) == set(names)


def test_foreign_images_get_the_same_scores(restorer, split, tmp_path):
    table = evaluate(restorer, split, tmp_path / "out")
    scores = score_folders(tmp_path / "out" / "images", split / "target", tmp_path / "s.csv")
    columns = ["image", "protocol", "psnr", "ssim"]
    of_files = [frame[frame["protocol"].isin(OF_FILES)] for frame in (scores, table[columns])]
    pd.testing.assert_frame_equal(*of_files, rtol=1e-12)
    assert pd.read_csv(tmp_path / "s.csv").columns.tolist() == columns
    assert (tmp_path / "s.csv.provenance.json").is_file()


def test_a_perfect_image_scores_infinity_in_the_file(split, tmp_path):
    scores = score_folders(split / "target", split / "target", tmp_path / "s.csv")
    assert (pd.read_csv(tmp_path / "s.csv")["psnr"] == np.inf).all()
    assert summarise(scores)["rgb"]["ssim"] == 1


def test_scoring_unpaired_folders_is_refused(split, tmp_path):
    shutil.copytree(split / "input", tmp_path / "mine")
    (tmp_path / "mine" / "01.png").unlink()
    with pytest.raises(BenchError, match=r"01\.png: has no partner"):
        score_folders(tmp_path / "mine", split / "target", tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


@torch.no_grad()
def test_restoring_is_the_model_on_the_scaled_image(restorer, prn_weights):
    image = noise(20, 30)
    model, _ = load_model("prn_r", prn_weights)
    x = torch.from_numpy(image.transpose(2, 0, 1) / np.float32(255))[None]
    expected = (model(x)[0].clamp(0, 1) * 255).permute(1, 2, 0).numpy().astype(np.uint8)
    assert np.array_equal(restorer(image), expected)
