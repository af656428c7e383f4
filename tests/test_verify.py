"""`data verify` reads everything, finds what is wrong, and says whether a set is the real thing."""

import subprocess
import sys
from pathlib import Path

import imagehash
import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, noise, one_line, read_json, refusal, save
from PIL import Image

from derainbench.catalog.dataset_entries import DatasetEntry, RainyScore, dataset_entry
from derainbench.data.pairs import dataset_digests, read_split
from derainbench.data.pixels import (
    background_key,
    orientation_of,
    perceptual_hashes,
    pixel_digest,
    rain_facts,
)
from derainbench.data.verify import verify
from derainbench.foundation.errors import BenchError

SIZE = (32, 48)
TURNS = list(Image.Transpose)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A set of three pairs, and the entry that a true copy satisfies."""
    digests = {}
    for i in range(1, 4):
        clean = noise(*SIZE, seed=i) // 2
        rainy = clean + noise(*SIZE, seed=50 + i)[..., :1] // 4
        for side, image in (("input", rainy), ("target", clean)):
            save(tmp_path / "Tiny" / "test" / side / f"{i}.png", image)
            digests[side, str(i)] = pixel_digest(image)
    monkeypatch.setattr("derainbench.data.verify.known_digests", lambda file: digests)
    entry = DatasetEntry.model_validate(
        {
            "name": "Tiny",
            "title": "t",
            "citation": "c",
            "licence": "l",
            "splits": {
                "test": {
                    "images": 3,
                    "sizes": [SIZE],
                    "digests": "some.csv",
                    "rain_model": "achromatic-additive",
                }
            },
            "unpacked_gb": 0.1,
            "sources": ["s"],
        }
    )
    return tmp_path / "Tiny", entry


def findings(found, verdict="fail"):
    return {c["check"]: c["found"] for c in found["checks"] if c["verdict"] == verdict}


def edit(file, change):
    save(file, np.ascontiguousarray(change(np.asarray(Image.open(file)))))


def test_a_true_copy_is_verified(tiny):
    found = verify(*tiny)
    assert found["status"] == "verified"
    assert {c["verdict"] for c in found["checks"]} == {"ok"}


def test_without_digests_a_copy_is_complete_at_best(tiny):
    folder, entry = tiny
    facts = entry.splits["test"].model_copy(update={"digests": None})
    found = verify(folder, entry.model_copy(update={"splits": {"test": facts}}))
    assert found["status"] == "complete"
    assert findings(found, "unknown").keys() == {"pixels"}


def test_rotated_images_are_recognised(tiny):
    folder, entry = tiny
    for side in ("input", "target"):
        edit(folder / "test" / side / "2.png", np.rot90)
    wide = entry.splits["test"].model_copy(update={"sizes": (SIZE, SIZE[::-1])})
    found = verify(folder, entry.model_copy(update={"splits": {"test": wide}}))
    assert found["status"] == "rotated"
    assert findings(found, "note") == {"pixels": "2 equal; 1 rotated by 270 degrees (2.png)"}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (lambda f: edit(f / "input" / "1.png", lambda a: a ^ 1), "pixels"),
        (lambda f: (f / "target" / "1.png").unlink(), "paired"),
        (lambda f: (f / "input" / "1.png").write_bytes(b"<html>quota</html>"), "readable"),
        (lambda f: edit(f / "input" / "1.png", lambda a: a[:-1]), "equal sizes"),
        (lambda f: edit(f / "input" / "1.png", lambda a: a // 4), "rain adds light"),
        (lambda f: edit(f / "input" / "1.png", lambda a: a + np.uint8([0, 1, 2])), "rain is grey"),
        (lambda f: [(f / s / "3.png").unlink() for s in ("input", "target")], "images"),
    ],
)
def test_each_kind_of_damage_is_found(tiny, change, check):
    folder, entry = tiny
    change(folder / "test")
    found = verify(folder, entry)
    assert found["status"] == "deviates"
    assert check in findings(found)


def test_all_damage_is_reported_at_once(tiny):
    folder, entry = tiny
    (folder / "test" / "target" / "1.png").unlink()
    (folder / "test" / "input" / "2.png").write_bytes(b"no image")
    found = findings(verify(folder, entry))
    assert found["paired"] == "1 not: input/1.png"
    assert found["readable"] == "1 not: 2.png"
    assert found["images"] == "1"


def test_a_part_is_a_subset_only_if_told_so(tiny):
    folder, entry = tiny
    for side in ("input", "target"):
        (folder / "test" / side / "3.png").unlink()
    assert verify(folder, entry)["status"] == "deviates"
    assert verify(folder, entry, subset=True)["status"] == "subset"


def test_a_missing_split_fails_unless_it_is_not_wanted(tiny):
    folder, entry = tiny
    both = entry.model_copy(update={"splits": {**entry.splits, "train": entry.splits["test"]}})
    assert verify(folder, both)["status"] == "deviates"
    assert verify(folder, both, splits=["test"])["status"] == "subset"


def test_findings_are_files_that_say_the_same_every_time(tiny, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for out in (first, second):
        verify(*tiny, out=out)
    for name in ("dataset.json", "images.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    images = pd.read_csv(first / "images.csv")
    assert images.image.tolist() == ["1.png", "2.png", "3.png"]
    assert (images.streak_density > 0).all() and (images.below == 0).all()
    assert read_json(first / "dataset.json.provenance.json")["inputs"].keys() == {"test"}


def test_images_that_changed_since_are_refused(tiny, tmp_path):
    folder, entry = tiny
    verify(folder, entry, out=tmp_path / "facts")
    record = tmp_path / "facts" / "dataset.json"
    assert dataset_digests(read_split(folder / "test"), record).keys() == {"data", "dataset.json"}
    edit(folder / "test" / "input" / "1.png", lambda a: a ^ 1)
    with pytest.raises(BenchError) as refused:
        dataset_digests(read_split(folder / "test"), record)
    assert "not the images that were verified" in one_line(refused.value)


def test_the_command_ends_with_1_for_another_set(cli, paired_set, tmp_path):
    folder = paired_set(splits={"test": 2}, size=SIZE)
    done = cli("data", "verify", folder, "--as", "Rain100L")
    assert done.code == 1
    assert "Rain100L: deviates: not the real thing" in done.stdout
    assert cli("data", "verify", folder).code == 0
    assert "no such folder" in refusal(cli("data", "verify", "Rain100L", "--root", tmp_path), 1)


def test_the_rainy_score_is_held_against_the_catalogue_for_whole_sets_only(tiny):
    folder, entry = tiny
    score = RainyScore(protocol="matlab-double", psnr=1.0, ssim=0.1)
    facts = entry.splits["test"].model_copy(update={"rainy": score})
    wrong = entry.model_copy(update={"splits": {"test": facts}})
    assert "rainy score (matlab-double)" in findings(verify(folder, wrong))
    (folder / "test" / "input" / "3.png").unlink()
    (folder / "test" / "target" / "3.png").unlink()
    part = verify(folder, wrong, subset=True)
    assert part["status"] == "subset"
    assert "over 2 images only" in findings(part, "note")["rainy score (matlab-double)"]


@pytest.mark.parametrize("turn", TURNS)
def test_orientations_share_one_background(turn):
    image = noise(*SIZE, seed=3)
    turned = np.asarray(Image.fromarray(image).transpose(turn))
    assert background_key(turned) == background_key(image)
    assert background_key(noise(*SIZE, seed=4)) != background_key(image)
    name = orientation_of(turned, pixel_digest(image))
    assert name not in (None, "upright")
    upright = imagehash.hex_to_hash(perceptual_hashes(turned)[0])
    # Not always equal: a picture is shrunk first along one axis, then along the other.
    assert min(upright - imagehash.hex_to_hash(h) for h in perceptual_hashes(image)) <= 8


def test_rain_facts_by_hand():
    clean = np.full((2, 5, 3), 100, np.uint8)
    rainy = clean.copy()
    rainy[0, 0] += 16  # covered
    rainy[0, 1] += 15  # not enough
    rainy[0, 2] = (255, 255, 140)  # clipped in two channels: says nothing of colour
    rainy[0, 3] = (120, 130, 120)  # coloured
    rainy[1, 0, 0] -= 1  # darker
    facts = rain_facts(rainy, clean)
    assert facts.streak_density == pytest.approx(3 / 10)
    assert facts.below == pytest.approx(1 / 30)
    assert facts.coloured == pytest.approx(2 / 10)
    assert facts.mean_layer == pytest.approx((48 + 45 + 350 + 70 - 1) / 30)


@pytest.mark.parametrize(("name", "images"), [("Rain100L", 20), ("Rain200H", 60)])
def test_real_subsets_pass_with_every_pixel_right(shared, name, images):
    found = verify(shared / "data" / name, dataset_entry(name), subset=True)
    assert found["splits"]["test"]["status"] == "subset"
    assert found["status"] == "subset"
    pixels = next(c for c in found["checks"] if c["check"] == "pixels" and c["split"] == "test")
    assert pixels["found"] == f"{images} equal"


def test_a_real_image_on_its_side_is_recognised(shared, tmp_path):
    source = shared / "data" / "Rain200H" / "test"
    name = sorted((source / "input").iterdir())[0].name
    for side in ("input", "target"):
        image = np.asarray(Image.open(source / side / name))
        save(tmp_path / "test" / side / name, np.ascontiguousarray(np.rot90(image)))
    found = verify(tmp_path, dataset_entry("Rain200H"), subset=True)
    assert "rotated by" in findings(found, "note")["pixels"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_set(tmp_path):
    """Peak memory of verifying 16 and 160 pairs of the usual size, in processes of their own."""
    images = {s: noise(321, 481, seed=i) for i, s in enumerate(("input", "target"))}
    peaks = {}
    for count in (16, 160):
        for side, image in images.items():
            first = save(tmp_path / str(count) / "test" / side / "0.png", image)
            for i in range(1, count):
                (first.parent / f"{i}.png").hardlink_to(first)
        peaks[count] = peak_memory("data", "verify", tmp_path / str(count))
    assert peaks[160] < 500e6
    assert peaks[160] < peaks[16] + 60e6


def peak_memory(*arguments) -> int:
    # VmHWM, not ru_maxrss: the latter also counts the test process that this one is forked from.
    code = "import runpy\ntry: runpy.run_module('derainbench', run_name='__main__')\n"
    code += "finally: print(open('/proc/self/status').read())"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def test_images_below_the_window_of_ssim_are_named_as_that(tmp_path):
    for name, side in (("large.png", 40), ("small.png", 10)):
        for part in ("input", "target"):
            save(tmp_path / "test" / part / name, noise(side, side, seed=len(part)))
    found = verify(tmp_path / "test", out=tmp_path / "facts")
    [check] = [c for c in found["checks"] if c["check"] == "large enough for SSIM"]
    assert check["verdict"] == "fail" and "small.png" in check["found"]
    [readable] = [c for c in found["checks"] if c["check"] == "readable"]
    assert readable["verdict"] == "ok"


def test_rainy_versions_of_one_clean_image_are_pairs(tmp_path):
    save(tmp_path / "test" / "target" / "901.png", noise(40, 40))
    for i in range(3):
        save(tmp_path / "test" / "input" / f"901_{i}.png", noise(40, 40, seed=i))
    assert verify(tmp_path / "test")["splits"]["test"]["images"] == 3


def test_a_split_without_a_single_pair_says_so(tmp_path):
    save(tmp_path / "test" / "target" / "a.png", noise(40, 40))
    save(tmp_path / "test" / "input" / "b.png", noise(40, 40))
    with pytest.raises(BenchError, match=r"no image is usable; input/b\.png: has no partner"):
        verify(tmp_path / "test")
