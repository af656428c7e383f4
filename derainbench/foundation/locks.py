"""Locks on files that die with the process that holds them, and say who that is."""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from derainbench.foundation.errors import BenchError


@contextmanager
def held(path: Path, what: str) -> Iterator[None]:
    """Holds a lock while the block runs; the system lets go of it however the process ends.

    Args:
        path: of the lock file, which is there only while the lock is held. Its folder is made.
        what: is locked, for the message.

    Raises:
        BenchError: at once, if another process holds it; the line names that process, since when it
            has it, and its folder.
    """
    handle = _taken(path, what)
    try:
        owner = {
            "process": os.getpid(),
            "machine": platform.node(),
            "since": datetime.datetime.now().isoformat(sep=" ", timespec="seconds"),
            "folder": os.getcwd(),
        }
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(owner).encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def _taken(path: Path, what: str) -> int:
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise BenchError(f"{path}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have removed the file in between: then this one locks nothing.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    return handle
        except BlockingIOError:
            owner = os.pread(handle, 10_000, 0).decode(errors="replace")
            os.close(handle)
            raise BenchError(f"{what}: {_described(owner)}; wait for it, or end it") from None
        os.close(handle)


def _described(owner: str) -> str:
    try:
        facts = json.loads(owner)
        return (
            f"process {facts['process']} on {facts['machine']} works on it since {facts['since']}, "
            f"in {facts['folder']}"
        )
    except (ValueError, KeyError, TypeError):  # it has just begun, and has not said so yet
        return "another process works on it"
