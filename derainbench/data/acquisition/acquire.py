"""Bringing a data set into the benchmark's layout: downloaded, or handed over by a person.

Everything happens in hidden folders of the data root, on one file system; the set's own folder
appears in one rename, verified, with its ``dataset.json`` inside. A process that is killed leaves
at most hidden folders, which the next call uses (downloads) or clears away (half-built sets).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from derainbench.catalog.mirrors import DriveFile, DriveFolder, HttpMirror, ManualMirror, Mirror
from derainbench.data.acquisition import layouts
from derainbench.data.acquisition.archive_formats import NeedsAPerson, has_archive_name
from derainbench.data.acquisition.download import MirrorError, Patience, download
from derainbench.data.acquisition.drive_folders import drive_folder
from derainbench.data.acquisition.member_names import is_usable
from derainbench.data.acquisition.request import Wanted, alone, disk_errors, is_disk_full, staging
from derainbench.data.acquisition.takeover import (
    fault_of,
    refuse_wrong_counts,
    take_over,
    unpacked_plan,
)
from derainbench.data.images import EXTENSIONS
from derainbench.foundation.documents import parse_json
from derainbench.foundation.errors import BenchError


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
    with alone(wanted):
        if present := _present(wanted):
            shutil.rmtree(wanted.hidden("downloads"), ignore_errors=True)
            return present
        failures: list[str] = []
        missing = list(wanted.all_splits)
        with staging(wanted) as stage:
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
    with alone(wanted):
        if wanted.folder.exists() and any(wanted.folder.iterdir()):
            raise BenchError(
                f"{wanted.folder}: is there already; move it away, or call `derainbench data "
                f"verify {wanted.entry.name}` to see what it is"
            )
        with staging(wanted) as stage:
            plan = unpacked_plan(wanted, sources, stage, wanted.all_splits, assume)
            refuse_wrong_counts(wanted, plan)  # before hours of copying and verifying
            take_over(plan, stage)
            found = wanted.verify(stage, out=stage)
            if (fault := fault_of(wanted, found)) and not wanted.accept:
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
    with tempfile.TemporaryDirectory(prefix="derainbench-") as stage, disk_errors(Path(stage)):
        yield unpacked_plan(wanted, sources, Path(stage), wanted.all_splits, assume)


def _refuse_missing(sources: Sequence[Path]) -> None:
    for source in sources:
        if not source.exists():
            raise BenchError(f"{source}: no such file or folder")


def _present(wanted: Wanted) -> dict[str, Any] | None:
    """The facts of a set that is there already; one without facts is verified first."""
    facts = wanted.folder / "dataset.json"
    if facts.is_file():
        try:
            found = parse_json(facts.read_text(encoding="utf-8"))
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
    with staging(wanted) as stage:
        found = wanted.verify(wanted.folder, out=stage)
        if fault := fault_of(wanted, found):
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
    files: Mapping[Path, HttpMirror | DriveFile]
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
        plan = unpacked_plan(wanted, sources, stage, splits, holds[0] if len(holds) == 1 else None)
        for split in splits:
            count, expected = plan.count(split), wanted.entry.splits[split].images
            if expected and count not in (0, expected) and not wanted.subset:
                raise BenchError(f"holds {count} images for {split}, not {expected}")
        take_over(plan, stage)
        there = [s for s in wanted.all_splits if (stage / s).is_dir()]
        found = wanted.verify(stage, out=stage, splits=there)
        if fault := fault_of(wanted, found):
            raise BenchError(fault)
    except NeedsAPerson as error:
        raise MirrorError(f"{mirror.url}: {error}") from error
    except BenchError as error:
        if is_disk_full(error):
            raise
        shutil.rmtree(downloads)
        for split in splits:
            shutil.rmtree(stage / split, ignore_errors=True)
        raise MirrorError(f"{mirror.url}: {error}") from error
    return found


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
