"""Unpacking archives of images from strangers, safely.

Only files that look like images leave an archive; everything else in it is counted and left. An
archive that tries something (a path outside, a link, two files of one name, more bytes than a
true copy can have) is refused whole.

More than 300 lines: what is refused, and the writers that hold every byte to it, are one safety rule
for four formats, and read together.
"""

from __future__ import annotations

import shutil
import tarfile
import threading
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import py7zr
from py7zr.io import Py7zIO, WriterFactory

from derainbench.data.acquisition.archive_formats import (
    Member,
    listing,
    member_stream,
    opened,
    readable,
    refuse_locked,
    refuse_open_end,
)
from derainbench.data.acquisition.member_names import (
    is_clutter,
    is_usable,
    safe_path,
    shown_name,
)
from derainbench.data.images import EXTENSIONS
from derainbench.foundation.errors import BenchError
from derainbench.foundation.progress import Reporter

MAX_MEMBERS = 200_000
# Photographs hardly compress; a member that shrinks more than this is no photograph.
MAX_RATIO = 200
_CHUNK = 1 << 20


def unpack(archive: Path, out: Path, max_bytes: int) -> int:
    """Writes an archive's images below ``out``.

    Args:
        archive: zip, tar (gz, bz2, xz), 7z or rar file.
        out: folder; nothing is written anywhere else.
        max_bytes: of all images together.

    Returns:
        Number of files that were left in the archive because they are no images.

    Raises:
        NeedsAPerson: for an archive that is locked, or packed in a way that is not known here.
        BenchError: for an archive that is damaged, unsafe or too large.
    """
    with readable(archive), opened(archive) as file:
        refuse_locked(file, archive)
        wanted, left = _checked(listing(file), archive, max_bytes)
        if not wanted:
            raise BenchError(f"{archive}: holds no image ({', '.join(sorted(EXTENSIONS))})")
        with Reporter(f"unpack {archive.name}", len(wanted)) as reporter:
            writers = _Writers(archive, out, max_bytes, reporter)
            if isinstance(file, py7zr.SevenZipFile):  # its members can only be read all in one go
                file.reset()
                file.extract(targets=[m.name for _, m in wanted], factory=writers)
                return left
            for _, member in wanted:
                with member_stream(file, member) as source, writers.create(member.name) as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
        if isinstance(file, tarfile.TarFile):
            refuse_open_end(file)
    return left


def _checked(
    members: Iterable[Member], archive: Path, max_bytes: int
) -> tuple[list[tuple[PurePosixPath, Member]], int]:
    wanted: dict[str, tuple[PurePosixPath, Member]] = {}
    folders: set[str] = set()
    left = total = 0
    for number, member in enumerate(members):
        if number == MAX_MEMBERS:
            raise BenchError(f"{archive}: refused: holds more than {MAX_MEMBERS} entries")
        path = safe_path(member.name, archive)
        if member.folder:
            folders.add(str(path).lower())
            continue
        if not member.regular:
            raise BenchError(f"{archive}: refused: {shown_name(member.name)} is a link or a device")
        if path.suffix.lower() not in EXTENSIONS or is_clutter(path):
            left += 1
            continue
        if not is_usable(path):
            raise BenchError(
                f"{archive}: refused: {shown_name(member.name)} is no usable file name"
            )
        key = str(path).lower()  # two of these would be one file on some systems
        if key in wanted:
            raise BenchError(f"{archive}: refused: holds {shown_name(member.name)} twice")
        total += member.size
        if member.packed and member.size > MAX_RATIO * max(member.packed, 1024):
            raise BenchError(
                f"{archive}: refused: {shown_name(member.name)} would grow "
                f"{member.size // member.packed} times, which no photograph does"
            )
        wanted[key] = path, member
        folders |= {str(parent).lower() for parent in path.parents}
    if both := sorted(folders & wanted.keys()):
        raise BenchError(f"{archive}: refused: {shown_name(both[0])} is both a file and a folder")
    if total > max_bytes:
        raise _too_large(archive, max_bytes)
    return list(wanted.values()), left


class _Writers(WriterFactory):
    """Makes the files that members are written to, and counts the bytes: headers may lie."""

    def __init__(self, archive: Path, out: Path, max_bytes: int, reporter: Reporter) -> None:
        self._archive, self._out, self._max_bytes = archive, out, max_bytes
        self._reporter = reporter
        self._room = max_bytes
        self._lock = threading.Lock()  # py7zr writes several members at once

    def create(self, filename: str) -> _Writer:
        """The file for a member of this name."""
        target = self._out / safe_path(filename, self._archive)
        target.parent.mkdir(parents=True, exist_ok=True)
        return _Writer(target, self)

    def take(self, count: int) -> None:
        """Room for some bytes more.

        Raises:
            BenchError: if there is none.
        """
        with self._lock:
            self._room -= count
            if self._room < 0:
                raise _too_large(self._archive, self._max_bytes)

    def done(self) -> None:
        """A member is written."""
        with self._lock:
            self._reporter.advance()


class _Writer(Py7zIO):
    """A member's file; py7zr wants more of it than writing."""

    def __init__(self, target: Path, writers: _Writers) -> None:
        self._sink = open(target, "wb")  # noqa: SIM115 - open until py7zr closes it
        self._writers = writers

    def write(self, data: bytes | bytearray) -> int:
        self._writers.take(len(data))
        return self._sink.write(data)

    def read(self, size: int | None = None) -> bytes:
        return b""

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def flush(self) -> None:
        self._sink.flush()

    def size(self) -> int:
        return self._sink.tell()

    def close(self) -> None:
        self._sink.close()
        self._writers.done()

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _too_large(archive: Path, max_bytes: int) -> BenchError:
    return BenchError(
        f"{archive}: refused: unpacks to more than the {max_bytes / 1e9:g} GB that a true copy can "
        "have (a zip bomb?)"
    )
