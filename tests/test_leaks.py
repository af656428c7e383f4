"""Backgrounds shared by training and test images are found: exact, turned, and nearly equal."""

import io

import numpy as np
import pandas as pd
import pytest
import skimage.data
from helpers import noise, read_json, refusal, save
from PIL import Image, ImageEnhance

from derainbench.data.leaks import NEAR, audit
from derainbench.data.verify import verify


def photograph(name="astronaut", top=0) -> np.ndarray:
    return np.ascontiguousarray(getattr(skimage.data, name)()[top : top + 160, 50:290])


def build(root, name, **splits):
    """A set with those clean images per split; the rainy side is noise."""
    for split, images in splits.items():
        for i, image in enumerate(images):
            save(root / name / split / "target" / f"{i}.png", np.ascontiguousarray(image))
            save(root / name / split / "input" / f"{i}.png", noise(*image.shape[:2], seed=i))
    verify(root / name, out=root / "facts" / name)
    return root / "facts" / name


def shared_backgrounds(tmp_path, train, test):
    facts = {"A": build(tmp_path, "A", train=train), "B": build(tmp_path, "B", test=test)}
    content = audit(facts, tmp_path / "out")
    assert len(content["comparisons"]) == 1
    return content["comparisons"][0], pd.read_csv(tmp_path / "out" / "leaks.csv")


def jpeg(image, quality=50):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


CHANGES = {
    "jpeg": jpeg,
    "half size": lambda a: np.asarray(
        Image.fromarray(a).resize((a.shape[1] // 2, a.shape[0] // 2))
    ),
    "brighter": lambda a: np.asarray(ImageEnhance.Brightness(Image.fromarray(a)).enhance(1.2)),
    "cropped": lambda a: a[3:-3, 4:-4],
    "turned and compressed": lambda a: jpeg(np.ascontiguousarray(np.rot90(a))),
    "mirrored and compressed": lambda a: jpeg(np.ascontiguousarray(a[:, ::-1])),
}


def test_different_photographs_share_nothing(tmp_path):
    train = [photograph("astronaut"), photograph("coffee")]
    counts, rows = shared_backgrounds(
        tmp_path, train, [photograph("chelsea"), photograph("rocket")]
    )
    assert (counts["exact"], counts["near"]) == (0, 0)
    assert rows.empty


@pytest.mark.parametrize("turn", [None, *Image.Transpose])
def test_equal_pixels_are_found_in_every_orientation(tmp_path, turn):
    clean = photograph()
    turned = clean if turn is None else np.asarray(Image.fromarray(clean).transpose(turn))
    counts, rows = shared_backgrounds(tmp_path, [photograph("coffee"), clean], [turned])
    assert (counts["exact"], counts["near"]) == (1, 0)
    row = rows.iloc[0]
    assert (row.train_image, row.test_image, row.kind) == ("1.png", "0.png", "exact")
    assert (row.orientation == "upright") == (turn is None)


@pytest.mark.parametrize("change", CHANGES)
def test_near_copies_are_found(tmp_path, change):
    counts, rows = shared_backgrounds(tmp_path, [photograph()], [CHANGES[change](photograph())])
    assert (counts["exact"], counts["near"]) == (0, 1)
    assert rows.kind[0] == "near" and rows.bits[0] <= NEAR


def test_a_test_image_counts_once_however_often_it_was_trained_on(tmp_path):
    counts, rows = shared_backgrounds(tmp_path, [photograph()] * 3, [photograph()])
    assert (counts["exact"], len(rows)) == (1, 3)


def test_every_training_split_meets_every_test_split(tmp_path):
    image = [photograph()]
    facts = {
        "A": build(tmp_path, "A", train=image, val=image),
        "B": build(tmp_path, "B", train=[photograph("coffee")], test=image),
    }
    content = audit(facts, tmp_path / "out")
    found = {
        (c["train_set"], c["test_set"], c["test_split"]): c["exact"] for c in content["comparisons"]
    }
    assert found == {
        ("A", "A", "val"): 1,
        ("A", "B", "test"): 1,
        ("B", "A", "val"): 0,
        ("B", "B", "test"): 0,
    }


def test_sets_without_ground_truth_are_compared_by_their_only_images(tmp_path):
    build(tmp_path, "A", train=[photograph()])
    save(tmp_path / "Real" / "test" / "input" / "0.jpg", photograph())
    verify(tmp_path / "Real", out=tmp_path / "facts" / "Real")
    facts = {name: tmp_path / "facts" / name for name in ("A", "Real")}
    assert audit(facts, tmp_path / "out")["comparisons"][0]["near"] == 1


def test_the_command_shows_the_pairs(cli, tmp_path):
    build(tmp_path, "A", train=[photograph()], test=[photograph(), photograph("coffee")])
    done = cli("data", "leaks", tmp_path / "A", "--out", tmp_path / "out")
    assert done.stdout == (
        "A/train and A/test: 1 of 2 test backgrounds equal to a training background, "
        "0 nearly equal\n"
    )
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"leaks.csv", "leaks.json", "leaks.json.provenance.json", "leaks.png"}
    assert Image.open(tmp_path / "out" / "leaks.png").size[0] > 500


def test_facts_must_be_as_many_as_sets(cli, tmp_path):
    build(tmp_path, "A", test=[photograph()])
    done = cli("data", "leaks", tmp_path / "A", tmp_path / "A", "--facts", tmp_path, "--out", "x")
    assert "2 sets but 1 --facts" in refusal(done, 2)


def test_real_overlap_is_found_and_disjoint_sets_stay_clean(shared, tmp_path):
    facts = {}
    for name in ("Rain100L", "Rain200H"):
        facts[name] = tmp_path / name
        verify(shared / "data" / name, out=facts[name])
    audit(facts, tmp_path / "out")
    content = read_json(tmp_path / "out" / "leaks.json")
    found = {c["test_set"]: (c["exact"], c["near"]) for c in content["comparisons"]}
    assert found == {"Rain100L": (20, 0), "Rain200H": (0, 0)}
