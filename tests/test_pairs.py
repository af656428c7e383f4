"""A split pairs every rainy image with its clean one, or says which file is wrong."""

import shutil

import numpy as np
import pytest
from helpers import noise, one_line, save
from PIL import Image, ImageCms

from derainbench.data.images import read_rgb
from derainbench.data.pairs import pairing_key, read_split
from derainbench.foundation.errors import BenchError


def split_of(folder, inputs, targets=(), size=(12, 16)):
    """A split folder with small images of the given names."""
    for side, names in (("input", inputs), ("target", targets)):
        for i, name in enumerate(names):
            save(folder / side / name, noise(*size, seed=i))
    return folder


def names(split) -> list[tuple[str, str]]:
    return [(p.input.name, p.target.name) for p in split.pairs]


def refusal(folder, **options) -> str:
    with pytest.raises(BenchError) as refused:
        read_split(folder, **options)
    return one_line(refused.value)


def test_same_names_pair(tmp_path):
    split = read_split(split_of(tmp_path, ["b.png", "a.png"], ["a.png", "b.png"]))
    assert names(split) == [("a.png", "a.png"), ("b.png", "b.png")]
    assert split.paired
    assert [p.name for p in split.pairs] == ["a.png", "b.png"]


def test_rain_pairs_with_norain(tmp_path):
    split = read_split(
        split_of(tmp_path, ["rain-001.png", "rain-002.png"], ["norain-002.png", "norain-001.png"])
    )
    assert names(split) == [("rain-001.png", "norain-001.png"), ("rain-002.png", "norain-002.png")]


def test_norain_pairs_with_norain(tmp_path):
    split = read_split(split_of(tmp_path, ["norain-7.png"], ["norain-7.png"]))
    assert names(split) == [("norain-7.png", "norain-7.png")]


def test_other_names_with_rain_in_them_are_taken_literally():
    assert pairing_key("rain-5") == pairing_key("norain-5") == "5"
    for stem in ("rain-x", "train-5", "rain-5-b", "norain5", "rainy-5"):
        assert pairing_key(stem) == stem


def test_extension_and_its_case_do_not_matter(tmp_path):
    split = read_split(split_of(tmp_path, ["a.PNG", "b.JPG"], ["a.png", "b.Png"]))
    assert names(split) == [("a.PNG", "a.png"), ("b.JPG", "b.Png")]


@pytest.mark.parametrize(
    ("inputs", "targets", "lonely"),
    [
        (["a.png", "b.png"], ["a.png"], "input/b.png"),
        (["a.png"], ["a.png", "c.png"], "target/c.png"),
        (["rain-1.png"], ["norain-2.png"], "input/rain-1.png"),
    ],
)
def test_file_without_a_partner_is_named(inputs, targets, lonely, tmp_path):
    assert refusal(split_of(tmp_path, inputs, targets)).startswith(f"{tmp_path}/{lonely}: ")


def test_unequal_sizes_are_refused(tmp_path):
    split_of(tmp_path, ["a.png"], ["a.png"])
    save(tmp_path / "target" / "a.png", noise(12, 15))
    message = refusal(tmp_path)
    assert "input/a.png is 12x16" in message and "target/a.png is 12x15" in message


@pytest.mark.parametrize("side", ["input", "target"])
def test_empty_folder_is_refused(side, tmp_path):
    split_of(tmp_path, ["a.png"], ["a.png"])
    (tmp_path / side / "a.png").unlink()
    assert refusal(tmp_path).startswith(f"{tmp_path}/{side}: holds no image")


def test_missing_folders_are_refused(tmp_path):
    assert refusal(tmp_path / "nowhere").startswith(f"{tmp_path}/nowhere: no such folder")
    (tmp_path / "target").mkdir()
    assert refusal(tmp_path).startswith(f"{tmp_path}: has no input/ folder")


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        (["a.png", "a.jpg"], ["a.png"]),
        (["a.png"], ["a.png", "a.bmp"]),
        (["rain-1.png", "norain-1.png"], ["norain-1.png"]),
        (["1.png"], ["norain-1.png", "1.png"]),
    ],
)
def test_two_files_for_one_image_are_refused(inputs, targets, tmp_path):
    assert "both stand for image" in refusal(split_of(tmp_path, inputs, targets))


def test_without_target_only_where_none_is_needed(tmp_path):
    split_of(tmp_path, ["a.png", "b.png"])
    assert "has no target/ folder" in refusal(tmp_path)
    split = read_split(tmp_path, need_target=False)
    assert not split.paired
    assert [(p.name, p.target) for p in split.pairs] == [("a.png", None), ("b.png", None)]


def test_without_target_two_files_of_one_stem_are_refused(tmp_path):
    # Both would be restored into a.png.
    assert "a.png" in refusal(split_of(tmp_path, ["a.png", "a.jpg"]), need_target=False)


def test_damaged_header_is_refused(tmp_path):
    split_of(tmp_path, ["a.png"], ["a.png"])
    (tmp_path / "target" / "a.png").write_bytes(b"nothing")
    assert refusal(tmp_path).startswith(f"{tmp_path}/target/a.png: not a readable image")


def test_digest_follows_names_and_contents_alone(tmp_path):
    folder = split_of(tmp_path / "one", ["a.png", "b.png"], ["a.png", "b.png"])
    digest = read_split(folder).digest
    shutil.copytree(folder, tmp_path / "two")
    assert read_split(tmp_path / "two").digest == digest
    (folder / "target" / "notes.txt").write_text("not an image")
    assert read_split(folder).digest == digest
    save(folder / "target" / "b.png", noise(12, 16, seed=9))
    changed = read_split(folder).digest
    assert changed != digest
    for side in ("input", "target"):
        (folder / side / "b.png").rename(folder / side / "c.png")
    assert read_split(folder).digest not in (changed, digest)


def clean_and_rainy(folder, clean: list[str], rainy: list[str]):
    for i, name in enumerate(clean):
        save(folder / "target" / name, noise(16, 16, seed=i))
    for name in rainy:
        save(folder / "input" / name, noise(16, 16, seed=9))
    return folder


def test_several_rainy_images_share_their_clean_one(tmp_path):
    split = read_split(
        clean_and_rainy(tmp_path, ["901.png", "902.png"], ["901_1.png", "901_14.png", "902_2.png"])
    )
    assert [(p.name, p.clean.name) for p in split.pairs] == [
        ("901_1.png", "901.png"), ("901_14.png", "901.png"), ("902_2.png", "902.png"),
    ]  # fmt: skip
    assert len(split.digest) == 64


def test_an_equal_name_comes_before_a_shared_one(tmp_path):
    split = read_split(clean_and_rainy(tmp_path, ["a.png", "a_1.png"], ["a.png", "a_1.png"]))
    assert [(p.name, p.clean.name) for p in split.pairs] == [
        ("a.png", "a.png"), ("a_1.png", "a_1.png"),
    ]  # fmt: skip


@pytest.mark.parametrize("side", ["input", "target"])
def test_a_second_copy_is_named(tmp_path, side):
    clean_and_rainy(tmp_path, ["926_10.png"], ["926_10.png"])
    save(tmp_path / side / "926_10(1).png", noise(16, 16))
    with pytest.raises(BenchError, match=r"926_10\(1\)\.png: a second copy of 926_10\.png\?"):
        read_split(tmp_path)


def test_one_side_turned_by_its_orientation_pairs_with_the_upright_other(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "target" / "a.png", noise(16, 24))
    (tmp_path / "input").mkdir()
    turned = np.ascontiguousarray(np.rot90(noise(16, 24)))
    Image.fromarray(turned).save(tmp_path / "input" / "a.png", exif=exif)
    [pair] = read_split(tmp_path).pairs
    assert np.array_equal(read_rgb(pair.input), read_rgb(pair.clean))


def test_sides_of_other_colour_profiles_are_refused(tmp_path):
    clean_and_rainy(tmp_path, ["a.png"], [])
    (tmp_path / "input").mkdir()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(noise(16, 16))
    image.save(tmp_path / "input" / "a.png", icc_profile=srgb)
    read_split(tmp_path)  # sRGB is what an image without a profile is taken for
    image.save(tmp_path / "input" / "a.png", icc_profile=b"\0" * 200)
    with pytest.raises(BenchError, match=r"has the colour profile 'damaged profile' but .*'sRGB'"):
        read_split(tmp_path)
