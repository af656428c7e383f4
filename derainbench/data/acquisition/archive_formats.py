"""Archives of every format, read in the same way, and the one line that says why one is not.

Formats are told by what a file holds: names lie. What the libraries raise on a bad archive, and it
may be anything, becomes an error that a user understands.
"""

from __future__ import annotations

import errno
import stat
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

import py7zr
import rarfile
from py7zr.exceptions import PasswordRequired, UnsupportedCompressionMethodError

from derainbench.data.images import EXTENSIONS
from derainbench.foundation.errors import BenchError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
_BY_HAND = "unpack it yourself and add the folder"
_CHUNK = 1 << 20
# rarfile has no types: its RarFile stands as Any.
Archive: TypeAlias = zipfile.ZipFile | tarfile.TarFile | py7zr.SevenZipFile | Any


class NeedsAPerson(BenchError):
    """An archive that may be fine, but that this program cannot unpack."""


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Attributes:
        size: in bytes, as the archive states it.
        packed: likewise, compressed; None where the format does not say it.
        regular: whether it is a file, and neither link nor device.
        info: what the library knows it as.
    """

    name: str
    size: int
    packed: int | None
    folder: bool
    regular: bool
    info: Any


def is_archive(path: Path) -> bool:
    """Whether a file is an archive, by its name or by what it holds."""
    return has_archive_name(path.name) or bool(_kind(path))


def has_archive_name(name: str) -> bool:
    """Whether a file name ends like an archive's."""
    return name.lower().endswith(ARCHIVES)


def _kind(path: Path) -> str | None:
    """Names lie, contents do not: the format by signature."""
    if path.suffix.lower() in EXTENSIONS:
        return None
    for kind, test in (
        ("zip", _starts_like_zip),
        ("7z", py7zr.is_7zfile),
        ("rar", rarfile.is_rarfile),
        ("tar", tarfile.is_tarfile),
        ("zip", zipfile.is_zipfile),  # by its end, which may be that of one in another archive
    ):
        with suppress(Exception):  # of the libraries, on contents that they did not expect
            if test(path):
                return kind
    return None


def _starts_like_zip(path: Path) -> bool:
    with open(path, "rb") as stream:
        starts = stream.read(4) == b"PK\x03\x04"
    return starts and zipfile.is_zipfile(path)


@contextmanager
def readable(archive: Path) -> Iterator[None]:
    """Turns whatever the libraries raise on a bad archive into one line.

    Raises:
        NeedsAPerson: for an archive that is locked, or packed in a way that is not known here.
        BenchError: for any other one that cannot be read.
    """
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


def opened(archive: Path) -> Archive:
    """An archive, open for reading.

    Raises:
        OSError: if the file is missing or not ours.
        BenchError: if it has no format that is known here.
    """
    open(archive, "rb").close()
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


def refuse_locked(file: Archive, archive: Path) -> None:
    """Refuses an archive that wants a password.

    Raises:
        NeedsAPerson: if it does.
    """
    match file:
        case zipfile.ZipFile():
            locked = any(i.flag_bits & 1 for i in file.infolist())
        case tarfile.TarFile():
            locked = False
        case _:
            locked = file.needs_password()
    if locked:
        raise _locked(archive)


def refuse_open_end(file: tarfile.TarFile) -> None:
    """Holds a tar file against its end: tarfile takes a damaged or missing header for one.

    Raises:
        tarfile.ReadError: if the file goes on where tarfile saw the end.
    """
    file.fileobj.seek(file.offset)
    if file.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("damaged or cut off after some files")
    while file.fileobj.read(_CHUNK):  # up to the checksum of a packed one
        pass


def listing(file: Archive) -> Iterable[Member]:
    """The members of an archive, in its order, folders and links among them."""
    match file:
        case zipfile.ZipFile():
            return [
                Member(i.filename, i.file_size, i.compress_size, i.is_dir(), _plain_zip(i), i)
                for i in file.infolist()
            ]
        case rarfile.RarFile():
            return [
                Member(i.filename, i.file_size, i.compress_size, i.is_dir(), i.is_file(), i)
                for i in file.infolist()
            ]
        case py7zr.SevenZipFile():
            return [
                Member(i.filename, i.uncompressed, None, i.is_directory, i.is_file, i)
                for i in file.list()
            ]
        case _:
            # One by one: a small file can hold millions.
            return (Member(i.name, i.size, None, i.isdir(), i.isfile(), i) for i in file)


def _plain_zip(info: zipfile.ZipInfo) -> bool:
    # Unix permissions; 0 where another system packed the file.
    return stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def member_stream(file: Archive, member: Member) -> IO[bytes]:
    """What a member holds; of formats other than 7z, which can only be read all in one go."""
    if isinstance(file, tarfile.TarFile):
        return cast(IO[bytes], file.extractfile(member.info))  # None for what is no file alone
    return cast(Any, file).open(member.info)
