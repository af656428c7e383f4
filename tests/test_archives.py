"""Images leave an archive for the target folder and nowhere else; all else is refused in one line."""

import os
import random
import stat
import tarfile
import zipfile
from pathlib import Path

import py7zr
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

from derainbench.data.acquisition import archives
from derainbench.data.acquisition.archive_formats import is_archive
from derainbench.data.acquisition.archives import unpack
from derainbench.foundation.errors import BenchError

ROOM = 1_000_000
A, B = picture(1), picture(2)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.removeprefix("."))


@pytest.fixture
def box(tmp_path) -> Path:
    """A folder around the target ``box/a/out``; what hostile archives aim at lies in it."""
    folder = tmp_path / "box"
    (folder / "a").mkdir(parents=True)
    (folder / "evil.png").write_bytes(b"mine")
    (folder / "a" / "evil.png").write_bytes(b"mine")
    return folder


def outside(box: Path) -> tuple:
    """All that is in the box but not in the target, links and modes included."""
    paths = [p for p in sorted(box.rglob("*")) if not p.is_relative_to(box / "a" / "out")]
    return [(p, p.lstat().st_mode) for p in paths], {
        name: digest for name, digest in tree(box).items() if not name.startswith("a/out/")
    }


def refusal(archive: Path, box: Path, room: int = ROOM) -> str:
    """Unpacks, expecting one line that names the archive, and nothing outside the target."""
    before = outside(box)
    with pytest.raises(BenchError) as refused:
        unpack(archive, box / "a" / "out", room)
    assert outside(box) == before
    message = one_line(refused.value)
    assert message.startswith(f"{archive}: ")
    return message


def unpacked(archive: Path, box: Path) -> dict[str, bytes]:
    out = box / "a" / "out"
    unpack(archive, out, ROOM)
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}


@every_kind
def test_images_are_unpacked_and_other_files_counted(kind, tmp_path, box):
    entries = {
        "set/train/rain-1.png": A,
        "set/test/RAIN-2.PNG": B,
        "readme.txt": b"hello",
        "run.sh": b"#!/bin/sh",
        "no-extension": b"",
        "__MACOSX/set/train/._rain-1.png": b"clutter",
        "set/train/._rain-1.png": b"clutter",
    }
    archive = pack(tmp_path / f"set{kind}", entries)
    before = outside(box)
    assert unpack(archive, box / "a" / "out", ROOM) == 5
    assert unpacked(archive, box) == {"set/train/rain-1.png": A, "set/test/RAIN-2.PNG": B}
    assert outside(box) == before


@every_kind
@pytest.mark.parametrize("called", ["set.rar", "set.zip", "set.7z", "set.tar.gz", "set", "set.php"])
def test_contents_say_what_an_archive_is_not_its_name(kind, called, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", {"1.png": A}).rename(tmp_path / called)
    assert is_archive(archive)
    assert unpacked(archive, box) == {"1.png": A}


@every_kind
@pytest.mark.parametrize(
    "name",
    [
        "../evil.png",
        "../../evil.txt",
        "x/../../../evil.png",
        "{box}/evil.png",
        "..\\evil.png",
        "x\\..\\..\\evil.png",
        "C:\\evil.png",
        "c:/evil.png",
        "C:evil.png",
        "\\evil.png",
        "\\\\host\\share\\evil.png",
        "//host/share/evil.png",
    ],
)
def test_a_path_that_leads_outside_is_refused(kind, name, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", {"1.png": A, name.format(box=box): B})
    if "outside" not in (message := refusal(archive, box)):
        raise AssertionError(message)
    assert not (box / "a" / "out").exists()


@every_kind
def test_folders_may_be_separated_as_on_windows(kind, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", {"train\\rain\\1.png": A, "train/norain/1.png": B})
    assert unpacked(archive, box) == {"train/rain/1.png": A, "train/norain/1.png": B}


def tar_with(path: Path, *infos: tarfile.TarInfo) -> Path:
    pack(path, {"1.png": A})
    with tarfile.open(path, "a") as archive:
        for info in infos:
            archive.addfile(info)
    return path


def zip_with_link(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.png", A)
        archive.writestr(zip_info("link.png", stat.S_IFLNK | 0o777), "/etc/passwd")
    return path


def seven_with_link(path: Path) -> Path:
    (path.parent / "link").symlink_to(__file__)
    with py7zr.SevenZipFile(path, "w") as archive:
        archive.write(path.parent / "link", "link.png")
        archive.writestr(A, "1.png")
    return path


@pytest.mark.parametrize(
    "make",
    [
        lambda p: tar_with(
            p / "x.tar", tar_info("l.png", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        ),
        lambda p: tar_with(p / "x.tar", tar_info("l.png", type=tarfile.LNKTYPE, linkname="1.png")),
        lambda p: tar_with(p / "x.tar", tar_info("l.txt", type=tarfile.LNKTYPE, linkname="../x")),
        lambda p: tar_with(p / "x.tar", tar_info("l.png", type=tarfile.CHRTYPE, devmajor=1)),
        lambda p: tar_with(p / "x.tar", tar_info("l.png", type=tarfile.BLKTYPE, devmajor=8)),
        lambda p: tar_with(p / "x.tar", tar_info("l.png", type=tarfile.FIFOTYPE)),
        lambda p: zip_with_link(p / "x.zip"),
        lambda p: seven_with_link(p / "x.7z"),
    ],
    ids=["symlink", "hard", "hard-out", "chardev", "blockdev", "fifo", "zip-link", "7z-link"],
)
def test_links_and_devices_are_refused(make, tmp_path, box):
    assert "is a link or a device" in refusal(make(tmp_path), box)
    assert not (box / "a" / "out").exists()


def test_a_file_behind_a_linked_folder_is_refused(tmp_path, box):
    link = tar_info("deep", type=tarfile.SYMTYPE, linkname=str(box))
    archive = tar_with(tmp_path / "x.tar", link, tar_info("deep/evil.png"))
    assert "is a link or a device" in refusal(archive, box)


@every_kind
@pytest.mark.parametrize(
    "names", [("a/1.png", "a/1.png"), ("a/1.png", "A/1.PNG"), ("a/1.png", "a\\1.png")]
)
def test_two_files_of_one_name_are_refused(kind, names, tmp_path, box):
    with pytest.warns(UserWarning) if kind == ".zip" and len({*names}) == 1 else nothing():
        archive = pack(tmp_path / f"set{kind}", [(names[0], A), (names[1], B)])
    assert "twice" in refusal(archive, box)


class nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


@every_kind
@pytest.mark.parametrize("names", [("1.png", "1.png/2.png"), ("1.png/2.png", "1.PNG")])
def test_a_name_that_is_both_file_and_folder_is_refused(kind, names, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", [(names[0], A), (names[1], B)])
    assert "both a file and a folder" in refusal(archive, box)


@every_kind
@pytest.mark.parametrize("name", ["a\nb.png", "../a\nb.png", "\x1b[2J.png", "x" * 300 + ".png"])
def test_a_name_that_cannot_be_a_file_name_is_refused(kind, name, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", {name: A})
    assert refusal(archive, box).isprintable()


def test_a_name_that_is_no_text_is_refused(tmp_path, box):
    archive = pack(tmp_path / "x.tar", {"name.png": A})
    content = archive.read_bytes()
    with tarfile.open(archive) as file:
        old = file.getmember("name.png").tobuf()
        info = tar_info("n\udce4me.png", size=len(A))
    archive.write_bytes(content.replace(old, info.tobuf(tarfile.USTAR_FORMAT)))
    assert "n\\udce4me.png" in refusal(archive, box)


# Bombs


@pytest.mark.parametrize("kind", [".zip"])
def test_a_member_that_grows_beyond_reason_is_refused(kind, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", {"1.png": A, "bomb.png": bytes(900_000)})
    message = refusal(archive, box)
    assert "'bomb.png' would grow" in message and "no photograph" in message
    assert not (box / "a" / "out").exists()


@every_kind
def test_more_than_a_true_copy_can_have_is_refused(kind, tmp_path, box):
    bombs = {f"{i}.png": random.Random(i).randbytes(4000) + bytes(300_000) for i in range(4)}
    message = refusal(pack(tmp_path / f"set{kind}", bombs), box)
    assert "more than the 0.001 GB that a true copy can have" in message
    assert not (box / "a" / "out").exists()


@every_kind
def test_what_is_not_unpacked_does_not_count(kind, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", {"1.png": A, "video.mp4": bytes(2 * ROOM), "2.png": B})
    assert unpacked(archive, box) == {"1.png": A, "2.png": B}


def test_a_size_that_is_a_lie_is_noticed(tmp_path, box):
    archive = pack(tmp_path / "x.zip", {"bomb.png": bytes(900_000)})
    patched_zip(archive, "size", (1000).to_bytes(4, "little"))
    assert "not a readable archive" in refusal(archive, box)
    assert sum(p.stat().st_size for p in box.rglob("*") if p.is_file()) < 10_000


def test_bytes_are_counted_whatever_headers_say(tmp_path, box, monkeypatch):
    lie_about_sizes(monkeypatch)
    for kind in KINDS:
        archive = pack(tmp_path / f"set{kind}", {f"{i}.png": bytes(400_000) for i in range(4)})
        assert "more than the 0.001 GB" in refusal(archive, box), kind
        written = (box / "a" / "out").rglob("*")
        assert sum(p.stat().st_size for p in written if p.is_file()) <= ROOM, kind


@every_kind
def test_an_archive_of_too_many_entries_is_refused(kind, tmp_path, box, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBERS", 3)
    archive = pack(tmp_path / f"set{kind}", {f"{i}.png": A for i in range(5)})
    assert "more than 3 entries" in refusal(archive, box)


# Nothing in it, locked, damaged


@every_kind
def test_an_archive_without_images_is_refused(kind, tmp_path, box):
    assert "holds no image" in refusal(pack(tmp_path / f"x{kind}", {"a.txt": b"text"}), box)
    assert "holds no image" in refusal(pack(tmp_path / f"y{kind}", {"no/": b""}), box)


def locked_zip(path: Path) -> None:
    pack(path, {"1.png": A})
    patched_zip(path, "flags", b"\x01\x00")


def locked_seven(path: Path, names_too: bool = False) -> None:
    with py7zr.SevenZipFile(path, "w", password="secret", header_encryption=names_too) as archive:
        archive.writestr(A, "1.png")


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("x.zip", locked_zip),
        ("x.7z", locked_seven),
        ("x.7z", lambda path: locked_seven(path, names_too=True)),
        ("x.rar", lambda path: path.write_bytes(stored_rar([("1.png", A)], flags=4))),
    ],
    ids=["zip", "7z", "7z names too", "rar"],
)
def test_a_locked_archive_is_refused_with_the_way_out(name, make, tmp_path, box):
    make(tmp_path / name)
    message = refusal(tmp_path / name, box)
    assert "is encrypted; unpack it yourself and add the folder" in message


@pytest.mark.parametrize("method", [9, 99], ids=["deflate64", "unknown"])
def test_a_packing_that_python_cannot_read_is_refused_with_the_way_out(method, tmp_path, box):
    archive = pack(tmp_path / "x.zip", {"1.png": A})
    patched_zip(archive, "method", bytes([method, 0]))
    assert "unpack it yourself and add the folder" in refusal(archive, box)


@every_kind
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.8])
def test_a_truncated_archive_is_refused(kind, share, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", {f"{i}.png": picture(i) for i in range(10)})
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    message = refusal(archive, box)
    assert "not a readable archive" in message
    assert message.endswith("download it again")


@every_kind
def test_a_damaged_archive_never_ends_in_anything_but_one_line(kind, tmp_path, box):
    whole = pack(tmp_path / f"whole{kind}", {"1.png": A[:600], "b/2.png": B[:600]}).read_bytes()
    dice, before = random.Random(kind), outside(box)
    archive = tmp_path / f"set{kind}"
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(dice.choice([1, 1, 2, 5])):
            content[dice.randrange(len(content))] = dice.randrange(256)
        archive.write_bytes(content)
        try:
            is_archive(archive)
            unpack(archive, box / "a" / "out", ROOM)
        except BenchError as error:
            assert one_line(error).startswith(f"{archive}: ")
        assert outside(box) == before


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar"])
def test_a_flipped_bit_in_an_image_is_noticed(kind, tmp_path, box):
    archive = pack(tmp_path / f"set{kind}", {"1.png": A, "2.png": B})
    content = bytearray(archive.read_bytes())
    content[len(content) // 3] ^= 4
    archive.write_bytes(content)
    assert "not a readable archive" in refusal(archive, box)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        b"<!DOCTYPE html>",
        bytes(2000),
        b"\x1f\x8b\x08\x04" + b"\xff" * 9,
        b"PK\x05\x06",
    ],
)
@pytest.mark.parametrize("name", ["x.zip", "x"])
def test_what_is_no_archive_is_refused(content, name, tmp_path, box):
    (tmp_path / name).write_bytes(content)
    is_archive(tmp_path / name)
    refusal(tmp_path / name, box)


def test_the_permissions_in_an_archive_do_not_matter(tmp_path, box):
    secret = tmp_path / "1.png"
    secret.write_bytes(A)
    secret.chmod(0o4001)
    for name in ("x.7z", "x.tar"):
        out = box / "a" / name
        if name == "x.7z":
            with py7zr.SevenZipFile(tmp_path / name, "w") as archive:
                archive.write(secret, "1.png")
        else:
            with tarfile.open(tmp_path / name, "w") as archive:
                archive.add(secret, "1.png")
        unpack(tmp_path / name, out, ROOM)
        umask = os.umask(0)
        os.umask(umask)
        assert stat.S_IMODE((out / "1.png").stat().st_mode) == 0o666 & ~umask


# RAR


def test_a_rar_that_needs_a_program_names_it(tmp_path, box, monkeypatch):
    def no_tool(**_):
        raise rarfile.RarCannotExec("Cannot find working tool")

    monkeypatch.setattr(rarfile, "tool_setup", no_tool)
    archive = tmp_path / "x.rar"
    archive.write_bytes(stored_rar([("1.png", A)], method=0x33))
    message = refusal(archive, box)
    assert "unrar" in message and "bsdtar" in message and "derainbench data add" in message


def test_a_rar_cut_between_two_files_is_refused(tmp_path, box):
    whole = stored_rar([("1.png", A), ("2.png", B)])
    archive = tmp_path / "x.rar"
    archive.write_bytes(whole[: whole.index(b"2.png") - 10])
    assert "not a readable archive" in refusal(archive, box)
