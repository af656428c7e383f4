"""Bringing a data set into the benchmark's layout: downloaded, or handed over by a person.

Everything happens in hidden folders of the data root, on one file system; the set's own folder
appears in one rename, verified, with its ``dataset.json`` inside. A process that is killed leaves
at most hidden folders, which the next call uses (downloads) or clears away (half-built sets).
"""

from __future__ import annotations

import errno
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from filelock import FileLock, Timeout

from derainbench.data import layouts
from derainbench.data.archives import (
    NeedsAPerson,
    has_archive_name,
    is_archive,
    is_usable,
    unpack,
)
from derainbench.data.catalogue import (
    DatasetEntry,
    DriveFile,
    DriveFolder,
    HttpMirror,
    ManualMirror,
    Mirror,
)
from derainbench.data.download import MirrorError, Patience, download, drive_folder
from derainbench.data.images import EXTENSIONS, read_rgb, write_png
from derainbench.data.verify import verify
from derainbench.errors import BenchError
from derainbench.firstseen import FirstSeen
from derainbench.progress import Reporter

LOCK_FILE = "data.lock.json"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Wanted:
    """What a call asks for.

    Attributes:
        entry: the set.
        root: data root; the set becomes ``root/<name>``.
        splits: those wanted; empty for all.
        subset: take fewer images than the set has.
        accept: take a set that fails verification, marked as deviating.
    """

    entry: DatasetEntry
    root: Path
    splits: tuple[str, ...] = ()
    subset: bool = False
    accept: bool = False

    @property
    def folder(self) -> Path:
        """Where the set will lie."""
        return self.root / self.entry.name

    @property
    def first_seen(self) -> FirstSeen:
        """Digests of the files downloaded so far."""
        return FirstSeen(self.root / LOCK_FILE)

    @property
    def all_splits(self) -> tuple[str, ...]:
        """The splits wanted, by name."""
        return self.splits or tuple(self.entry.splits)

    def verify(self, folder: Path, out: Path, splits: Sequence[str] = ()) -> dict[str, Any]:
        """Checks a folder against what is wanted, or against some of its splits alone."""
        splits = splits or self.splits
        return verify(folder, self.entry, subset=self.subset, splits=splits, out=out)

    def hidden(self, what: str) -> Path:
        """A working folder of this set."""
        return self.root / f".{self.entry.name}.{what}"


def fetch(
    wanted: Wanted, *, patience: Patience | None = None, accept_new: bool = False
) -> dict[str, Any]:
    """Downloads a set from the first mirrors that can give it.

    Args:
        wanted: set, place and splits.
        patience: with servers.
        accept_new: a file may differ from the one first seen at its address.

    Returns:
        The set's ``dataset.json``.

    Raises:
        BenchError: if no mirror gives all wanted splits; the message lists what was tried and how
            a person gets the set.
    """
    if wanted.entry.kind == "recomposited":
        raise BenchError(
            f"{wanted.entry.name}: is made, not fetched: `derainbench data recomposite`"
        )
    with _alone(wanted):
        if present := _present(wanted):
            shutil.rmtree(wanted.hidden("downloads"), ignore_errors=True)
            return present
        failures: list[str] = []
        missing = list(wanted.all_splits)
        with _stage(wanted) as stage:
            for number, mirror in enumerate(wanted.entry.mirrors):
                useful = [s for s in missing if s in (_holds(mirror) or missing)]
                if isinstance(mirror, ManualMirror) or not useful:
                    continue
                downloads = wanted.hidden("downloads") / str(number)
                try:
                    sources, digests = _download(wanted, mirror, downloads, patience, accept_new)
                    facts = _take_from(wanted, mirror, sources, downloads, stage, useful)
                except MirrorError as error:
                    failures.append(str(error))
                    print(f"fetch {wanted.entry.name}: {error}", file=sys.stderr, flush=True)
                    continue
                wanted.first_seen.remember(digests)
                missing = [s for s in missing if s not in facts["splits"]]
                if not missing:
                    break
            if missing:
                raise BenchError(_how_by_hand(wanted, missing, failures))
            stage.rename(wanted.folder)
        shutil.rmtree(wanted.hidden("downloads"), ignore_errors=True)
        return facts


def add(wanted: Wanted, sources: Sequence[Path], *, assume: str | None = None) -> dict[str, Any]:
    """Takes over a set from archives or folders; they are read, never changed.

    Args:
        wanted: set, place and splits.
        sources: archive files, folders, or single images.
        assume: split of files whose folders do not say which.

    Returns:
        The set's ``dataset.json``.

    Raises:
        BenchError: if nothing fits, or the result is not the set.
    """
    _refuse_missing(sources)
    with _alone(wanted):
        if wanted.folder.exists() and any(wanted.folder.iterdir()):
            raise BenchError(
                f"{wanted.folder}: is there already; move it away, or call `derainbench data "
                f"verify {wanted.entry.name}` to see what it is"
            )
        with _stage(wanted) as stage:
            plan = _unpacked_plan(wanted, sources, stage, wanted.all_splits, assume)
            _refuse_wrong_counts(wanted, plan)  # before hours of copying and verifying
            _take_over(plan, stage)
            found = wanted.verify(stage, out=stage)
            if (fault := _fault(wanted, found)) and not wanted.accept:
                raise BenchError(
                    f"{wanted.entry.name}: {fault}; a part of the set is taken with --subset, "
                    "another version with --accept-deviations"
                )
            stage.rename(wanted.folder)
            return found


@contextmanager
def planned(
    wanted: Wanted, sources: Sequence[Path], *, assume: str | None = None
) -> Iterator[layouts.Plan]:
    """What :func:`add` would do; archives are unpacked elsewhere while the block runs."""
    _refuse_missing(sources)
    with tempfile.TemporaryDirectory(prefix="derainbench-") as stage, _disk(Path(stage)):
        yield _unpacked_plan(wanted, sources, Path(stage), wanted.all_splits, assume)


def _refuse_missing(sources: Sequence[Path]) -> None:
    for source in sources:
        if not source.exists():
            raise BenchError(f"{source}: no such file or folder")


@contextmanager
def _alone(wanted: Wanted) -> Iterator[None]:
    """Holds the set's lock: two processes never build one set at once."""
    with _disk(wanted.root):
        wanted.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(wanted.hidden("lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting = f"{wanted.entry.name}: another process is at work on it; waiting"
            print(waiting, file=sys.stderr, flush=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()


@contextmanager
def _disk(root: Path) -> Iterator[None]:
    """Says what to do when the disk is full or the folder is not ours."""
    try:
        yield
    except (OSError, BenchError) as error:
        if _is_disk_full(error):
            raise BenchError(
                f"{root}: no space left; nothing half-written stays; free some and run again "
                "(downloads are kept)"
            ) from error
        if isinstance(error, BenchError):
            raise
        raise BenchError(f"{error.filename or root}: {error.strerror or error}") from error


def _is_disk_full(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, BenchError) else error
    return isinstance(cause, OSError) and cause.errno in _DISK_FULL


@contextmanager
def _stage(wanted: Wanted) -> Iterator[Path]:
    """An empty hidden folder for a half-built set; leftovers of killed processes go first."""
    stage = wanted.hidden("partial")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _present(wanted: Wanted) -> dict[str, Any] | None:
    """The facts of a set that is there already; one without facts is verified first."""
    facts = wanted.folder / "dataset.json"
    if facts.is_file():
        try:
            found = json.loads(facts.read_text(encoding="utf-8"))
            lacking = [s for s in wanted.all_splits if s not in found["splits"]]
        except (ValueError, KeyError, TypeError) as error:
            raise BenchError(
                f"{facts}: cannot be read; delete it and run again: the set is verified anew"
            ) from error
        if lacking:
            raise BenchError(
                f"{wanted.folder}: is there, but without {' and '.join(lacking)}; move it away and "
                "fetch again"
            )
        return found
    if not wanted.folder.exists() or not any(wanted.folder.iterdir()):
        return None
    with _stage(wanted) as stage:
        found = wanted.verify(wanted.folder, out=stage)
        if fault := _fault(wanted, found):
            raise BenchError(
                f"{wanted.folder}: is there, but {fault}; move it away and fetch again"
            )
        for file in sorted(stage.iterdir(), key=lambda f: f.name == facts.name):
            file.replace(wanted.folder / file.name)  # dataset.json last: it stands for the whole
    return found


def _holds(mirror: Mirror) -> tuple[str, ...]:
    return mirror.holds if isinstance(mirror, HttpMirror | DriveFile) else ()


def _download(
    wanted: Wanted,
    mirror: Mirror,
    folder: Path,
    patience: Patience | None,
    accept_new: bool,
) -> tuple[list[Path], dict[str, dict[str, Any]]]:
    """Brings a mirror's files; gives where to look for images, and digests by address."""
    match mirror:
        case DriveFolder():
            files = _files_of_folder(mirror, folder, patience)
            sources = [folder]
        case DriveFile():
            files = {folder / mirror.name: mirror}
            sources = list(files)
        case HttpMirror():
            files = {folder / PurePosixPath(mirror.url.split("?")[0]).name: mirror}
            sources = list(files)
    digests = {}
    for path, file in files.items():
        expected = file.sha256 or (None if accept_new else wanted.first_seen.sha256(file.url))
        try:
            found = download(file.url, path, sha256=expected, patience=patience)
        except MirrorError as error:
            if expected and not file.sha256 and "wrong checksum" in str(error):
                raise MirrorError(
                    f"{error}; it is not the file first seen there ({wanted.first_seen.path}); "
                    "to take the new one, call again with --accept-new"
                ) from error
            raise
        digests[file.url] = {"sha256": found, "bytes": path.stat().st_size}
    return sources, digests


def _files_of_folder(
    mirror: DriveFolder, folder: Path, patience: Patience | None
) -> dict[Path, DriveFile]:
    """Where the archives and images of a Google Drive folder go."""
    files: dict[Path, DriveFile] = {}
    for name, identity in drive_folder(mirror.id, patience):
        path = PurePosixPath(name.replace("\\", "/"))
        hidden = any(part.startswith(".") for part in path.parts)
        if hidden or not (has_archive_name(name) or path.suffix.lower() in EXTENSIONS):
            continue
        if path.is_absolute() or ".." in path.parts or not is_usable(path):
            raise MirrorError(f"{mirror.url}: refused: {name!r} is no usable file name")
        if folder / path in files:  # as Drive allows; which one is meant?
            raise MirrorError(f"{mirror.url}: refused: holds {name!r} twice")
        files[folder / path] = DriveFile(kind="gdrive-file", id=identity, name=name)
    if not files:
        raise MirrorError(f"{mirror.url}: holds neither archives nor images")
    return files


def _take_from(
    wanted: Wanted,
    mirror: Mirror,
    sources: Sequence[Path],
    downloads: Path,
    stage: Path,
    splits: Sequence[str],
) -> dict[str, Any]:
    """Lays out and verifies what a mirror gave of some splits; its files go if they are no use.

    Returns:
        The ``dataset.json`` of all that the stage holds by now.

    Raises:
        MirrorError: if they are not the set, so that the next mirror is tried.
    """
    holds = _holds(mirror)
    try:
        plan = _unpacked_plan(wanted, sources, stage, splits, holds[0] if len(holds) == 1 else None)
        for split in splits:
            count, expected = plan.count(split), wanted.entry.splits[split].images
            if expected and count not in (0, expected) and not wanted.subset:
                raise BenchError(f"holds {count} images for {split}, not {expected}")
        _take_over(plan, stage)
        there = [s for s in wanted.all_splits if (stage / s).is_dir()]
        found = wanted.verify(stage, out=stage, splits=there)
        if fault := _fault(wanted, found):
            raise BenchError(fault)
    except NeedsAPerson as error:
        raise MirrorError(f"{mirror.url}: {error}") from error
    except BenchError as error:
        if _is_disk_full(error):
            raise
        shutil.rmtree(downloads)
        for split in splits:
            shutil.rmtree(stage / split, ignore_errors=True)
        raise MirrorError(f"{mirror.url}: {error}") from error
    return found


def _unpacked_plan(
    wanted: Wanted,
    sources: Sequence[Path],
    stage: Path,
    splits: Sequence[str],
    assume: str | None,
) -> layouts.Plan:
    """Unpacks the archives among the sources and pairs everything up."""
    shutil.rmtree(stage / ".unpacked", ignore_errors=True)  # of another mirror
    roots: list[Path] = []
    room = int(wanted.entry.unpacked_gb * 1e9)
    for source in sources:
        inside = _files_below(source)
        # Only a file that was named is judged by what it holds: a folder may well have a .docx.
        archives = [
            f for f in inside if has_archive_name(f.name) or (f == source and is_archive(f))
        ]
        for archive in archives:
            # The archive's name may be all that says which split it holds.
            name = archive.name.split(".")[0]
            folder = stage / ".unpacked" / str(len(roots)) / name
            left = unpack(archive, folder, room)
            room -= sum(f.stat().st_size for f in _files_below(folder))
            if left:
                print(f"{archive.name}: {left} files that are no images left out", file=sys.stderr)
            roots.append(folder)
        if any(f.suffix.lower() in EXTENSIONS for f in inside):
            roots.append(source)
        elif not archives:
            raise BenchError(f"{source}: holds neither images nor archives")
    return layouts.plan(roots, wanted.entry, splits, assume)


def _files_below(source: Path) -> list[Path]:
    """All files below a folder (or the file itself), sorted, hidden ones apart."""
    if source.is_file():
        return [source]
    return [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(source).parts)
    ]


def _take_over(plan: layouts.Plan, stage: Path) -> None:
    """Lays the planned images into ``stage/<split>/{input,target}``; what is left over goes."""
    with Reporter("arrange", len(plan.pairs)) as reporter:
        for pair in plan.pairs:
            folder = stage / pair.split
            if pair.double:
                _take_halves(pair, folder)
            else:
                _take(pair.input, folder / "input", pair.input_stem, stage)
                if pair.target:
                    _take(pair.target, folder / "target", pair.target_stem, stage)
            reporter.advance()
    shutil.rmtree(stage / ".unpacked", ignore_errors=True)


def _take(source: Path, folder: Path, stem: str, stage: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}{source.suffix.lower()}"
    if source.is_relative_to(stage) and not source.is_symlink():
        source.rename(target)
    else:
        shutil.copyfile(source, target)


def _take_halves(pair: layouts.PlannedPair, folder: Path) -> None:
    image = read_rgb(pair.input)
    half = image.shape[1] // 2
    sides = (image[:, :half], image[:, half:])
    rainy, clean = sides if pair.double == "rainy-left" else sides[::-1]
    write_png(folder / "input" / f"{pair.input_stem}.png", rainy)
    write_png(folder / "target" / f"{pair.target_stem}.png", clean)


def _refuse_wrong_counts(wanted: Wanted, plan: layouts.Plan) -> None:
    if wanted.accept:
        return
    for split in wanted.all_splits:
        count, expected = plan.count(split), wanted.entry.splits[split].images
        if count > (expected or count) or (not wanted.subset and count < (expected or 1)):
            raise BenchError(
                f"{wanted.entry.name}: found {count} images for {split} instead of {expected or 'some'}; "
                "see --dry-run; a part of the set is taken with --subset, another version with "
                "--accept-deviations"
            )


def _fault(wanted: Wanted, found: dict[str, Any]) -> str | None:
    """Why a folder is not what it should be; None if it is."""
    failed = [c for c in found["checks"] if c["verdict"] == "fail"]
    if not failed:
        return None
    first = failed[0]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return (
        f"not the real thing: {first['split']}: {first['check']}: expected {first['expected']}, "
        f"found {first['found']}{more}"
    )


def _how_by_hand(wanted: Wanted, missing: Sequence[str], failures: Sequence[str]) -> str:
    name = wanted.entry.name
    parts = [f"{name}: no mirror gives {' and '.join(missing)}"]
    parts += [f"tried: {failure}" for failure in failures]
    ways = [
        f"{m.url}" + (f" (password {m.password})" if m.password else "")
        for m in wanted.entry.mirrors
        if isinstance(m, ManualMirror)
    ]
    if ways:
        parts.append(f"by hand: download {' or '.join(ways)}")
    parts.append(f"then: derainbench data add {name} FILE_OR_FOLDER --root {wanted.root}")
    return "; ".join(parts)
