"""Unpacking archives of images from strangers, safely.

Only files that look like images leave an archive; everything else in it is counted and left. An
archive that tries something (a path outside, a link, two files of one name, more bytes than a
true copy can have) is refused whole.
"""

from __future__ import annotations

import errno
import shutil
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias, cast

import py7zr
import rarfile
from py7zr.exceptions import PasswordRequired, UnsupportedCompressionMethodError
from py7zr.io import Py7zIO, WriterFactory

from derainbench.data.acquisition.member_names import (
    is_clutter,
    is_usable,
    safe_path,
    shown_name,
)
from derainbench.data.images import EXTENSIONS
from derainbench.foundation.errors import BenchError
from derainbench.foundation.progress import Reporter

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
MAX_MEMBERS = 200_000
# Photographs hardly compress; a member that shrinks more than this is no photograph.
MAX_RATIO = 200
_CHUNK = 1 << 20
_BY_HAND = "unpack it yourself and add the folder"


class NeedsAPerson(BenchError):
    """An archive that may be fine, but that this program cannot unpack."""


# rarfile has no types: its RarFile stands as Any.
# rarfile brings no types.
Archive: TypeAlias = zipfile.ZipFile | tarfile.TarFile | py7zr.SevenZipFile | Any


@dataclass(frozen=True)
class _Member:
    """One entry of an archive; ``packed`` is its compressed size where the format says it."""

    name: str
    size: int
    packed: int | None
    folder: bool
    regular: bool
    info: Any


def is_archive(path: Path) -> bool:
    """Whether a file is one that :func:`unpack` takes, by its name or by what it holds."""
    return has_archive_name(path.name) or bool(_kind(path))


def has_archive_name(name: str) -> bool:
    """Whether a file name ends like an archive's."""
    return name.lower().endswith(ARCHIVES)


def _kind(path: Path) -> str | None:
    """Names lie, contents do not: the format by signature."""
    if path.suffix.lower() in EXTENSIONS:
        return None
    for kind, test in (
        ("zip", zipfile.is_zipfile),
        ("7z", py7zr.is_7zfile),
        ("rar", rarfile.is_rarfile),
        ("tar", tarfile.is_tarfile),
    ):
        with suppress(Exception):  # of the libraries, on contents that they did not expect
            if test(path):
                return kind
    return None


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
    with _readable(archive), _opened(archive) as file:
        _refuse_locked(file, archive)
        wanted, left = _checked(_listing(file), archive, max_bytes)
        if not wanted:
            raise BenchError(f"{archive}: holds no image ({', '.join(sorted(EXTENSIONS))})")
        with Reporter(f"unpack {archive.name}", len(wanted)) as reporter:
            writers = _Writers(archive, out, max_bytes, reporter)
            if isinstance(file, py7zr.SevenZipFile):  # its members can only be read all in one go
                file.reset()
                file.extract(targets=[m.name for _, m in wanted], factory=writers)
                return left
            for _, member in wanted:
                with _member_stream(file, member) as source, writers.create(member.name) as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
        if isinstance(file, tarfile.TarFile):
            _refuse_open_end(file)
    return left


def _checked(
    members: Iterable[_Member], archive: Path, max_bytes: int
) -> tuple[list[tuple[PurePosixPath, _Member]], int]:
    wanted: dict[str, tuple[PurePosixPath, _Member]] = {}
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


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turns whatever the libraries raise on a bad archive into one line."""
    try:
        yield
    except BenchError:
        raise
    except rarfile.RarCannotExec as error:
        raise NeedsAPerson(
            f"{archive}: rar needs the program unrar, unar, 7z or bsdtar; install one, or unpack the "
            "file yourself and call `derainbench data add` with the folder"
        ) from error
    except PasswordRequired as error:
        raise _locked(archive) from error
    except (NotImplementedError, UnsupportedCompressionMethodError) as error:
        raise NeedsAPerson(f"{archive}: is packed in a rare way; {_BY_HAND}") from error
    except Exception as error:
        # The libraries let through what they stumble over, of any type. Faults of the disk have a
        # number; of these, only seeking to where no file can be is the archive's.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(
            f"{archive}: not a readable archive ({first}); download it again"
        ) from error


def _locked(archive: Path) -> BenchError:
    return NeedsAPerson(f"{archive}: is encrypted; {_BY_HAND}")


def _opened(archive: Path) -> Archive:
    open(archive, "rb").close()  # says so if it is missing or not ours
    match _kind(archive):
        case "zip":
            return zipfile.ZipFile(archive)
        case "tar":
            return tarfile.open(archive)
        case "rar":
            return rarfile.RarFile(archive, errors="strict")  # or a cut one would only seem shorter
        case "7z":
            return py7zr.SevenZipFile(archive)
        case _:
            raise BenchError(
                f"{archive}: not a readable archive (damaged or cut off?); download it again"
            )


def _refuse_locked(file: Archive, archive: Path) -> None:
    match file:
        case zipfile.ZipFile():
            locked = any(i.flag_bits & 1 for i in file.infolist())
        case tarfile.TarFile():
            locked = False
        case _:
            locked = file.needs_password()
    if locked:
        raise _locked(archive)


def _refuse_open_end(file: tarfile.TarFile) -> None:
    """Holds a tar file against its end: tarfile takes a damaged or missing header for one."""
    file.fileobj.seek(file.offset)
    if file.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("damaged or cut off after some files")
    while file.fileobj.read(_CHUNK):  # up to the checksum of a packed one
        pass


def _listing(file: Archive) -> Iterable[_Member]:
    match file:
        case zipfile.ZipFile():
            return [
                _Member(i.filename, i.file_size, i.compress_size, i.is_dir(), _plain_zip(i), i)
                for i in file.infolist()
            ]
        case rarfile.RarFile():
            return [
                _Member(i.filename, i.file_size, i.compress_size, i.is_dir(), i.is_file(), i)
                for i in file.infolist()
            ]
        case py7zr.SevenZipFile():
            return [
                _Member(i.filename, i.uncompressed, None, i.is_directory, i.is_file, i)
                for i in file.list()
            ]
        case _:
            # One by one: a small file can hold millions.
            return (_Member(i.name, i.size, None, i.isdir(), i.isfile(), i) for i in file)


def _plain_zip(info: zipfile.ZipInfo) -> bool:
    # Unix permissions; 0 where another system packed the file.
    return stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def _member_stream(file: Archive, member: _Member) -> IO[bytes]:
    if isinstance(file, tarfile.TarFile):
        return cast(IO[bytes], file.extractfile(member.info))  # None for what is no file alone
    return cast(Any, file).open(member.info)
