"""What a call to acquire a data set asks for, and the hidden folders that it works in."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from derainbench.catalog.dataset_entries import DatasetEntry
from derainbench.data.verify import verify
from derainbench.foundation.errors import BenchError
from derainbench.foundation.first_seen import FirstSeen

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


@contextmanager
def alone(wanted: Wanted) -> Iterator[None]:
    """Holds the set's lock: two processes never build one set at once."""
    with disk_errors(wanted.root):
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
def disk_errors(root: Path) -> Iterator[None]:
    """Says what to do when the disk is full or the folder is not ours."""
    try:
        yield
    except (OSError, BenchError) as error:
        if is_disk_full(error):
            raise BenchError(
                f"{root}: no space left; nothing half-written stays; free some and run again "
                "(downloads are kept)"
            ) from error
        if isinstance(error, BenchError):
            raise
        raise BenchError(f"{error.filename or root}: {error.strerror or error}") from error


def is_disk_full(error: Exception) -> bool:
    cause = error.__cause__ if isinstance(error, BenchError) else error
    return isinstance(cause, OSError) and cause.errno in _DISK_FULL


@contextmanager
def staging(wanted: Wanted) -> Iterator[Path]:
    """An empty hidden folder for a half-built set; leftovers of killed processes go first."""
    stage = wanted.hidden("partial")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
