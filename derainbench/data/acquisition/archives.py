"""Unpacking archives of images from strangers, safely.

Only files that look like images leave an archive, and those of the archives in it; everything else
is counted and left. An archive that tries something (a path outside, a link, two files of one name,
more bytes than a true copy can have, archives within archives without end) is refused whole.
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
    has_archive_name,
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

MAX_MEMBERS = 200_000  # those of archives in it included
MAX_DEPTH = 3  # of archives in archives
# Photographs hardly compress; a member that shrinks more than this is no photograph.
MAX_RATIO = 200
_CHUNK = 1 << 20


def unpack(archive: Path, out: Path, max_bytes: int) -> int:
    """Writes an archive's images below ``out``.

    Archives in it are unpacked too, each into a folder of its name beside where it lay.

    Args:
        archive: zip, tar (gz, bz2, xz), 7z or rar file.
        out: folder; nothing is written anywhere else.
        max_bytes: of all images together; likewise of all archives at one depth.

    Returns:
        Number of files that were left in the archive because they are no images.

    Raises:
        NeedsAPerson: for an archive that is locked, or packed in a way that is not known here.
        BenchError: for an archive that is damaged, unsafe or too large, or holds no image.
    """
    room = Room(max_bytes)
    left = _unpack(archive, out, room, depth=0)
    if not room.images:
        raise BenchError(f"{archive}: holds no image ({', '.join(sorted(EXTENSIONS))})")
    return left


def _unpack(archive: Path, out: Path, room: Room, depth: int) -> int:
    """The same with what room is left; gives the number of files that were left in it."""
    with readable(archive), opened(archive) as file:
        refuse_locked(file, archive)
        wanted, left = _checked(listing(file), archive, room)
        inner = [out / path for path, member in wanted if has_archive_name(member.name)]
        if inner and depth == MAX_DEPTH:
            raise BenchError(
                f"{archive}: refused: holds archives in archives, more than {MAX_DEPTH} deep"
            )
        room.images += len(wanted) - len(inner)
        with Reporter(f"unpack {archive.name}", len(wanted)) as reporter:
            writers = _Writers(archive, out, room, reporter)
            room.begin_depth(depth)
            if isinstance(file, py7zr.SevenZipFile):  # its members can only be read all in one go
                if wanted:
                    file.reset()
                    file.extract(targets=[m.name for _, m in wanted], factory=writers)
            else:
                for _, member in wanted:
                    with member_stream(file, member) as source, writers.create(member.name) as sink:
                        shutil.copyfileobj(source, sink, _CHUNK)
        if isinstance(file, tarfile.TarFile):
            refuse_open_end(file)
    return left + sum(_unpack_inner(archive, path, out, room, depth + 1) for path in inner)


def _unpack_inner(archive: Path, inner: Path, out: Path, room: Room, depth: int) -> int:
    """Unpacks an archive that came out of another one, and removes it.

    Raises:
        BenchError: likewise; the message names both, the inner one as it is called in there.
    """
    name = inner.name.split(".")[0]  # it may be all that says which split or side this is
    folder, number = inner.parent / name, 1
    while folder.exists():
        number += 1
        folder = inner.parent / str(number) / name
    try:
        return _unpack(inner, folder, room, depth)
    except BenchError as error:
        fault = str(error).removeprefix(f"{inner}: ")
        place = shown_name(inner.relative_to(out).as_posix())
        cause = error.__cause__ or error
        raise type(error)(f"{archive}: in it {place}: {fault}") from cause
    finally:
        inner.unlink(missing_ok=True)


def _checked(
    members: Iterable[Member], archive: Path, room: Room
) -> tuple[list[tuple[PurePosixPath, Member]], int]:
    wanted: dict[str, tuple[PurePosixPath, Member]] = {}
    folders: set[str] = set()
    left = images = archives = 0
    for member in members:
        if room.members == MAX_MEMBERS:
            raise BenchError(f"{archive}: refused: holds more than {MAX_MEMBERS} entries")
        room.members += 1
        path = safe_path(member.name, archive)
        if member.folder:
            folders.add(str(path).lower())
            continue
        if not member.regular:
            raise BenchError(f"{archive}: refused: {shown_name(member.name)} is a link or a device")
        is_inner = has_archive_name(path.name)
        if not (path.suffix.lower() in EXTENSIONS or is_inner) or is_clutter(path):
            left += 1
            continue
        if not is_usable(path):
            raise BenchError(
                f"{archive}: refused: {shown_name(member.name)} is no usable file name"
            )
        key = str(path).lower()  # two of these would be one file on some systems
        if key in wanted:
            raise BenchError(f"{archive}: refused: holds {shown_name(member.name)} twice")
        if is_inner:
            archives += member.size
        else:
            images += member.size
        if member.packed and member.size > MAX_RATIO * max(member.packed, 1024):
            raise BenchError(
                f"{archive}: refused: {shown_name(member.name)} would grow "
                f"{member.size // member.packed} times, which no photograph does"
            )
        wanted[key] = path, member
        folders |= {str(parent).lower() for parent in path.parents}
    if both := sorted(folders & wanted.keys()):
        raise BenchError(f"{archive}: refused: {shown_name(both[0])} is both a file and a folder")
    if images > room.for_images or archives > room.max_bytes:
        raise _too_large(archive, room.max_bytes)
    return list(wanted.values()), left


class Room:
    """What may still come out of an archive and of those in it, counted as it comes.

    Attributes:
        max_bytes: of all images; likewise of the archives at one depth.
        for_images: bytes that are left of that.
        members: entries that were seen.
        images: files that were found.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.for_images = max_bytes
        self.members = self.images = 0
        self._for_archives = [max_bytes] * (MAX_DEPTH + 1)
        self._depth = 0
        self._lock = threading.Lock()  # py7zr writes several members at once

    def begin_depth(self, depth: int) -> None:
        """From now on archives come out of one at this depth."""
        self._depth = depth

    def take(self, count: int, is_archive: bool) -> bool:
        """Takes some bytes; whether there was room for them."""
        with self._lock:
            if is_archive:
                self._for_archives[self._depth] -= count
                return self._for_archives[self._depth] >= 0
            self.for_images -= count
            return self.for_images >= 0


class _Writers(WriterFactory):
    """Makes the files that members are written to, and counts the bytes: headers may lie."""

    def __init__(self, archive: Path, out: Path, room: Room, reporter: Reporter) -> None:
        self._archive, self._out, self._room = archive, out, room
        self._reporter = reporter
        self._lock = threading.Lock()

    def create(self, filename: str) -> _Writer:
        """The file for a member of this name."""
        target = self._out / safe_path(filename, self._archive)
        target.parent.mkdir(parents=True, exist_ok=True)
        return _Writer(target, self)

    def take(self, count: int, is_archive: bool) -> None:
        """Room for some bytes more.

        Raises:
            BenchError: if there is none.
        """
        if not self._room.take(count, is_archive):
            raise _too_large(self._archive, self._room.max_bytes)

    def done(self) -> None:
        """A member is written."""
        with self._lock:
            self._reporter.advance()


class _Writer(Py7zIO):
    """A member's file; py7zr wants more of it than writing."""

    def __init__(self, target: Path, writers: _Writers) -> None:
        self._sink = open(target, "wb")  # noqa: SIM115 - open until py7zr closes it
        self._writers = writers
        self._is_archive = has_archive_name(target.name)

    def write(self, data: bytes | bytearray) -> int:
        self._writers.take(len(data), self._is_archive)
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
