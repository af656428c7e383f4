"""What a workflow that was killed leaves, cleared before the next one starts.

Its jobs end by themselves (:mod:`derainbench.foundation.owner`). What is left is Snakemake's lock, for
which there may be no owner any more, and temporaries of files.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import is_abandoned, write_json
from derainbench.foundation.owner import OWNER, is_alive, is_here

LOCKS = Path(".snakemake") / "locks"
OWNERS = Path(".derainbench") / "workflows"  # a file per workflow that runs in this folder
_PROBE = 64 * 1024  # bytes without which nothing can be started
_SKEW = 1.0  # seconds that clocks of machines with one disk may be apart
_GRACE = 5.0  # seconds that a job gets to clear up


def clear(folder: Path) -> None:
    """Ends jobs of workflows that are gone, and removes the lock of one that is gone.

    A line on standard error tells what was done. A lock whose owner lives is left alone.

    Raises:
        BenchError: if the folder cannot be written to, or its disk is full.
    """
    _check_writable(folder)
    if ended := _end_orphans(folder):
        _tell(f"{ended} job{'s' * (ended > 1)} of a workflow that has ended went on; stopped")
    locks = list((folder / LOCKS).glob("*.lock"))
    if locks and not living(folder):
        for lock in locks:
            lock.unlink(missing_ok=True)
        _tell("the workflow before this one was killed; its lock is removed")


def living(folder: Path) -> list[str]:
    """The workflows that run in a folder, in words: process, since when, where."""
    found = {}
    for record in (folder / OWNERS).glob("*.json"):
        try:
            facts = json.loads(record.read_text(encoding="utf-8"))
            owner, since = str(facts[OWNER]), str(facts["since"])
            process, _, machine = owner.split(":", 2)
        except (OSError, ValueError, KeyError, TypeError):  # damaged, or just removed
            continue
        if is_here(owner) and not is_alive(owner):
            record.unlink(missing_ok=True)
            continue
        found[process] = f"process {process} on {machine}, since {since}, in {folder.resolve()}"
    for process in psutil.process_iter(["cmdline", "create_time"]):
        if _is_snakemake(process) and _works_in(process, folder):
            began = datetime.datetime.fromtimestamp(process.info["create_time"])
            found.setdefault(
                str(process.pid),
                f"process {process.pid}, since {began:%Y-%m-%d %H:%M:%S}, in {folder.resolve()}",
            )
    return list(found.values())


def note_owner(folder: Path, owner: str) -> Path:
    """Writes down that a workflow runs in a folder; gives the file, to be removed at its end."""
    since = datetime.datetime.now().isoformat(sep=" ", timespec="seconds")
    process, _, machine = owner.split(":", 2)
    file = folder / OWNERS / f"{machine}-{process}.json"
    write_json(file, {OWNER: owner, "since": since})
    return file


def sweep(folders: Iterable[Path]) -> int:
    """Removes temporaries of processes that have ended, below some folders; gives how many."""
    swept = 0
    for folder in folders:
        for parent, names, files in os.walk(folder):
            for name in filter(is_abandoned, files):
                (Path(parent) / name).unlink(missing_ok=True)
                swept += 1
            for name in [n for n in names if is_abandoned(n)]:
                shutil.rmtree(Path(parent) / name, ignore_errors=True)
                names.remove(name)
                swept += 1
    return swept


def bring_back(paths: Iterable[Path]) -> int:
    """Gives files the present time whose own lies in the future; gives how many.

    A clock that has jumped back leaves them, or another machine's that is ahead. To Snakemake what is
    computed now would be older than what it is computed from: it deletes that, and fails, until the
    clock has caught up. Whether content has changed it knows by checksums (profiles/default).

    Args:
        paths: files, and folders with all that is below them.
    """
    now, moved = time.time(), 0
    for path in paths:
        walked = os.walk(path)
        below = (Path(at) / name for at, names, others in walked for name in (*names, *others))
        for file in (path, *below):
            with suppress(OSError):  # it is gone, or another user's
                if file.stat().st_mtime > now + _SKEW:
                    os.utime(file, (now, now))
                    moved += 1
    return moved


def folder_of(arguments: Sequence[str]) -> Path:
    """The folder that Snakemake works in, by its arguments."""
    for number, argument in enumerate(arguments):
        option, separator, value = argument.partition("=")
        if option in ("-d", "--directory"):
            rest = arguments[number + 1 : number + 2]
            return Path(value if separator else rest[0] if rest else ".")
    return Path(".")


def _end_orphans(folder: Path) -> int:
    orphans = []
    for process in psutil.process_iter():
        if not _works_in(process, folder):
            continue
        try:
            owner = process.environ().get(OWNER, "")
        except (psutil.Error, OSError):  # it has just ended, or is another user's
            continue
        if is_here(owner) and not is_alive(owner) and process.pid != os.getpid():
            orphans.append(process)
    for process in orphans:
        _send(process, kill=False)
    _, stubborn = psutil.wait_procs(orphans, timeout=_GRACE)
    for process in stubborn:
        _send(process, kill=True)
    psutil.wait_procs(stubborn, timeout=_GRACE)
    return len(orphans)


def _send(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.Error):  # it has ended meanwhile
        process.kill() if kill else process.terminate()


def _is_snakemake(process: psutil.Process) -> bool:
    words = [Path(word).name for word in (process.info["cmdline"] or [])[:4]]
    return "snakemake" in words and process.pid != os.getpid()


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder.resolve()
    except (psutil.Error, OSError):
        return False


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BenchError(f"{folder.resolve()}: cannot be written ({error.strerror})") from error


def _tell(line: str) -> None:
    print(f"derainbench: {line}", file=sys.stderr)
