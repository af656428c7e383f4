"""An archive as a zip file: written so that equal contents give equal bytes, and read safely."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from derainbench.data.acquisition.archive_formats import listing, opened, readable, refuse_locked
from derainbench.data.acquisition.member_names import is_usable, safe_path, shown_name
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import atomic_path, regular_file

MAX_MEMBERS = 200_000
MAX_BYTES = 64 << 30  # weights of a whole study, many times over
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that the format knows
_MODE = 0o100644 << 16  # a regular file that everybody may read


def pack(contents: Mapping[str, Path | str], out: Path) -> None:
    """Writes a zip file whole or not at all; its bytes follow from names and contents alone.

    Args:
        contents: by name in the archive, a file or a text.
        out: the zip file.
    """
    with (
        atomic_path(out) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in sorted(contents):
            member = zipfile.ZipInfo(name, _TIME)
            member.external_attr = _MODE
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # Unix, wherever this runs
            source = contents[name]
            if isinstance(source, str):
                archive.writestr(member, source)
                continue
            member.file_size = source.stat().st_size
            with source.open("rb") as stream, archive.open(member, "w") as sink:
                shutil.copyfileobj(stream, sink)


def unpack(archive: Path, out: Path) -> None:
    """Writes what an archive of results holds below a folder, and nothing anywhere else.

    Raises:
        BenchError: for a file that is no readable zip, or one that tries something: a path outside,
            a link, two files of one name, more than can be meant. Nothing of such a one is written.
    """
    with readable(regular_file(archive)), opened(archive) as file:
        if not isinstance(file, zipfile.ZipFile):
            raise BenchError(f"{archive}: is no zip file, as `derainbench archive` writes them")
        refuse_locked(file, archive)
        members = {}
        for member in listing(file):
            path = safe_path(member.name, archive)
            if member.folder:
                continue
            shown = shown_name(member.name)
            if not member.regular:
                raise BenchError(f"{archive}: refused: {shown} is a link or a device")
            if not is_usable(path) or not path.parts:
                raise BenchError(f"{archive}: refused: {shown} is no usable file name")
            if str(path).lower() in members:
                raise BenchError(f"{archive}: refused: holds {shown} twice")
            members[str(path).lower()] = path, member
        folders = {str(parent).lower() for path, _ in members.values() for parent in path.parents}
        if both := sorted(folders & members.keys()):
            raise BenchError(
                f"{archive}: refused: {shown_name(both[0])} is both a file and a folder"
            )
        if len(members) > MAX_MEMBERS or sum(m.size for _, m in members.values()) > MAX_BYTES:
            raise BenchError(f"{archive}: refused: holds more than any results do")
        for path, member in members.values():
            target = out / path
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open(member.info) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
