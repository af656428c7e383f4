"""Digests of image folders: other content gives another digest, and only changed files are read."""

import os

import pytest

from derainbench.workflow import image_digests
from derainbench.workflow.image_digests import ImageDigests


@pytest.fixture
def split(tmp_path):
    folder = tmp_path / "set" / "test"
    for side in ("input", "target"):
        (folder / side).mkdir(parents=True)
        for name in ("a.png", "b.png"):
            (folder / side / name).write_bytes(f"{side} {name}".encode())
    return folder


@pytest.fixture
def digest(tmp_path):
    """The digest of folders as a new process takes it."""
    return lambda *folders: ImageDigests(tmp_path / "cache.json").of(*folders)


def test_equal_content_has_an_equal_digest_wherever_it_lies(split, digest, tmp_path):
    before = digest(split)
    assert len(before) == 16
    split.rename(tmp_path / "elsewhere")
    assert digest(tmp_path / "elsewhere") == before


def test_times_alone_change_nothing(split, digest):
    before = digest(split)
    os.utime(split / "input" / "a.png", (1, 1))
    os.utime(split, (1, 1))
    assert digest(split) == before


@pytest.mark.parametrize("change", ["replaced", "added", "renamed", "removed", "swapped"])
def test_another_image_changes_the_digest(change, split, digest):
    before, image = digest(split), split / "input" / "a.png"
    match change:
        case "replaced":
            image.write_bytes(image.read_bytes()[:-1] + b"?")  # of the same size
        case "added":
            (split / "input" / "c.png").write_bytes(b"")
        case "renamed":
            image.rename(image.with_name("z.png"))
        case "removed":
            image.unlink()
        case "swapped":
            other = split / "target" / "a.png"
            mine, theirs = image.read_bytes(), other.read_bytes()
            image.write_bytes(theirs)
            other.write_bytes(mine)
    assert digest(split) != before


def test_a_folder_that_is_not_there_yet_is_looked_at_again(split, tmp_path):
    digests = ImageDigests(tmp_path / "cache.json")
    assert digests.of(tmp_path / "later") == ""
    split.rename(tmp_path / "later")
    assert digests.of(tmp_path / "later") != ""


def test_a_file_is_read_once_until_it_changes(split, digest, monkeypatch):
    read = []
    hashed = image_digests.sha256
    monkeypatch.setattr(
        image_digests, "sha256", lambda file: read.append(file.name) or hashed(file)
    )
    before = digest(split)
    assert sorted(read) == ["a.png", "a.png", "b.png", "b.png"]
    read.clear()
    assert digest(split) == before
    assert read == []
    (split / "input" / "b.png").write_bytes(b"new")
    digest(split)
    assert read == ["b.png"]


def test_a_damaged_cache_is_made_anew(split, digest, tmp_path):
    before = digest(split)
    for damage in ("{", "[]", '{"x": 1}', '{"x": [1, 2]}', "\x00"):
        (tmp_path / "cache.json").write_text(damage)
        assert digest(split) == before


def test_hidden_files_are_no_images(split, digest):
    before = digest(split)
    (split / "input" / ".DS_Store").write_bytes(b"x")
    (split / ".partial").mkdir()
    assert digest(split) == before


def test_linked_folders_are_followed(split, digest, tmp_path):
    before = digest(split)
    (tmp_path / "linked").symlink_to(split)
    assert digest(tmp_path / "linked") == before
