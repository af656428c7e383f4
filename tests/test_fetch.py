"""A set is there whole and verified or not at all, whatever mirrors, disks and users do."""

import errno
import io
import itertools
import random
import re
import shutil
from pathlib import Path

import pytest
import rarfile
from bad_server import Answer
from helpers import Done, noise, one_line, read_json, save, tree
from launch import Call, launching
from packing import KINDS, pack, picture, stored_rar
from PIL import Image

from derainbench.catalog import dataset_entries
from derainbench.catalog.dataset_entries import DatasetEntry
from derainbench.data.acquisition import archives, download
from derainbench.data.acquisition.acquire import add, fetch, planned
from derainbench.data.acquisition.download import Patience
from derainbench.data.acquisition.request import Wanted
from derainbench.foundation.errors import BenchError

QUICK = Patience(attempts=2, connect=5, read=10, longest_wait=0.01)


def files_of(split: str = "", count: int = 2, first: int = 0) -> dict[str, bytes]:
    """Pairs as sets are handed around, below a folder that names the split, if one is given."""
    start = f"{split}/" if split else ""
    return {
        f"{start}{side}/{i}.png": picture(first + 100 * (split == "test") + 10 * i + len(side))
        for i in range(1, count + 1)
        for side in ("rain", "norain")
    }


WHOLE = files_of("train") | files_of("test")
LAID_OUT = {
    f"{split}/{'input' if side == 'rain' else 'target'}/{name}": content
    for path, content in WHOLE.items()
    for split, side, name in [path.split("/")]
}


def facts(*mirrors, **more) -> dict:
    """A catalogue entry of two splits of two pairs."""
    return {
        "name": "Tiny",
        "title": "a tiny set",
        "citation": "none",
        "licence": "none",
        "splits": {"train": {"images": 2}, "test": {"images": 2}},
        "unpacked_gb": 0.0005,
        "mirrors": list(mirrors),
        "sources": ["none"],
        **more,
    }


def http(url: str, *holds: str, **more) -> dict:
    return {"kind": "http", "url": url, "holds": holds, **more}


MANUAL = {"kind": "manual", "url": "https://pan.example/s/1", "password": "x3gy"}


@pytest.fixture
def box(tmp_path):
    """A folder with the data root ``box/data`` and other things, which stay as they are."""
    box = tmp_path / "box"
    (box / "other").mkdir(parents=True)
    (box / "other" / "notes.txt").write_text("mine")
    before = tree(box)
    yield box
    assert tree(box / "other") == {name.removeprefix("other/"): d for name, d in before.items()}
    assert {p.name for p in box.iterdir()} <= {"other", "data"}


@pytest.fixture
def packed(tmp_path):
    """Packs files; gives the archive's bytes."""

    def make(files: dict[str, bytes], kind: str = ".zip") -> bytes:
        return pack(tmp_path / "packed" / f"set{kind}", files).read_bytes()

    return make


@pytest.fixture(scope="module")
def launcher(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with launching(home) as launcher:
        yield launcher
    assert list(home.iterdir()) == []


def wanted(box: Path, *mirrors, splits=(), subset=False, accept=False, **more) -> Wanted:
    entry = DatasetEntry(**facts(*mirrors, **more))
    return Wanted(entry, box / "data", tuple(splits), subset, accept)


def failure(call, *arguments, **options) -> str:
    with pytest.raises(BenchError) as failed:
        call(*arguments, **options)
    return one_line(failed.value)


def failed_fetch(wish: Wanted, **options) -> str:
    message = failure(fetch, wish, patience=QUICK, **options)
    assert not wish.folder.exists()
    return message


def is_complete(folder: Path) -> bool:
    """Whether exactly the true images are there, and a note that they were verified."""
    images = {p: (folder / p).read_bytes() for p in tree(folder) if p.endswith(".png")}
    about = tree(folder).keys() - images.keys()
    assert about == {"dataset.json", "dataset.json.provenance.json", "images.csv"}
    assert read_json(folder / "dataset.json")["status"] == "complete"
    return images == LAID_OUT


def leftovers(root: Path) -> set[str]:
    """What lies beside the set, apart from the files that processes wait at."""
    locks = {".Tiny.lock", ".data.lock.json.lock"}
    return {p.name for p in root.iterdir()} - locks - {"Tiny", "data.lock.json"}


# Mirrors that work


@pytest.mark.parametrize("kind", KINDS)
def test_a_set_is_fetched_verified_and_laid_out(server, box, packed, kind):
    content = packed(WHOLE, kind)
    url = server.gives(f"/files/set{kind}", content)
    found = fetch(wanted(box, MANUAL, http(f"{url}?dl=1")), patience=QUICK)
    assert found["status"] == "complete"
    assert found == read_json(box / "data" / "Tiny" / "dataset.json")
    assert is_complete(box / "data" / "Tiny")
    assert leftovers(box / "data") == set()
    [(address, noted)] = read_json(box / "data" / "data.lock.json").items()
    assert address == f"{url}?dl=1"
    assert noted["bytes"] == len(content) and re.fullmatch(r"[0-9a-f]{64}", noted["sha256"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", noted["first_seen"])


def test_a_set_that_is_there_is_not_fetched_again(server, box, packed):
    wish = wanted(box, http(server.gives("/set.zip", packed(WHOLE))))
    first = fetch(wish, patience=QUICK)
    before = tree(box)
    assert fetch(wish, patience=QUICK) == first
    assert tree(box) == before
    assert len(server.asked) == 1


def test_a_name_without_an_ending_does_not_hide_an_archive(server, box, packed):
    url = server.gives("/download.php", packed(WHOLE))
    fetch(wanted(box, http(f"{url}?id=3")), patience=QUICK)
    assert is_complete(box / "data" / "Tiny")


def test_splits_may_come_from_several_mirrors(server, box, packed):
    # Nothing in the second archive says which split it is.
    test = {name.removeprefix("test/"): content for name, content in files_of("test").items()}
    mirrors = [
        http(server.gives("/train.zip", packed(files_of("train"))), "train"),
        http(server.gives("/again.zip", b"not needed"), "train"),
        http(server.gives("/pairs.tar.gz", packed(test, ".tar.gz")), "test"),
        http(server.gives("/late.zip", b"not needed")),
    ]
    fetch(wanted(box, *mirrors), patience=QUICK)
    assert is_complete(box / "data" / "Tiny")
    assert [a.path for a in server.asked] == ["/train.zip", "/pairs.tar.gz"]
    assert len(read_json(box / "data" / "data.lock.json")) == 2


def test_one_split_alone_is_fetched_where_it_is(server, box, packed):
    mirrors = [
        http(server.gives("/train.zip", b"not needed"), "train"),
        http(server.gives("/test.zip", packed(files_of("test"))), "test"),
    ]
    found = fetch(wanted(box, *mirrors, splits=["test"]), patience=QUICK)
    assert found["status"] == "subset"
    assert {p.parent.parent.name for p in (box / "data" / "Tiny").rglob("*.png")} == {"test"}
    assert [a.path for a in server.asked] == ["/test.zip"]
    message = failure(fetch, wanted(box, *mirrors), patience=QUICK)
    assert message == f"{box}/data/Tiny: is there, but without train; move it away and fetch again"


def test_a_folder_without_facts_is_verified_where_it_is(server, box):
    wish = wanted(box, http(server.gives("/set.zip", b"not needed")))
    for name, content in LAID_OUT.items():
        (wish.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (wish.folder / name).write_bytes(content)
    assert fetch(wish, patience=QUICK)["status"] == "complete"
    assert is_complete(wish.folder)
    (wish.folder / "dataset.json").unlink()
    (wish.folder / "test" / "input" / "2.png").write_bytes(b"damaged")
    before = tree(box)
    message = failure(fetch, wish, patience=QUICK)
    assert message.startswith(f"{wish.folder}: is there, but not the real thing: test: ")
    assert tree(box) == before and server.asked == []


def test_facts_that_cannot_be_read_are_named(box):
    for content in ("{", "[]", "{}", "3", '{"splits": 3}'):
        path = box / "data" / "Tiny" / "dataset.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        message = failure(fetch, wanted(box), patience=QUICK)
        assert message.startswith(f"{path}: cannot be read; delete it and run again")


# Mirrors that do not


def broken_picture() -> dict[str, bytes]:
    return WHOLE | {"test/rain/1.png": b"no picture at all"}


def wrong_size() -> dict[str, bytes]:
    return WHOLE | {"test/rain/1.png": picture(1, (40, 48))}


BAD = {
    "missing": lambda pack: Answer(b"gone", 404),
    "down": lambda pack: Answer(b"busy", 503),
    "nothing": lambda pack: b"",
    "page": lambda pack: b"<!DOCTYPE html><html>Quota exceeded</html>",
    "text": lambda pack: b"Sorry, moved.",
    "cut": lambda pack: pack(WHOLE)[:-1000],
    "damaged": lambda pack: pack(WHOLE, ".tar.gz")[:-1000] + bytes(1000),
    "fewer images": lambda pack: pack(files_of("train") | files_of("test", 1)),
    "more images": lambda pack: pack(WHOLE | files_of("test", 3)),
    "other images": lambda pack: pack({"photo.png": picture(3)}),
    "no images": lambda pack: pack({"readme.txt": b"see my web page"}),
    "broken image": lambda pack: pack(broken_picture()),
    "unequal sizes": lambda pack: pack(wrong_size()),
    "hostile": lambda pack: pack(WHOLE | {"../../../other/notes.png": picture(1)}),
    "too large": lambda pack: pack(WHOLE | {"x.bmp": random.Random(1).randbytes(600_000)}),
}


@pytest.mark.parametrize("fault", BAD)
def test_after_a_bad_mirror_comes_the_next(server, box, packed, capsys, fault):
    # What the bad one gave must not remain: its images are others.
    bad = server.gives("/bad.zip", BAD[fault](packed))
    good = server.gives("/good.zip", packed(WHOLE))
    fetch(wanted(box, http(bad), http(good)), patience=QUICK)
    assert is_complete(box / "data" / "Tiny")
    assert leftovers(box / "data") == set()
    assert read_json(box / "data" / "data.lock.json").keys() == {good}
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fetch ")]
    assert len(told) == 1 and told[0].startswith(f"fetch Tiny: {bad}: ")


@pytest.mark.parametrize("fault", [f for f in BAD if f not in ("missing", "down")])
def test_a_bad_mirror_that_was_repaired_gives_the_set(server, box, packed, fault):
    wish = wanted(box, http(server.gives("/set.zip", BAD[fault](packed))))
    assert failed_fetch(wish).startswith("Tiny: no mirror gives ")
    server.gives("/set.zip", packed(WHOLE))
    fetch(wish, patience=QUICK)
    assert is_complete(wish.folder)
    assert leftovers(box / "data") == set()


def test_one_bad_split_is_taken_from_another_mirror(server, box, packed):
    mirrors = [
        http(server.gives("/train.zip", packed(files_of("train"))), "train"),
        http(server.gives("/test.zip", packed(broken_picture())), "test"),
        http(server.gives("/all.zip", packed(WHOLE)), "train", "test"),
    ]
    fetch(wanted(box, *mirrors), patience=QUICK)
    assert is_complete(box / "data" / "Tiny")


def test_a_wrong_checksum_in_the_catalogue_means_the_next_mirror(server, box, packed):
    other = http(server.gives("/bad.zip", packed(files_of("train"))), sha256="0" * 64)
    good = http(server.gives("/good.zip", packed(WHOLE)))
    fetch(wanted(box, other, good), patience=QUICK)
    assert is_complete(box / "data" / "Tiny")


def test_when_all_mirrors_fail_one_line_says_what_was_tried_and_what_to_do(server, box, packed):
    gone = server.gives("/gone.zip", Answer(b"", 404))
    down = server.gives("/down.zip", Answer(b"", 503))
    less = server.gives("/less.zip", packed(files_of("train", 1) | files_of("test")))
    more = {"kind": "manual", "url": "https://more.example/"}
    message = failed_fetch(wanted(box, http(gone), MANUAL, http(down), http(less), more))
    assert message == (
        "Tiny: no mirror gives train and test; "
        f"tried: {gone}: the server answers 404 Not Found; "
        f"tried: {down}: the server answers 503 Service Unavailable after 2 tries; "
        f"tried: {less}: holds 1 images for train, not 2; "
        "by hand: download https://pan.example/s/1 (password x3gy) or https://more.example/; "
        f"then: derainbench data add Tiny FILE_OR_FOLDER --root {box}/data"
    )
    assert [a.path for a in server.asked] == ["/gone.zip", "/down.zip", "/down.zip", "/less.zip"]


def test_a_partial_failure_names_what_is_missing(server, box, packed):
    train = http(server.gives("/train.zip", packed(files_of("train"))), "train")
    message = failed_fetch(wanted(box, train, http(server.gives("/x.zip", b""), "test"), MANUAL))
    assert message.startswith("Tiny: no mirror gives test; tried: ")
    assert not (box / "data" / ".Tiny.partial").exists()


@pytest.mark.parametrize("why", ["needs a program", "locked"])
def test_an_archive_that_only_a_person_can_unpack_is_kept_for_them(
    server, box, packed, tmp_path, monkeypatch, why
):
    def no_tool(**_):
        raise rarfile.RarCannotExec("Cannot find working tool")

    monkeypatch.setattr(rarfile, "tool_setup", no_tool)
    flags = {"method": 0x33} if why == "needs a program" else {"flags": 4}
    content = stored_rar(WHOLE.items(), **flags)
    wish = wanted(box, http(server.gives("/set.rar", content)))
    message = failed_fetch(wish)
    [path] = re.findall(r"(/\S*/set\.rar): ", message.split("tried: ")[1].split(": ", 1)[1])
    assert Path(path).read_bytes() == content
    failed_fetch(wish)
    assert len(server.asked) == 1
    server.gives("/set.zip", packed(WHOLE))
    fetch(wanted(box, http(server.url("/set.rar")), http(server.url("/set.zip"))), patience=QUICK)
    assert leftovers(box / "data") == set()


def test_a_double_image_that_is_broken_means_the_next_mirror(server, box, packed):
    stream = io.BytesIO()
    Image.fromarray(noise(32, 96)).save(stream, format="PNG")
    halves = {f"{split}/{i}.png": stream.getvalue() for split in ("train", "test") for i in (1, 2)}
    bad = server.gives("/bad.zip", packed(halves | {"train/2.png": b"no picture"}))
    good = server.gives("/good.zip", packed(halves))
    found = fetch(wanted(box, http(bad), http(good), double="rainy-left"), patience=QUICK)
    assert found["status"] == "complete"
    assert found["splits"]["train"]["sizes"] == {"32x48": 2}


# Google Drive


identities = (f"{number:028d}" for number in itertools.count())


def folder_holds(google, files: list[tuple[str, bytes]], title: str = "Rain") -> dict:
    """A folder of Google Drive with files and, where names have a slash, folders."""
    links, inner, folder = [], {}, next(identities)
    for name, content in files:
        if "/" in name:
            inner.setdefault(name.split("/")[0], []).append((name.split("/", 1)[1], content))
            continue
        identity = next(identities)
        links.append(f'<a href="https://drive.google.com/file/d/{identity}/view">{name}</a>')
        attached = {"Content-Disposition": 'attachment; filename="a name"'}
        google.gives(f"/drive.google.com/uc?id={identity}", Answer(content, headers=attached))
    for name, below in inner.items():
        identity = folder_holds(google, below, name)["id"]
        links.append(f'<a href="https://drive.google.com/drive/folders/{identity}">{name}</a>')
    page = f"<html><head><title>{title}</title></head><body>{''.join(links)}</body></html>".encode()
    as_page = Answer(page, headers={"Content-Type": "text/html; charset=utf-8"})
    google.gives(f"/drive.google.com/embeddedfolderview?id={folder}", as_page)
    return {"kind": "gdrive-folder", "id": folder}


def test_a_folder_of_drive_with_archives_and_images_gives_the_set(google, box, packed):
    images = [(f"train/{n.split('/', 1)[1]}", c) for n, c in files_of("train").items()]
    test = {n.removeprefix("test/"): c for n, c in files_of("test").items()}
    folder = folder_holds(
        google, [("readme.txt", b"x"), ("paper.pdf", b"x"), ("test.rar", packed(test, ".rar")), *images]
    )  # fmt: skip
    fetch(wanted(box, folder), patience=QUICK)
    assert is_complete(box / "data" / "Tiny")
    assert leftovers(box / "data") == set()
    assert len(read_json(box / "data" / "data.lock.json")) == 5


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["set.zip", "set.zip"], "holds 'set.zip' twice"),
        (["x" * 250 + ".zip"], "is no usable file name"),
        (["readme.txt"], "holds neither archives nor images"),
    ],
)
def test_a_folder_of_drive_that_cannot_be_meant_means_the_next_mirror(
    google, box, packed, capsys, names, reason
):
    folder = folder_holds(google, [(name, packed(WHOLE)) for name in names])
    good = http(google.gives("/good.zip", packed(WHOLE)))
    fetch(wanted(box, folder, good), patience=QUICK)
    assert is_complete(box / "data" / "Tiny")
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["..\\..\\evil.zip", "&#47;evil.zip", "x&#47;..&#47;..&#47;evil.zip", "C:\\evil.zip"]
)
def test_names_in_a_folder_of_drive_stay_below_the_root(google, box, packed, name):
    folder = folder_holds(google, [(name, packed(WHOLE))])
    good = http(google.gives("/good.zip", packed(WHOLE)))
    fetch(wanted(box, folder, good), patience=QUICK)
    assert is_complete(box / "data" / "Tiny")
    assert leftovers(box / "data") == set()


# The file first seen


def test_a_file_that_changed_is_refused_until_it_is_accepted(server, box, packed):
    url = server.gives("/set.zip", packed(WHOLE))
    wish = wanted(box, http(url))
    fetch(wish, patience=QUICK)
    first = read_json(box / "data" / "data.lock.json")[url]
    shutil.rmtree(wish.folder)
    changed = packed(WHOLE | {"licence.txt": b"new"})
    server.gives("/set.zip", changed)
    message = failed_fetch(wish)
    assert "wrong checksum" in message and f"({box}/data/data.lock.json)" in message
    assert "it is not the file first seen there" in message and "--accept-new" in message
    assert read_json(box / "data" / "data.lock.json")[url] == first
    fetch(wish, patience=QUICK, accept_new=True)
    assert is_complete(wish.folder)
    assert read_json(box / "data" / "data.lock.json")[url]["bytes"] == len(changed)
    shutil.rmtree(wish.folder)
    fetch(wish, patience=QUICK)  # the new one is the known one now


def test_a_note_of_first_files_that_cannot_be_read_is_named(server, box, packed):
    (box / "data").mkdir()
    path = box / "data" / "data.lock.json"
    for content in ("{", "[]", '{"http://x": 3}'):
        path.write_text(content)
        message = failed_fetch(wanted(box, http(server.gives("/set.zip", packed(WHOLE)))))
        assert message.startswith(f"{path}: cannot be read; repair it, or delete it")


# What a person hands over


def laid_down(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def sources_of(tmp_path: Path) -> dict[str, list[Path]]:
    given = tmp_path / "given"
    folder = laid_down(given / "folder", WHOLE)
    clutter = {".DS_Store": b"x", "train/._rain.zip": b"x", "about.docx": b"PK\x05\x06" + bytes(18)}
    mixed = laid_down(given / "mixed", files_of("train") | clutter)
    pack(mixed / "test.7z", {n.removeprefix("test/"): c for n, c in files_of("test").items()})
    return {
        "an archive": [pack(given / "set.tar.xz", WHOLE)],
        "a folder": [folder],
        "two folders": [folder / "train", folder / "test"],
        "a folder with everything": [mixed],
        "an archive and a folder": [pack(given / "train.zip", files_of("train")), folder / "test"],
    }


@pytest.mark.parametrize(
    "which",
    [
        "an archive",
        "a folder",
        "two folders",
        "a folder with everything",
        "an archive and a folder",
    ],
)
def test_what_is_handed_over_is_taken_over_and_left_alone(box, tmp_path, which):
    sources = sources_of(tmp_path)[which]
    before = tree(tmp_path / "given")
    with planned(wanted(box), sources) as plan:
        assert (plan.count("train"), plan.count("test")) == (2, 2)
    assert not (box / "data").exists()
    assert add(wanted(box), sources)["status"] == "complete"
    assert is_complete(box / "data" / "Tiny")
    assert leftovers(box / "data") == set()
    assert tree(tmp_path / "given") == before


def test_a_set_that_is_there_is_not_replaced(box, tmp_path):
    source = laid_down(tmp_path / "given", WHOLE)
    add(wanted(box), [source])
    before = tree(box)
    message = failure(add, wanted(box), [source])
    assert message.startswith(f"{box}/data/Tiny: is there already; move it away, or call ")
    assert tree(box) == before


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (files_of("train") | files_of("test", 1), "found 1 images for test instead of 2"),
        (files_of("train", 3) | files_of("test"), "found 3 images for train instead of 2"),
        (broken_picture(), "test: readable: expected all, found 1 not: 1.png"),
        (wrong_size(), "test: equal sizes"),
        ({"a.png": picture(1)}, "nothing fits Tiny"),
        ({"a.txt": b"text"}, "holds neither images nor archives"),
        ({"a.zip": b"no archive"}, "not a readable archive"),
        ({"a.docx": b"PK\x05\x06" + bytes(18)}, "holds neither images nor archives"),
    ],
)
def test_what_is_not_the_set_is_refused_and_left_alone(box, tmp_path, files, reason):
    given = laid_down(tmp_path / "given", files)
    before = tree(given)
    assert reason in failure(add, wanted(box), [given])
    assert tree(given) == before
    assert not (box / "data" / "Tiny").exists() and leftovers(box / "data") == set()


def test_archives_together_may_not_be_larger_than_the_set(box, tmp_path):
    heavy = {f"{i}.png": random.Random(i).randbytes(300_000) for i in (1, 2)}
    given = [pack(tmp_path / "given" / f"{n}.zip", {n: c}) for n, c in heavy.items()]
    assert "a true copy can have" in failure(add, wanted(box), given)
    assert leftovers(box / "data") == set()


def test_part_of_a_set_or_another_version_is_taken_if_told(box, tmp_path):
    part = laid_down(tmp_path / "part", files_of("train", 1))
    assert add(wanted(box, subset=True), [part])["status"] == "subset"
    shutil.rmtree(box / "data" / "Tiny")
    other = laid_down(tmp_path / "other", wrong_size())
    assert add(wanted(box, accept=True), [other])["status"] == "deviates"


def test_places_that_cannot_be_used_are_named(server, box, packed, tmp_path):
    missing = failure(add, wanted(box), [tmp_path / "nowhere"])
    assert missing == f"{tmp_path}/nowhere: no such file or folder"
    assert not (box / "data").exists()
    (box / "data").write_text("a file")
    url = server.gives("/set.zip", packed(WHOLE))
    for call in (fetch, lambda wish: add(wish, [laid_down(tmp_path / "given", WHOLE)])):
        assert failure(call, wanted(box, http(url))).startswith(f"{box}/data: ")
    assert (box / "data").read_text() == "a file"


# Full disks


def full(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def says_disk_is_full(message: str, root: Path) -> bool:
    return message == (
        f"{root}: no space left; nothing half-written stays; free some and run again "
        "(downloads are kept)"
    )


class Sink(io.FileIO):
    """A file on a disk that has room for some bytes only."""

    room = 3000

    def write(self, data):
        part = data[: max(self.room - self.tell(), 0)]
        super().write(part)
        return len(data) if len(part) == len(data) else full()


def little_room(path, mode="r", **options):
    """In place of ``open``."""
    return (Sink if {*mode} & {*"wa"} else open)(path, mode, **options)


@pytest.mark.parametrize("kind", [".zip", ".7z"])
@pytest.mark.parametrize("stage", ["downloading", "unpacking", "arranging", "verifying", "noting"])
def test_a_full_disk_is_named_and_a_later_call_goes_on(
    server, box, packed, monkeypatch, stage, kind
):
    content = packed(WHOLE, kind)
    wish = wanted(box, http(server.gives("/set", content)))
    with monkeypatch.context() as patch:
        patch.setattr(download, "_CHUNK", 4096)
        if stage == "downloading":
            patch.setattr(download, "open", little_room, raising=False)
        elif stage == "unpacking":
            patch.setattr(archives, "open", little_room, raising=False)
        elif stage == "arranging":
            patch.setattr(Path, "rename", full)
        elif stage == "verifying":
            patch.setattr("derainbench.data.verify.write_text", full)
        else:
            patch.setattr("derainbench.foundation.first_seen.write_json", full)
        assert says_disk_is_full(failed_fetch(wish), box / "data")
    assert leftovers(box / "data") == {".Tiny.downloads"}
    fetch(wish, patience=QUICK)
    assert is_complete(wish.folder)
    assert leftovers(box / "data") == set()
    assert server.starts() == ([None, Sink.room] if stage == "downloading" else [None])


def test_a_full_disk_while_copying_or_halving_is_named(box, tmp_path, monkeypatch):
    given = laid_down(tmp_path / "given", WHOLE)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", full)
        assert says_disk_is_full(failure(add, wanted(box), [given]), box / "data")
    pairs = tmp_path / "pairs"
    for name in ("train/1", "train/2", "test/1", "test/2"):
        save(pairs / f"{name}.png", noise(32, 96))
    for where in ("tempfile.mkstemp", "PIL.Image.Image.save"):
        with monkeypatch.context() as patch:
            patch.setattr(where, full)
            message = failure(add, wanted(box, double="rainy-left"), [pairs])
        assert says_disk_is_full(message, box / "data"), where
    assert leftovers(box / "data") == set() and not (box / "data" / "Tiny").exists()


# Processes


def call(root: Path, *more: str, **options) -> Call:
    return Call(("data", "fetch", "Tiny", "--root", str(root), *more), **options)


def last_line(done: Done) -> str:
    assert done.stderr.endswith("\n"), done
    return done.stderr.splitlines()[-1].removeprefix("derainbench: error: ")


def flat(side: int) -> bytes:
    """An image that packs well, so that what it is unpacked to is larger than the archive."""
    stream = io.BytesIO()
    Image.new("RGB", (side, side), (200, 100, 50)).save(stream, format="BMP")
    return stream.getvalue()


@pytest.mark.parametrize("stage", ["downloading", "unpacking", "arranging", "verifying"])
def test_a_process_whose_files_may_grow_no_further_says_so(server, launcher, box, packed, stage):
    """No write is replaced here: the system refuses it."""
    entry, limit = facts(http(server.url("/set.zip"))), 2000
    names = [name.replace(".png", ".bmp") for name in WHOLE]
    if stage == "downloading":
        content = packed(WHOLE)
    elif stage == "unpacking":
        content = packed(dict.fromkeys(names, flat(32)))  # 3126 bytes
    elif stage == "verifying":
        content = packed(dict.fromkeys(names, flat(12)))  # 486 bytes; images.csv has more
    else:
        stream = io.BytesIO()
        Image.fromarray(noise(64, 192)).save(stream, format="JPEG", quality=20)
        jpegs = {f"{split}/{i}.jpg": stream.getvalue() for split in ("train", "test") for i in "12"}
        content, limit = packed(jpegs, ".tar.xz"), 9000  # one of these is smaller than its halves
        entry["double"] = "rainy-left"
    assert (len(content) < limit) == (stage != "downloading")
    server.gives("/set.zip", content)
    [ended] = launcher.run(entry, call(box / "data", largest_file=limit))
    assert ended.code == 1
    assert says_disk_is_full(last_line(ended), box / "data"), ended.stderr
    assert leftovers(box / "data") == {".Tiny.downloads"}
    [ended] = launcher.run(entry, call(box / "data"))
    assert ended.code == 0, ended.stderr
    assert leftovers(box / "data") == set()
    assert server.starts() == ([None, limit] if stage == "downloading" else [None])


def test_two_processes_bring_a_set_once(server, launcher, box, packed):
    server.gives("/set.zip", Answer(packed(WHOLE), pause=0.3))
    entry = facts(http(server.url("/set.zip")))
    ended = launcher.run(entry, call(box / "data"), call(box / "data"))
    assert [e.code for e in ended] == [0, 0]
    assert len({e.stdout for e in ended}) == 1 and "complete" in ended[0].stdout
    waiting = "Tiny: another process is at work on it; waiting\n"
    assert sorted(e.stderr.count(waiting) for e in ended) == [0, 1]
    assert len(server.asked) == 1
    assert is_complete(box / "data" / "Tiny")
    assert leftovers(box / "data") == set()


def chosen(moments: tuple[str, ...], count: int) -> list[int]:
    """Some moments, evenly spread; the first and the last are among them."""
    last = len(moments)
    return sorted({1 + round(i * (last - 1) / (count - 1)) for i in range(count)})


@pytest.mark.parametrize(
    ("event", "code", "count"), [("kill", -9, 14), ("interrupt", 130, 6), ("full", 1, 6)]
)
def test_a_process_that_ends_at_any_moment_leaves_a_whole_set_or_none(
    server, launcher, box, packed, tmp_path, event, code, count
):
    content = packed(WHOLE)
    server.gives("/set.zip", content)
    entry = facts(http(server.url("/set.zip")))
    watched = tmp_path / "undisturbed"
    [ended] = launcher.run(entry, call(watched, watched=str(watched), event=event))
    assert ended.code == 0 and is_complete(watched / "Tiny")
    assert len(ended.moments) > 40
    stages = {"piece of a download", "unpacked", "train/input", "dataset", "data.lock"}
    assert all(any(stage in moment for moment in ended.moments) for stage in stages)
    effective = 0
    for moment in chosen(ended.moments, count):
        root, label = box / "data", f"before {moment}: {ended.moments[moment - 1]}"
        shutil.rmtree(root, ignore_errors=True)
        server.asked.clear()
        [cut] = launcher.run(entry, call(root, event=event, moment=moment, watched=str(root)))
        effective += cut.code == code
        if cut.code != code:  # a folder that is there already needs no room
            assert cut.code == 0 and event != "kill" and (root / "Tiny").exists(), (label, cut)
        elif event == "full":
            assert "no space left" in last_line(cut).lower(), (label, cut)
        if event != "kill":
            assert not (root / ".Tiny.partial").exists(), label
        if (root / "Tiny").exists():
            assert is_complete(root / "Tiny"), label
        parts = [p for end in ("*.zip", ".*.part") for p in root.glob(f".Tiny.downloads/*/{end}")]
        had = sum(p.stat().st_size for p in parts)
        [done] = launcher.run(entry, call(root))
        assert done.code == 0, (label, done)
        assert is_complete(root / "Tiny"), label
        assert leftovers(root) == set(), label
        if 0 < had < len(content):
            assert server.starts()[1:] == [had], label  # the download went on
        else:
            assert len(server.asked) <= 1 + (had == 0), label
    assert effective > count / 2


def test_the_catalogue_leads_the_command_line_to_the_mirror(server, box, packed, cli, monkeypatch):
    url = server.gives("/set.zip", packed(WHOLE))
    known = {"Tiny": DatasetEntry(**facts(http(url)))}
    monkeypatch.setattr(dataset_entries, "dataset_entries", lambda: known)
    done = cli("data", "fetch", "tiny", "--root", box / "data")
    assert done.code == 0
    assert done.stdout.startswith("Tiny: 2 train, 2 test; complete: all checks passed")
    assert is_complete(box / "data" / "Tiny")
