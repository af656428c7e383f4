"""`derain`: photographs of anyone, by file, folder or pattern; none is lost, none written over."""

import json

import numpy as np
import pytest
from helpers import noise, one_line, read_json, save, tree
from PIL import Image

from derainbench.data.images import read_picture, read_rgb
from derainbench.evaluation.batch import derain, photographs, side_by_side
from derainbench.evaluation.named_weights import find_weights
from derainbench.evaluation.restoration import Restorer
from derainbench.foundation.errors import BenchError
from derainbench.foundation.outputs import overwriting


@pytest.fixture
def restorer(prn_weights) -> Restorer:
    return Restorer("prn_r", prn_weights, device="cpu")


@pytest.fixture
def album(tmp_path, monkeypatch):
    """photos/ with four images, one of them below a folder, and one damaged."""
    save(tmp_path / "photos" / "a.png", noise(20, 30))
    save(tmp_path / "photos" / "b.bmp", noise(9, 17))
    save(tmp_path / "photos" / "sub" / "a.png", noise(12, 12))
    save(tmp_path / "photos" / "sub" / "c.webp", noise(12, 12))
    (tmp_path / "photos" / "damaged.png").write_text("no image")
    (tmp_path / "photos" / "notes.txt").write_text("no image")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*places, **options) -> list[str]:
    from pathlib import Path

    return [str(p.name) for p in photographs([Path(place) for place in places], **options)]


def test_files_folders_and_patterns_name_images(album):
    assert names("photos/a.png", "photos/b.bmp") == ["a.png", "b.bmp"]
    assert names("photos") == ["a.png", "b.bmp", "damaged.png"]
    assert names("photos", recursive=True) == [
        "a.png", "b.bmp", "damaged.png", "sub/a.png", "sub/c.webp",
    ]  # fmt: skip
    assert names("photos/*") == ["a.png", "b.bmp", "damaged.png"]
    assert names("photos/**/c.*") == ["c.webp"]
    assert names("photos/a.png", "photos/a.png") == ["a.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(album):
    save(album / "photos" / "x[1].png", noise(9, 9))
    assert names("photos/x[1].png") == ["x[1].png"]


@pytest.mark.parametrize("place", ["empty", "photos/*.tif", "none/*.png"])
def test_a_place_without_images_is_refused(album, place):
    (album / "empty").mkdir()
    with pytest.raises(BenchError, match="no image"):
        names(place)


def test_a_bad_image_does_not_lose_the_others(cli, album, prn_weights):
    weights = ("--weights", prn_weights, "--model", "prn_r", "--device", "cpu")
    done = cli("derain", "photos", "gone.png", *weights, "--out", "out")
    assert done.code == 1
    assert done.stdout.split() == ["out/a.png", "out/b.bmp"]
    errors = [line for line in done.stderr.splitlines() if line.startswith("derainbench: error: ")]
    assert [line.split(": ")[2] for line in errors] == ["photos/damaged.png", "gone.png"]
    assert tree(album / "out").keys() == {"a.png", "b.bmp", "derain.provenance.json"}


def test_what_is_restored_is_what_the_network_gives(album, restorer):
    outcome = derain(photographs([album / "photos"]), restorer, album / "out")
    assert [file.name for file in outcome.restored] == ["a.png", "b.bmp"]
    for file in outcome.restored:
        assert np.array_equal(read_rgb(file), restorer(read_rgb(album / "photos" / file.name)))
    record = read_json(album / "out" / "derain.provenance.json")
    assert record["outputs"].keys() == {"a.png", "b.bmp"}
    assert record["inputs"].keys() == {
        "weights",
        *(f"{album}/photos/{n}" for n in ("a.png", "b.bmp")),
    }


@pytest.mark.parametrize(
    ("suffix", "expected"),
    [(None, {"a.png", "b.bmp"}), (".jpg", {"a.jpg", "b.jpg"}), (".tif", {"a.tif", "b.tif"})],
)
def test_the_format_is_the_images_own_or_the_one_asked_for(album, restorer, suffix, expected):
    (album / "photos" / "damaged.png").unlink()
    derain(photographs([album / "photos"]), restorer, album / "out", suffix=suffix)
    files = [file for file in (album / "out").iterdir() if file.suffix != ".json"]
    assert {file.name for file in files} == expected
    kinds = {".png": "PNG", ".bmp": "BMP", ".jpg": "JPEG", ".tif": "TIFF"}
    for file in files:
        with Image.open(file) as image:
            assert image.format == kinds[file.suffix]


def test_pictures_before_and_after_lie_side_by_side(album, restorer):
    photo = album / "photos" / "a.png"
    derain(photographs([photo]), restorer, album / "out", compare=True)
    both = read_rgb(album / "out" / "compared" / "a.png")
    assert both.shape == (20, 68, 3)
    assert np.array_equal(both, side_by_side(read_rgb(photo), read_rgb(album / "out" / "a.png")))
    assert (both[:, 30:38] == 255).all()


def test_images_of_one_stem_have_pictures_of_their_own(album, restorer):
    save(album / "photos" / "a.bmp", noise(9, 9))
    images = photographs([album / "photos" / "a.png", album / "photos" / "a.bmp"])
    derain(images, restorer, album / "out", compare=True)
    compared = {file.name for file in (album / "out" / "compared").iterdir()}
    assert compared == {"a.png", "a.bmp.png"}


def test_a_picture_that_an_image_would_be_written_over_by_is_refused(album, restorer):
    save(album / "photos" / "compared" / "a.png", noise(9, 9))
    images = photographs([album / "photos"], recursive=True)
    with pytest.raises(BenchError, match="would both be written as"):
        derain(images, restorer, album / "out", compare=True)


def test_an_orientation_is_applied_and_a_profile_kept(album, restorer):
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108
    Image.fromarray(noise(20, 30)).save(album / "p.png", exif=exif, icc_profile=profile)
    [restored] = derain(photographs([album / "p.png"]), restorer, album / "out").restored
    picture = read_picture(restored)
    assert picture.pixels.shape == (30, 20, 3) and picture.profile == profile
    with Image.open(restored) as image:
        assert 0x0112 not in image.getexif()


def test_two_images_of_one_name_are_refused_before_the_work(album, restorer):
    places = [album / "photos" / "a.png", album / "photos" / "sub" / "a.png"]
    with pytest.raises(BenchError) as refused:
        derain(photographs(places), restorer, album / "out")
    assert "would both be written as" in one_line(refused.value)
    assert not (album / "out").exists()


@pytest.mark.parametrize("told", [False, True])
def test_an_image_is_never_written_over_by_its_restored_version(album, restorer, told):
    before = tree(album)
    with pytest.raises(BenchError, match="would be written over"), overwriting(told):
        derain(photographs([album / "photos" / "a.png"]), restorer, album / "photos")
    assert tree(album) == before


def test_an_image_of_others_in_the_output_folder_is_kept(album, restorer):
    save(album / "out" / "a.png", noise(4, 4))
    before = tree(album)
    with pytest.raises(BenchError, match="exists already and was not made here"):
        derain(photographs([album / "photos" / "a.png"]), restorer, album / "out")
    assert tree(album) == before
    derain(photographs([album / "photos" / "b.bmp"]), restorer, album / "out")  # beside it


def test_a_batch_that_is_broken_off_keeps_what_it_made_and_can_be_run_again(album, restorer):
    images = photographs([album / "photos" / "a.png", album / "photos" / "b.bmp"])
    calls = []

    def interrupted(pixels):
        calls.append(pixels)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return restorer(pixels)

    interrupted.settings, interrupted.weights = restorer.settings, restorer.weights
    interrupted.device = restorer.device
    with pytest.raises(KeyboardInterrupt):
        derain(images, interrupted, album / "out")
    assert tree(album / "out").keys() == {"a.png", "derain.provenance.json"}
    assert len(derain(images, restorer, album / "out").restored) == 2


def test_tiles_are_of_the_size_that_is_asked_for(prn_weights):
    tiled = Restorer("prn_r", prn_weights, device="cpu", tile=32, overlap=8)
    assert {**tiled.settings, "inference": "tiled", "tile": 32, "overlap": 8} == tiled.settings
    whole = Restorer("prn_r", prn_weights, device="cpu")
    image = noise(70, 50)
    assert np.abs(tiled(image).astype(int) - whole(image)).max() <= 60
    for tile, overlap, message in ((32, 32, "cannot overlap"), (16, 20, "cannot overlap")):
        with pytest.raises(BenchError, match=message):
            Restorer("prn_r", prn_weights, device="cpu", tile=tile, overlap=overlap)


@pytest.fixture
def results(tmp_path, monkeypatch, prn_weights):
    """A folder with results of two configurations: runs of PReNet's small relative, and ESDNet's."""
    for config, runs in {"smoke": ("first", "esd"), "other": ("first", "second")}.items():
        folder = tmp_path / "results" / config
        spec = {"train": {"dataset": "rain", "seeds": [1]}, "test": ["rain"]}
        content = {
            "name": config,
            "label": "smoke",
            "title": "t",
            "datasets": {"rain": {"kind": "synthetic", "rain": "heavy"}},
            "runs": {n: spec | {"model": "esdnet" if n == "esd" else "prn_r"} for n in runs},
            "figures": {"dataset": "rain"},
        }
        for run in runs:
            file = folder / "runs" / run / "seed-1" / "model.safetensors"
            file.parent.mkdir(parents=True)
            file.write_bytes(prn_weights.read_bytes())
        (folder / "config.json").write_text(json.dumps(content))
    (tmp_path / "results" / "broken").mkdir()
    (tmp_path / "results" / "broken" / "config.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "file", "model"),
    [
        ("second", "other/runs/second", "prn_r"),
        ("second/seed-1", "other/runs/second", "prn_r"),
        ("smoke/first", "smoke/runs/first", "prn_r"),
        ("other/first/seed-1", "other/runs/first", "prn_r"),
        (None, "smoke/runs/esd", "esdnet"),
    ],
)
def test_weights_go_by_the_name_of_their_run(results, name, file, model):
    found = find_weights(name)
    assert found.file.as_posix() == f"results/{file}/seed-1/model.safetensors"
    assert found.model == model


def test_a_name_of_several_runs_or_none_is_refused(results):
    with pytest.raises(BenchError, match=r"several files go by that name; give one: results/other"):
        find_weights("first")
    with pytest.raises(BenchError, match=r"no such weight file.*\(did you mean 'second'\?\)"):
        find_weights("secnd")


def test_official_weights_go_by_model_and_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match="derainbench weights fetch prenet"):
        find_weights("prenet/Rain200H")
    file = tmp_path / str(find_weights_error_file())
    file.parent.mkdir(parents=True)
    file.touch()
    found = find_weights("prenet/Rain200H")
    assert (found.model, found.file.resolve()) == ("prenet", file.resolve())


def find_weights_error_file() -> str:
    try:
        find_weights("prenet/Rain200H")
    except BenchError as error:
        return str(error).partition(":")[0]
    raise AssertionError("weights are there already")


def test_without_results_weights_must_be_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BenchError, match="give --weights, or run `make reproduce` first"):
        find_weights(None)
