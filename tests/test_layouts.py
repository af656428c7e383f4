"""Every layout met in the wild ends as SPLIT/{input,target} with one name on both sides."""

import numpy as np
import pytest
from helpers import noise, one_line, save, tree

from derainbench.catalog.dataset_entries import DatasetEntry, dataset_entry
from derainbench.data.acquisition.acquire import add
from derainbench.data.acquisition.layouts import plan
from derainbench.data.acquisition.request import Wanted
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.foundation.errors import BenchError

SIZE = (32, 48)


def entry(**changes) -> DatasetEntry:
    facts = {
        "name": "Tiny",
        "title": "t",
        "citation": "c",
        "licence": "l",
        "splits": {"train": {}, "test": {}},
        "unpacked_gb": 0.1,
        "sources": ["s"],
    }
    return DatasetEntry.model_validate(facts | changes)


def make(root, *files):
    """Images of those names; the n-th is the same wherever it is called n-th."""
    for i, file in enumerate(files):
        save(root / file, noise(*SIZE, seed=i))
    return root


def planned(root, **changes):
    """(split, input stem, target stem, input file, target file) of every pair."""
    return [
        (
            p.split,
            p.input_stem,
            p.target_stem,
            p.input.relative_to(root).as_posix(),
            p.target and p.target.relative_to(root).as_posix(),
        )
        for p in plan([root], entry(**changes)).pairs
    ]


@pytest.mark.parametrize(
    ("rainy", "clean", "stem"),
    [
        ("train/input/7.png", "train/target/7.png", "7"),
        ("train/rain/a-b.PNG", "train/norain/a-b.JPG", "a-b"),
        ("rain_data_train_Heavy/rain/X2/norain-12x2.png", "rain_data_train_Heavy/norain/norain-12.png", "12"),
        ("RainTrainH/rain-005.png", "RainTrainH/norain-005.png", "5"),
        ("training/001_in.png", "training/001_GT.png", "1"),
        ("x/Train/Rainy Image/3.bmp", "x/Train/Ground_Truth/3.png", "3"),
        ("train/rain/9_rain.png", "train/gt/9_clean.png", "9"),
        ("LQ/train/2.jpeg", "HQ/train/2.jpg", "2"),
    ],
)  # fmt: skip
def test_known_layouts_pair_up(tmp_path, rainy, clean, stem):
    make(tmp_path, rainy, clean)
    assert planned(tmp_path) == [("train", stem, stem, rainy, clean)]


@pytest.mark.parametrize(
    ("folder", "split"),
    [
        ("test", "test"),
        ("DID-MDN-test", "test"),
        ("rain_data_test_Light", "test"),
        ("TestA", "test"),
        ("train2018new", "train"),
        ("RainTrainL", "train"),
    ],
)
def test_folder_names_say_the_split(tmp_path, folder, split):
    make(tmp_path, f"{folder}/input/1.png", f"{folder}/target/1.png")
    assert planned(tmp_path)[0][0] == split
    inside = plan([tmp_path / folder], entry())  # the folder itself, handed over
    assert inside.count(split) == 1


def test_the_split_can_be_said_where_no_folder_does(tmp_path):
    make(tmp_path / "x", "input/1.png", "target/1.png")
    with pytest.raises(BenchError) as refused:
        plan([tmp_path / "x"], entry())
    assert "which split" in one_line(refused.value)
    assert plan([tmp_path / "x"], entry(), assume="test").count("test") == 1
    assert plan([tmp_path / "x"], entry(splits={"val": {}})).count("val") == 1


def test_numbers_are_named_by_the_sets_rule(tmp_path):
    make(tmp_path, "test/rain/X2/rain-7x2.png", "test/norain/norain-007.png")
    rule = {"input": "rain-{n:03d}", "target": "norain-{n:03d}"}
    assert planned(tmp_path, naming=rule)[0][1:3] == ("rain-007", "norain-007")


def test_groups_keep_equal_numbers_apart(tmp_path):
    files = [f"Rain_{g}/train/{s}/1.png" for g in ("Heavy", "Light") for s in ("input", "target")]
    make(tmp_path, *files)
    assert [p[1] for p in planned(tmp_path)] == ["Rain_Heavy-1", "Rain_Light-1"]


def test_sides_nested_to_different_depth_pair_up(tmp_path):
    make(tmp_path, "train/rain/part one/1.png", "train/norain/1.png")
    assert planned(tmp_path)[0][3:] == ("train/rain/part one/1.png", "train/norain/1.png")


def test_double_images_are_cut_in_two(tmp_path):
    rainy, clean = noise(*SIZE, seed=1), noise(*SIZE, seed=2)
    both = np.concatenate([rainy, clean], axis=1)
    save(tmp_path / "DID" / "Rain_Heavy" / "train2018new" / "1.png", both)
    save(tmp_path / "DID" / "DID-MDN-test" / "1.png", both)
    for order, sides in (("rainy-left", (rainy, clean)), ("clean-left", (clean, rainy))):
        root = tmp_path / order
        add(Wanted(entry(double=order), root, accept=True), [tmp_path / "DID"])
        for split in ("train", "test"):
            pair = read_split(root / "Tiny" / split).pairs[0]
            assert np.array_equal(read_rgb(pair.input), sides[0])
            assert np.array_equal(read_rgb(pair.target), sides[1])


def test_a_set_of_doubles_may_also_come_as_pairs(tmp_path):
    make(tmp_path, "train/input/1.png", "train/target/1.png")
    pairs = plan([tmp_path], entry(double="rainy-left")).pairs
    assert [p.double for p in pairs] == [None]


def test_sets_without_ground_truth_have_input_only(tmp_path):
    make(tmp_path, "a/1.jpg", "a/2.png", "a/target/3.png")
    found = plan([tmp_path], entry(kind="real-rain", splits={"test": {}}))
    assert [(p.input.name, p.target) for p in found.pairs] == [("1.jpg", None), ("2.png", None)]
    assert [path.name for path, _ in found.left] == ["3.png"]


def test_what_has_no_place_is_listed_with_the_reason(tmp_path):
    make(
        tmp_path, "train/input/1.png", "train/target/1.png", "train/input/2.png",
        "train/target/3.png", "train/other/4.png", "val/input/5.png",
    )  # fmt: skip
    found = plan([tmp_path], entry())
    reasons = {path.name: reason for path, reason in found.left}
    assert len(found.pairs) == 1
    assert reasons == {
        "2.png": "has no clean partner",
        "3.png": "has no rainy partner",
        "4.png": "neither folder nor name says whether it is rainy or clean",
        "5.png": "split val does not exist in Tiny",
    }


def test_clutter_is_no_image(tmp_path):
    make(tmp_path, "train/input/1.png", "train/target/1.png", "__MACOSX/train/input/1.png")
    make(tmp_path, "train/input/.1.png")
    (tmp_path / "train" / "Thumbs.db").write_text("x")
    found = plan([tmp_path], entry())
    assert (len(found.pairs), found.left) == (1, ())


def test_two_files_for_one_place_are_refused(tmp_path):
    make(tmp_path, "train/input/1.png", "train/input/1.jpg", "train/target/1.png")
    with pytest.raises(BenchError) as refused:
        plan([tmp_path], entry())
    assert "both stand for image '1'" in one_line(refused.value)


def test_a_dry_run_writes_nothing(cli, tmp_path):
    names = ("rain", "norain")
    make(tmp_path / "got", *(f"rain_data_test_Light/{n}/{n}-{i:03d}.png" for n in names for i in range(1, 6)))  # fmt: skip
    before = tree(tmp_path)
    done = cli("data", "add", "Rain100L", tmp_path / "got", "--root", tmp_path / "d", "--dry-run")
    assert "test: 5 images (the set has 100)" in done.stdout
    assert "rain-001: " in done.stdout and "… 2 more" in done.stdout
    assert tree(tmp_path) == before


def test_real_folders_pair_up(shared):
    assert plan([shared / "data/Rain200H"], dataset_entry("Rain200H")).count("train") == 118
    assert plan([shared / "data/Rain100L"], dataset_entry("Rain100L")).count("test") == 20
    assert plan([shared / "data/BSDS500_clean"], dataset_entry("BSDS500")).count("val") == 100
