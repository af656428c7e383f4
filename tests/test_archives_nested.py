"""Archives in archives are unpacked through, within the limits of one; or refused in one line."""

import random
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
import rarfile
from helpers import one_line, tree
from packing import (
    KINDS,
    lie_about_sizes,
    pack,
    patched_zip,
    picture,
    stored_rar,
    tar_info,
    zip_info,
)

from derainbench.catalog import dataset_entries
from derainbench.catalog.dataset_entries import DatasetEntry
from derainbench.data.acquisition import archives
from derainbench.data.acquisition.archive_formats import NeedsAPerson
from derainbench.data.acquisition.archives import unpack
from derainbench.foundation.errors import BenchError

ROOM = 1_000_000
A, B = picture(1), picture(2)


@pytest.fixture
def packed(tmp_path):
    """Packs files; gives the archive's bytes."""
    numbers = iter(range(1000))

    def make(files: dict[str, bytes], kind: str = ".zip") -> bytes:
        return pack(tmp_path / "parts" / f"{next(numbers)}{kind}", files).read_bytes()

    return make


def outer(tmp_path: Path, files: dict[str, bytes], kind: str = ".zip") -> Path:
    return pack(tmp_path / f"Set{kind}", files)


def unpacked(archive: Path, tmp_path: Path) -> dict[str, bytes]:
    out = tmp_path / "out"
    unpack(archive, out, ROOM)
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


def refused(archive: Path, tmp_path: Path, room: int = ROOM) -> str:
    shutil.rmtree(tmp_path / "box", ignore_errors=True)
    before = tree(tmp_path)
    with pytest.raises(BenchError) as error:
        unpack(archive, tmp_path / "box" / "out", room)
    after = tree(tmp_path)
    assert {k: v for k, v in after.items() if not k.startswith("box/out/")} == before
    assert sum(p.stat().st_size for p in (tmp_path / "box").rglob("*") if p.is_file()) < 3 * room
    message = one_line(error.value)
    assert message.startswith(f"{archive}: ")
    assert str(tmp_path / "box") not in message  # where the user sees nothing
    return message


@pytest.mark.parametrize("inside", KINDS)
@pytest.mark.parametrize("outside", KINDS)
def test_every_kind_in_every_kind(outside, inside, packed, tmp_path):
    train, test = packed({"rain/1.png": A, "x.txt": b"x"}, inside), packed({"1.png": B}, inside)
    files = {f"train{inside}": train, f"a/test.v2{inside}": test, "own.png": A, "b/": b""}
    found = unpacked(outer(tmp_path, files, outside), tmp_path)
    assert found == {"train/rain/1.png": A, "a/test/1.png": B, "own.png": A}


def nested(packed, depth: int) -> bytes:
    content = packed({"1.png": A, "left.txt": b"x"})
    for level in range(depth):
        content = packed({f"in{level}.zip": content, "left.txt": b"x"})
    return content


def test_three_levels_are_unpacked_and_what_is_left_is_counted(packed, tmp_path):
    archive = outer(tmp_path, {"in2.zip": nested(packed, 2)})
    assert unpack(archive, tmp_path / "out", ROOM) == 3
    assert [*tree(tmp_path / "out")] == ["in2/in1/in0/1.png"]


@pytest.mark.parametrize("depth", [3, 10])
def test_more_levels_are_refused(depth, packed, tmp_path):
    archive = outer(tmp_path, {"deep.zip": nested(packed, depth)})
    message = refused(archive, tmp_path)
    assert "archives in archives, more than 3 deep" in message
    assert "in it 'deep.zip': in it" in message


def test_equal_names_do_not_meet(packed, tmp_path):
    files = {
        "test/1.png": A,
        "test.zip": packed({"1.png": B}),
        "test.tar.gz": packed({"1.png": A, "2.png": A}, ".tar.gz"),
    }
    found = unpacked(outer(tmp_path, files), tmp_path)
    assert sorted(found.values()) == sorted([A, B, A, A])
    assert {Path(name).parent.name for name in found} == {"test"}


def test_archives_without_images_are_left(packed, tmp_path):
    files = {"code.zip": packed({"main.py": b"x"}), "1.png": A}
    assert unpacked(outer(tmp_path, files), tmp_path) == {"1.png": A}
    only = outer(tmp_path, {"code.zip": packed({"main.py": b"x"}), "__MACOSX/a.zip": b"x"}, ".tar")
    assert "holds no image" in refused(only, tmp_path)


def with_link(path: Path) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.png", A)
        archive.writestr(zip_info("link.png", stat.S_IFLNK | 0o777), "/etc/passwd")
    return path.read_bytes()


def link_as_archive(path: Path) -> Path:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tar_info("in.zip", type=tarfile.SYMTYPE, linkname="/etc/passwd"))
    return path


def locked(path: Path) -> bytes:
    pack(path, {"1.png": A})
    patched_zip(path, "flags", b"\x01\x00")
    return path.read_bytes()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda p, packed: packed({"../../evil.png": A}), "points outside"),
        (lambda p, packed: packed({"/evil.png": A}), "points outside"),
        (lambda p, packed: with_link(p / "x.zip"), "is a link or a device"),
        (lambda p, packed: locked(p / "x.zip"), "is encrypted; unpack it yourself"),
        (lambda p, packed: packed({"1.png": A})[:-30], "not a readable archive"),
        (lambda p, packed: b"no archive", "not a readable archive"),
        (lambda p, packed: b"", "not a readable archive"),
        (lambda p, packed: packed({"1.png": A, "b.png": bytes(900_000)}), "no photograph does"),
    ],
    ids=["outside", "absolute", "link", "locked", "cut", "text", "empty", "bomb"],
)
def test_what_is_refused_is_refused_inside_too(make, reason, packed, tmp_path):
    archive = outer(tmp_path, {"1.png": B, "a/in.zip": make(tmp_path, packed)})
    message = refused(archive, tmp_path)
    assert reason in message
    assert "in it 'a/in.zip': " in message


def test_an_archive_that_is_a_link_is_refused(tmp_path):
    assert "'in.zip' is a link" in refused(link_as_archive(tmp_path / "x.tar"), tmp_path)


def test_one_that_needs_a_person_says_so(tmp_path, monkeypatch):
    def no_tool(**_):
        raise rarfile.RarCannotExec("Cannot find working tool")

    monkeypatch.setattr(rarfile, "tool_setup", no_tool)
    archive = outer(tmp_path, {"in.rar": stored_rar([("1.png", A)], method=0x33)})
    with pytest.raises(NeedsAPerson, match=r"in it 'in\.rar': rar needs the program"):
        unpack(archive, tmp_path / "out", ROOM)


def heavy(seed: int, size: int = 300_000) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.mark.parametrize("inside", KINDS)
def test_images_of_all_archives_together_may_not_be_larger_than_the_set(inside, packed, tmp_path):
    files = {f"{i}{inside}": packed({"1.png": heavy(i)}, inside) for i in range(3)}
    assert len(unpacked(outer(tmp_path, files, ".tar"), tmp_path)) == 3
    files |= {"own.png": heavy(9)}
    message = refused(outer(tmp_path, files, ".tar"), tmp_path)
    assert "more than the 0.001 GB that a true copy can have" in message


@pytest.mark.parametrize("outside", KINDS)
def test_archives_themselves_may_not_be_larger_than_the_set(outside, packed, tmp_path):
    videos = {f"{i}.zip": packed({"1.mp4": heavy(i)}) for i in range(4)}
    assert "a true copy can have" in refused(outer(tmp_path, videos, outside), tmp_path)


def test_bytes_of_inner_archives_are_counted_whatever_headers_say(packed, tmp_path, monkeypatch):
    lie_about_sizes(monkeypatch)
    for outside in KINDS:
        videos = {f"{i}.zip": packed({"1.mp4": heavy(i)}) for i in range(4)}
        assert "0.001 GB" in refused(outer(tmp_path, videos, outside), tmp_path), outside


def test_entries_of_all_archives_count_together(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 8)
    files = {f"{i}.zip": packed({f"{j}.png": A for j in range(3)}) for i in range(3)}
    assert "more than 8 entries" in refused(outer(tmp_path, files), tmp_path)


def pairs(seed: int, **sides: str) -> dict[str, bytes]:
    return {
        f"{folder}{i}.png": picture(seed + 10 * i + len(side))
        for i in (1, 2)
        for side, folder in sides.items()
    }


SIDES = {"rain": "rain/", "norain": "norain/"}


@pytest.mark.parametrize("how", ["by split", "by side", "two levels", "mixed"])
def test_data_add_takes_a_set_out_of_archives_in_an_archive(
    how, packed, tmp_path, cli, monkeypatch
):
    entry = {
        **{"name": "Tiny", "title": "a tiny set", "citation": "none", "licence": "none"},
        **{"splits": {"train": {"images": 2}, "test": {"images": 2}}, "unpacked_gb": 0.0005},
        **{"mirrors": [], "sources": ["none"]},
    }
    known = {"Tiny": DatasetEntry(**entry)}
    import derainbench.data.listing  # noqa: F401  (first now would keep the invented catalogue)

    monkeypatch.setattr(dataset_entries, "dataset_entries", lambda: known)
    train, test = pairs(0, **SIDES), pairs(500, **SIDES)
    by_split = {"train.zip": packed(train), "test.tar.gz": packed(test, ".tar.gz")}
    files = {
        "by split": by_split,
        "by side": {
            f"{split}/{side}.zip": packed(
                {name.split("/")[1]: c for name, c in content.items() if name.startswith(side)}
            )
            for split, content in (("train", train), ("test", test))
            for side in SIDES
        },
        "two levels": {"Tiny.7z": packed(by_split, ".7z"), "readme.txt": b"x"},
        "mixed": {"train.zip": packed(train), **{f"test/{n}": c for n, c in test.items()}},
    }[how]
    archive = outer(tmp_path, files)
    done = cli("data", "add", "Tiny", archive, "--root", tmp_path / "data", "--dry-run")
    assert done.code == 0
    done = cli("data", "add", "Tiny", archive, "--root", tmp_path / "data")
    assert done.stdout.startswith("Tiny: 2 train, 2 test; complete: all checks passed"), done
    assert not [p for p in tree(tmp_path / "data") if p.endswith((".zip", ".gz", ".7z"))]
    bad = outer(tmp_path, {**files, "train/more.zip": b"no archive"}, ".tar")
    text = refusal_of_last_line(cli("data", "add", "Tiny", bad, "--root", tmp_path / "other"))
    assert "in it 'train/more.zip': not a readable archive" in text
    assert not (tmp_path / "other" / "Tiny").exists()


def refusal_of_last_line(done) -> str:
    """The refusal, after lines on progress."""
    assert done.code == 1
    return done.stderr.splitlines()[-1]
