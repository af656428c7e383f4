"""Decoded images that processes and runs share are those of the files: never stale, never torn."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import ROOT, noise, one_line, save
from torch.utils.data import DataLoader

from derainbench.data import decoded
from derainbench.data.crops import Crops
from derainbench.data.decoded import DecodedImages, Kept, image_reader
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256

LARGE = 10**9


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of decoded images; every set is large enough for it."""
    monkeypatch.setattr(decoded, "SMALL", 0)
    monkeypatch.setenv("DERAINBENCH_DECODED", str(tmp_path / "decoded"))
    return tmp_path / "decoded"


@pytest.fixture
def split(paired_set):
    return read_split(paired_set(splits={"train": 3}, size=(24, 32)) / "train")


def files_in(folder) -> list:
    return sorted(p for p in folder.rglob("*") if p.is_file())


def opened(folder, *images, bound=LARGE) -> DecodedImages:
    return DecodedImages(folder, {image: sha256(image) for image in images}, bound)


@pytest.fixture
def image(tmp_path):
    save(tmp_path / "a.png", noise(20, 30))
    return tmp_path / "a.png"


@pytest.fixture
def decodings(monkeypatch):
    """Names of the images that are decoded, as they are."""
    names = []

    def recording(path):
        names.append(path.name)
        return read_rgb(path)

    monkeypatch.setattr(decoded, "read_rgb", recording)
    return names


def same(one, two) -> bool:
    return all(
        torch.equal(a, b) for x, y in zip(one, two, strict=True) for a, b in zip(x, y, strict=True)
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_files_bit_for_bit(folder, split, workers):
    options = {"seed": 3, "per_image": 4, "augment": ["hflip", "rot90"], "pad": True}
    plain = list(DataLoader(Crops(split.pairs, 28, **options), 4))
    for _ in range(2):  # decoded and kept; then mapped
        crops = Crops(split.pairs, 28, **options, read=image_reader(split.file_digests))
        assert same(plain, list(DataLoader(crops, 4, num_workers=workers)))
    assert len(files_in(folder)) == 6


def test_what_one_run_decoded_the_next_one_maps(folder, split, decodings):
    for _ in range(2):
        read = image_reader(split.file_digests)
        images = [read(path) for path in split.file_digests for _ in range(2)]
        assert all(isinstance(image, np.memmap) for image in images[1::2])
        assert not any(image.flags.writeable for image in images[1::2])
    assert sorted(decodings) == sorted(path.name for path in split.file_digests)


def test_few_images_are_kept_in_memory_and_no_file_is_written(
    folder, split, monkeypatch, decodings
):
    monkeypatch.setattr(decoded, "SMALL", 10**6)
    read = image_reader(split.file_digests)
    path = split.pairs[0].input
    assert read(path) is read(path)
    assert len(decodings) == 1 and not folder.exists()


def test_memory_is_bounded_too(image, monkeypatch, decodings):
    monkeypatch.setattr(decoded, "LARGE", 20 * 30 * 3 - 1)
    read = Kept().read
    assert np.array_equal(read(image), read(image)) and len(decodings) == 2


def test_an_image_that_changed_is_never_stale(folder, image):
    facts = image.stat()
    assert np.array_equal(opened(folder, image).read(image), noise(20, 30))
    save(image, noise(20, 30, seed=1))
    os.utime(image, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert np.array_equal(opened(folder, image).read(image), noise(20, 30, seed=1))


def test_an_image_that_changes_during_a_run_is_not_kept_as_what_it_was(folder, image):
    run = opened(folder, image)
    save(image, noise(20, 30, seed=1))
    assert np.array_equal(run.read(image), noise(20, 30, seed=1))
    assert files_in(folder) == []


def test_another_decoder_finds_nothing_of_the_first(folder, image, monkeypatch, decodings):
    opened(folder, image).read(image)
    monkeypatch.setattr(decoded, "decoder", lambda: "another")
    opened(folder, image).read(image)
    assert len(decodings) == 2


@pytest.mark.parametrize("harm", ["flip", "header", "cut", "empty", "text"])
def test_a_damaged_file_is_decoded_again(folder, image, harm, decodings):
    opened(folder, image).read(image)
    [file] = files_in(folder)
    sound = file.read_bytes()
    damaged = {
        "flip": sound[:500] + bytes([sound[500] ^ 1]) + sound[501:],
        "header": sound.replace(b"(20, 30, 3)", b"(30, 20, 3)"),
        "cut": sound[:-100],
        "empty": b"",
        "text": b"none of NumPy's files\n" * 10,
    }[harm]
    assert damaged != sound
    file.write_bytes(damaged)
    assert np.array_equal(opened(folder, image).read(image), noise(20, 30))
    assert len(decodings) == 2 and file.read_bytes() == sound


FILL = """
import sys
from pathlib import Path
from derainbench.data.decoded import DecodedImages
from derainbench.foundation.files import sha256
images = sorted(Path(sys.argv[2]).iterdir())
run = DecodedImages(Path(sys.argv[1]), {path: sha256(path) for path in images}, 10**9)
for path in images:
    run.read(path)
"""


def test_processes_that_are_killed_and_run_at_once_leave_sound_files_alone(folder, tmp_path):
    for i in range(30):
        save(tmp_path / "images" / f"{i:02d}.png", noise(120, 150, seed=i))
    command = [sys.executable, "-c", FILL, folder, tmp_path / "images"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    first, second = (subprocess.Popen(command, env=environment) for _ in range(2))
    while not list(folder.rglob("*.npy")) and first.poll() is None:
        time.sleep(0.002)
    first.kill()
    first.wait()
    assert second.wait() == 0
    images = sorted((tmp_path / "images").iterdir())
    run = opened(folder, *images)
    assert len([p for p in files_in(folder) if not p.name.startswith(".")]) == 30
    for i, path in enumerate(images):
        pixels = run.read(path)
        assert isinstance(pixels, np.memmap) and np.array_equal(pixels, noise(120, 150, seed=i))


def test_room_is_made_by_deleting_what_was_not_used_for_longest(folder, tmp_path):
    images = [tmp_path / f"{i}.png" for i in range(4)]
    for i, path in enumerate(images):
        save(path, noise(20, 30, seed=i))
        run = opened(folder, path)
        run.read(path)
        os.utime(run.file_of(path), (1000 + i, 1000 + i))
    size = files_in(folder)[0].stat().st_size
    every = opened(folder, *images)
    mine = opened(folder, images[0], bound=3 * size)  # the oldest, but used now
    mine.make_room(1800)
    left = {path for path in images if every.file_of(path).exists()}
    assert left == {images[0], images[2], images[3]}
    assert every.file_of(images[0]).stat().st_mtime > 2000


def test_what_killed_processes_left_is_swept_after_a_while(folder, image):
    run = opened(folder, image)
    run.read(image)
    [file] = files_in(folder)
    old, young = (file.with_name(name) for name in (".old.npy", ".young.npy"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    run.make_room(0)
    assert files_in(folder) == sorted([file, young])


def test_a_full_folder_takes_no_more_and_says_so_once(folder, tmp_path, capsys):
    images = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(images):
        save(path, noise(20, 30, seed=i))
    run = opened(folder, *images, bound=0)
    for i, path in enumerate(images):
        assert np.array_equal(run.read(path), noise(20, 30, seed=i))
    assert files_in(folder) == []
    line = one_line(capsys.readouterr().err.strip())
    assert line.startswith(
        f"{folder}: no more decoded images are kept here (DERAINBENCH_DECODED_GB"
    )


def test_a_folder_that_cannot_be_written_to_stops_nothing(tmp_path, image, capsys):
    (tmp_path / "file").write_text("in the way")
    run = opened(tmp_path / "file" / "decoded", image)
    run.make_room(100)
    assert np.array_equal(run.read(image), noise(20, 30))
    assert "Not a directory" in one_line(capsys.readouterr().err.strip())


def test_files_of_somebody_else_are_used_and_left_alone(folder, image, monkeypatch, decodings):
    def refused(*_, **__):
        raise PermissionError(1, "Operation not permitted")

    run = opened(folder, image, bound=0)
    opened(folder, image).read(image)
    [file] = files_in(folder)
    other = file.with_name("another.npy")
    other.write_bytes(b"of another image")
    monkeypatch.setattr(os, "utime", refused)
    monkeypatch.setattr(Path, "unlink", refused)
    run.make_room(1800)
    assert isinstance(run.read(image), np.memmap) and len(decodings) == 1
    assert set(files_in(folder)) == {file, other}


def test_the_bound_is_chosen_and_0_turns_the_folder_off(folder, split, monkeypatch):
    monkeypatch.setenv("DERAINBENCH_DECODED_GB", "0")
    image_reader(split.file_digests)(split.pairs[0].input)
    assert not folder.exists()
    for text in ("much", "-1", "inf", "nan"):
        monkeypatch.setenv("DERAINBENCH_DECODED_GB", text)
        with pytest.raises(BenchError) as refused:
            image_reader(split.file_digests)
        assert one_line(refused.value) == (
            f"DERAINBENCH_DECODED_GB: '{text}' is no number of gigabytes"
        )
