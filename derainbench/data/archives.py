"""Unpacking archives of images from strangers, safely.

Only files that look like images leave an archive; everything else in it is counted and left. An
archive that tries something (a path outside, a link, two files of one name, more bytes than a
true copy can have) is refused whole.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import py7zr
import rarfile

from derainbench.data.images import EXTENSIONS
from derainbench.errors import BenchError
from derainbench.progress import Reporter

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
MAX_MEMBERS = 200_000
# Photographs hardly compress; a member that shrinks more than this is no photograph.
MAX_RATIO = 200
_CHUNK = 1 << 20


Archive = zipfile.ZipFile | tarfile.TarFile | rarfile.RarFile | py7zr.SevenZipFile


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
        BenchError: for an archive that is damaged, encrypted, unsafe or too large.
    """
    with _readable(archive), _opened(archive, max_bytes) as file:
        wanted, left = _checked(_listing(file), archive, max_bytes)
        if not wanted:
            raise BenchError(f"{archive}: holds no image ({', '.join(sorted(EXTENSIONS))})")
        if isinstance(file, py7zr.SevenZipFile):  # its members can only be read all in one go
            file.reset()
            file.extract(out, targets=[m.name for _, m in wanted])
            return left
        with Reporter(f"unpack {archive.name}", len(wanted)) as reporter:
            budget = max_bytes
            for path, member in wanted:
                target = out / path
                target.parent.mkdir(parents=True, exist_ok=True)
                with _member_stream(file, member) as source:
                    budget -= _copy(source, target, budget, archive)
                reporter.advance()
    return left


def _checked(
    members: list[_Member], archive: Path, max_bytes: int
) -> tuple[list[tuple[PurePosixPath, _Member]], int]:
    if len(members) > MAX_MEMBERS:
        raise BenchError(f"{archive}: holds {len(members)} entries, more than {MAX_MEMBERS}")
    wanted, seen, left, total = [], set(), 0, 0
    for member in members:
        path = _safe(member.name, archive)
        if member.folder:
            continue
        if not member.regular:
            raise BenchError(f"{archive}: refused: '{member.name}' is a link or a device")
        if path.suffix.lower() not in EXTENSIONS or _is_clutter(path):
            left += 1
            continue
        key = str(path).lower()  # two of these would be one file on some systems
        if key in seen:
            raise BenchError(f"{archive}: refused: holds '{member.name}' twice")
        seen.add(key)
        total += member.size
        if member.packed and member.size > MAX_RATIO * max(member.packed, 1024):
            raise BenchError(
                f"{archive}: refused: '{member.name}' would grow {member.size // member.packed} "
                "times, which no photograph does"
            )
        wanted.append((path, member))
    if total > max_bytes:
        raise _too_large(archive, max_bytes)
    return wanted, left


def _safe(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    drive = len(path.parts) > 0 and path.parts[0].endswith(":")
    if path.is_absolute() or drive or ".." in path.parts or "\0" in name:
        raise BenchError(f"{archive}: refused: '{name}' points outside the target folder")
    return path


def _is_clutter(path: PurePosixPath) -> bool:
    return "__MACOSX" in path.parts or path.name.startswith(".")


def _copy(source: IO[bytes], target: Path, budget: int, archive: Path) -> int:
    """Copies one member; sizes in headers may lie, so bytes are counted."""
    written = 0
    with open(target, "wb") as sink:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > budget:
                raise _too_large(archive, budget)
            sink.write(chunk)
    return written


def _too_large(archive: Path, max_bytes: int) -> BenchError:
    return BenchError(
        f"{archive}: refused: unpacks to more than the {max_bytes / 1e9:.1f} GB that a true copy "
        "can have (a zip bomb?)"
    )


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turns whatever the libraries raise on a bad archive into one line."""
    try:
        yield
    except rarfile.RarCannotExec as error:
        raise BenchError(
            f"{archive}: rar needs the program unrar, unar, 7z or bsdtar; install one, or unpack the "
            "file yourself and call `derainbench data add` with the folder"
        ) from error
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        py7zr.exceptions.ArchiveError,
        rarfile.Error,
        NotImplementedError,
    ) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(
            f"{archive}: not a readable archive ({first}); download it again"
        ) from error
    except RuntimeError as error:  # zipfile's answer to encryption
        raise BenchError(f"{archive}: cannot be unpacked ({error})") from error


def _opened(archive: Path, max_bytes: int) -> Archive:
    kind = _kind(archive)
    if kind is None:
        raise BenchError(f"{archive}: not a readable archive (damaged or cut off?); get it again")
    if kind == "zip":
        return zipfile.ZipFile(archive)
    if kind == "tar":
        return tarfile.open(archive)
    if kind == "rar":
        file = rarfile.RarFile(archive)
    else:
        file = py7zr.SevenZipFile(archive, max_extract_size=max_bytes)
    if file.needs_password():
        raise BenchError(f"{archive}: is encrypted; unpack it yourself and add the folder")
    return file


def _listing(file: Archive) -> list[_Member]:
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
            return [_Member(i.name, i.size, None, i.isdir(), i.isfile(), i) for i in file]


def _plain_zip(info: zipfile.ZipInfo) -> bool:
    # Unix permissions; 0 where another system packed the file.
    return stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG)


def _member_stream(file: Archive, member: _Member) -> IO[bytes]:
    if isinstance(file, tarfile.TarFile):
        return file.extractfile(member.info)
    return file.open(member.info)
