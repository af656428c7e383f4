"""Output files and folders: what may be replaced, and what is somebody else's.

What this benchmark made is known by the provenance records beside it, which hold the digest of every
file that was written (:mod:`derainbench.foundation.provenance`). A file that no record knows, or that
was changed since, is never replaced or removed unless that is asked for (``--overwrite``).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import (
    RECORD_SUFFIX,
    STAGE_PREFIX,
    is_abandoned,
    is_about_writing,
    pinned,
    sha256,
    sync,
    temporary_prefix,
    write_json,
)

# Left in folders by desktops and by Snakemake: nobody misses them.
_LITTER = {".DS_Store", "Thumbs.db", "desktop.ini", ".snakemake_timestamp"}
_overwriting = False


@contextmanager
def overwriting(allowed: bool) -> Iterator[None]:
    """In the block, files of others may be replaced, if that was asked for."""
    global _overwriting
    before, _overwriting = _overwriting, allowed
    try:
        yield
    finally:
        _overwriting = before


def check_output_file(path: Path) -> None:
    """Sees that a file may be written, before work is spent on it.

    Raises:
        BenchError: if it is a folder, or a file that was not made here.
    """
    if path.is_dir():
        raise BenchError(f"{path}: is a folder; --out names a file to write")
    _check_parents(path)
    _refuse_foreign(path, _made_in(path.parent), path.parent)


def check_output_folder(folder: Path, names: Iterable[str] = ()) -> None:
    """Sees that a folder may be written to, before work is spent on it.

    Args:
        folder: to write to.
        names: files and folders that will be written into it, as far as they are known.

    Raises:
        BenchError: if it is a file, or holds one of the names and that was not made here.
    """
    if folder.exists() and not folder.is_dir():
        raise BenchError(f"{folder}: is a file; --out names a folder to write to")
    _check_parents(folder)
    made = _made_in(folder)
    for name in names:
        _refuse_foreign(folder / name, made, folder)


@contextmanager
def staged_folder(out: Path, names: Iterable[str] = ()) -> Iterator[Path]:
    """Gives an empty folder inside ``out``; its entries move into ``out`` when the block ends well.

    Entries of the same name are replaced if they were made here; everything else in ``out`` is left
    alone. If the block fails, ``out`` is as it was before. What a killed call left of its own such
    folder is removed.

    Args:
        out: folder to write to.
        names: entries that will be written, where that is known: a clash is found before the block.

    Raises:
        BenchError: if ``out`` cannot be written to or was taken away meanwhile, or an entry of others
            would be replaced.
    """
    out = Path(out)
    existed = out.exists()
    check_output_folder(out, names)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in filter(is_abandoned, os.listdir(out)):
            if name.startswith(STAGE_PREFIX):
                shutil.rmtree(out / name, ignore_errors=True)
        stage = Path(tempfile.mkdtemp(dir=out, prefix=temporary_prefix(STAGE_PREFIX)))
    except OSError as error:
        raise BenchError(f"{out}: cannot be written ({error.strerror})") from error
    try:
        with pinned(stage) as is_there:
            yield stage
            if not is_there():
                raise BenchError(
                    f"{out}: was deleted or its disk taken away while it was written to; call again"
                )
        made = _made_in(out)
        for entry in stage.iterdir():
            _refuse_foreign(out / entry.name, made, out)
        _record_outputs(stage, out)
        for file in stage.rglob("*"):
            sync(file)
        # What is replaced goes first, then records come: what a killed call leaves is known. Then
        # folders: a file such as dataset.json stands for the whole and appears last.
        entries = sorted(stage.iterdir(), key=_order)
        for final in (out / entry.name for entry in reversed(entries)):
            if final.is_dir() and not final.is_symlink():
                shutil.rmtree(final)
            elif not final.name.endswith(RECORD_SUFFIX):
                final.unlink(missing_ok=True)
        for entry in entries:
            entry.replace(out / entry.name)
        sync(out)
    except OSError as error:
        if not is_about_writing(error, stage):
            raise
        raise BenchError(f"{out}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if not existed and out.is_dir() and not any(out.iterdir()):
            out.rmdir()


def write_folder_record(folder: Path, name: str, made: Iterable[Path], **facts: Any) -> None:
    """Writes ``NAME.provenance.json`` into a folder that was filled file by file.

    Args:
        folder: where it goes.
        name: of what was done.
        made: files below the folder; those that an earlier record of the name knows stay known.
        facts: see :func:`derainbench.foundation.provenance.record`.
    """
    record = f"{name}{RECORD_SUFFIX}"
    outputs = {
        file: digest
        for file, digest in _records(folder).get(record, {}).items()
        if (folder / file).is_file()
    }
    outputs |= {file.relative_to(folder).as_posix(): sha256(file) for file in made}
    write_json(folder / record, provenance.record(**facts) | {"outputs": outputs})


def _order(entry: Path) -> tuple[bool, bool, str]:
    return not entry.name.endswith(RECORD_SUFFIX), entry.is_file(), entry.name


def _check_parents(path: Path) -> None:
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                raise BenchError(f"{path}: cannot be written: {parent} is a file")
            return


def _refuse_foreign(path: Path, made: dict[str, str | None], root: Path) -> None:
    if (
        _overwriting
        or not (path.exists() or path.is_symlink())
        or path.name.endswith(RECORD_SUFFIX)
    ):
        return
    if path.is_dir() and not path.is_symlink():
        files = [f for f in path.rglob("*") if not f.is_dir() and f.name not in _LITTER]
    else:
        files = [path]
    for file in sorted(files):
        name = file.relative_to(root).as_posix()
        whose = "exists already and was not made here"
        if name in made and not file.is_symlink():
            if made[name] in (None, sha256(file)):
                continue
            whose = "was changed since it was made here"
        raise BenchError(f"{file}: {whose}; choose another --out, or replace it with --overwrite")


def _made_in(folder: Path) -> dict[str, str | None]:
    """The files below a folder that its records know, with their SHA-256."""
    return {name: digest for record in _records(folder).values() for name, digest in record.items()}


def _records(folder: Path) -> dict[str, dict[str, str | None]]:
    found: dict[str, dict[str, str | None]] = {}
    if not folder.is_dir():
        return found
    for file in sorted(folder.glob(f"*{RECORD_SUFFIX}")):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict) and "derainbench" in content:
            found[file.name] = content.get("outputs") or _of_stem(file)
    return found


def _of_stem(record: Path) -> dict[str, str | None]:
    """What a record of an older version, which has no digests, stands for: files of its stem."""
    stem = Path(record.name.removesuffix(RECORD_SUFFIX)).stem
    return {file.name: None for file in record.parent.iterdir() if file.stem == stem}


def _record_outputs(stage: Path, out: Path) -> None:
    """Adds to a stage's first record the digests of all files that its other records leave out."""
    records = _records(stage)
    if not records:
        return
    first = stage / min(records)
    known = {name for outputs in records.values() for name in outputs}
    files = [f for f in stage.rglob("*") if f.is_file() and not f.name.endswith(RECORD_SUFFIX)]
    missing = {f.relative_to(stage).as_posix(): f for f in files}
    content = json.loads(first.read_text(encoding="utf-8"))
    content["outputs"] |= {n: sha256(f) for n, f in sorted(missing.items()) if n not in known}
    # What an earlier call made and this one leaves alone stays known.
    written = known | missing.keys()
    for record in records:
        earlier = _records(out).get(record, {})
        content["outputs"] |= {
            name: digest
            for name, digest in earlier.items()
            if name not in written and digest and (out / name).is_file()
        }
    write_json(first, content)
