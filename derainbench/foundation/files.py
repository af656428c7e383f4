"""Writing files whole: into a temporary neighbour first, which reaches the disk and is then renamed."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import platform
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from derainbench.foundation import reads
from derainbench.foundation.errors import BenchError

RECORD_SUFFIX = ".provenance.json"  # of the record beside a result
STAGE_PREFIX = ".partial-"  # of the folder that results are put together in


_STEM_LENGTH = 40  # characters of a temporary's name that it shares with the file
_TEMPORARY = re.compile(r"^\.(?:.*[.-])?(\d+)@([A-Za-z0-9-]+)-\w{8}(?:\.\w+)?$")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside ``path``; it becomes ``path`` when the block ends well.

    The bytes reach the disk before the rename, and the rename before this returns: a machine that
    loses its power leaves the old file or the new one, never an empty one.

    Raises:
        BenchError: if the folder cannot be written to, or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent,
            prefix=temporary_prefix(f".{path.stem[:_STEM_LENGTH]}."),
            suffix=path.suffix,
        )
    except OSError as error:
        raise BenchError(f"{path}: cannot be written ({error.strerror})") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp's 0600 would hide results from colleagues
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        if not is_about_writing(error, temporary):
            raise
        raise BenchError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def is_about_writing(error: OSError, place: Path) -> bool:
    """Whether an error says that a place, or a disk without saying which, takes no more."""
    if error.filename is None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
    return Path(os.fsdecode(error.filename)).is_relative_to(place)


def sync(path: Path) -> None:
    """Waits until a file's bytes, or a folder's names, have reached the disk.

    Raises:
        OSError: if the bytes of a file could not be written. Folders are a matter of the file system:
            where it cannot sync them, nothing is said.
    """
    with suppress(OSError) if path.is_dir() else nullcontext():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def temporary_prefix(start: str) -> str:
    """How the names of this process's temporaries begin: with ``start``, process and machine."""
    return f"{start}{os.getpid()}@{_machine()}-"


def _machine() -> str:
    return re.sub(r"[^A-Za-z0-9]", "", platform.node())[:16] or "here"


def is_abandoned(name: str) -> bool:
    """Whether a file or folder of this name is a temporary of a process that has ended.

    Processes on other machines cannot be asked: their temporaries are not abandoned.
    """
    match = _TEMPORARY.match(name)
    if not match or match[2] != _machine():
        return False
    try:
        os.kill(int(match[1]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it lives, and is another user's
        return False
    return False


def write_text(path: Path, text: str) -> None:
    """Writes a text file (UTF-8) whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Writes JSON as :func:`json_text` gives it, indented, whole or not at all."""
    write_text(path, json_text(content, indent=1) + "\n")


def json_text(content: Any, indent: int | None = None) -> str:
    """JSON by the standard, which has neither NaN nor infinity: both become null."""
    return json.dumps(_finite(content), indent=indent, ensure_ascii=False, allow_nan=False)


def _finite(content: Any) -> Any:
    """The same content with None for every number that is not finite."""
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_of(files: Iterable[Path], root: Path) -> str:
    """One SHA-256 over the relative names and contents of several files, order-independent."""
    return combined_digest({path: sha256(path) for path in files}, root)


def combined_digest(digests: Mapping[Path, str], root: Path) -> str:
    """What :func:`digest_of` gives, from digests of the files that are known already."""
    total = hashlib.sha256()
    for path in sorted(digests):
        total.update(f"{path.relative_to(root).as_posix()} {digests[path]}\n".encode())
    return total.hexdigest()


def regular_file(path: Path, missing: str = "no such file") -> Path:
    """Gives a path back if a file lies there that reading comes to the end of, and notes it as read.

    Every reader of files asks here first: reading from a pipe or a device may never end, and
    provenance records name what was read (:mod:`derainbench.foundation.reads`).

    Args:
        path: of the file, or of a link to it.
        missing: what the message says if nothing is there, and what to do.

    Raises:
        BenchError: if nothing is there, or something else: a folder, a pipe, a socket, a device.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BenchError(f"{path}: {missing}") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = getattr(error, "strerror", None) or error
        raise BenchError(f"{str(path)!r}: cannot be read ({reason})") from error
    if stat.S_ISDIR(mode):
        raise BenchError(f"{path}: is a folder, not a file")
    if not stat.S_ISREG(mode):
        kind = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}.get(stat.S_IFMT(mode), "device")
        raise BenchError(f"{path}: is a {kind}, not a file; copy what it gives into a file")
    reads.note(Path(path))
    return Path(path)


@contextmanager
def pinned(folder: Path) -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether a path still leads to the folder that it leads to now.

    It does not once the folder was deleted, or its disk taken away: what is written to the path then
    lies elsewhere, such as below the point where the disk was mounted, and what was written is gone.

    Args:
        folder: that is there now.
    """
    handle = os.open(folder, os.O_RDONLY)  # while it is open no other folder gets its number

    def is_there() -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(folder))
        except OSError:
            return False

    try:
        yield is_there
    finally:
        os.close(handle)
