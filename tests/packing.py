"""Archives of every kind, honest and hostile, from names and bytes."""

from __future__ import annotations

import binascii
import io
import struct
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import py7zr
import pytest
from helpers import noise
from PIL import Image

from derainbench.data.acquisition import archives

KINDS = (".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar")
Entries = Iterable[tuple[str, bytes]]


def picture(seed: int = 0, size: tuple[int, int] = (32, 48)) -> bytes:
    """A small PNG file."""
    stream = io.BytesIO()
    Image.fromarray(noise(*size, seed=seed)).save(stream, format="PNG")
    return stream.getvalue()


def pack(path: Path, entries: dict[str, bytes] | Entries) -> Path:
    """Writes an archive of the kind that its name says; names go in as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = entries.items() if isinstance(entries, dict) else entries
    kind = next(k for k in KINDS if path.name.endswith(k))
    if kind == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in entries:
                archive.writestr(zip_info(name), content)
    elif kind == ".7z":
        with py7zr.SevenZipFile(path, "w") as archive:
            for name, content in entries:
                archive._writestr(content, name)  # the public one refuses hostile names
    elif kind == ".rar":
        path.write_bytes(stored_rar(entries))
    else:
        with tarfile.open(path, "w:" + kind.removeprefix(".tar").removeprefix(".")) as archive:
            for name, content in entries:
                archive.addfile(tar_info(name, size=len(content)), io.BytesIO(content))
    return path


def zip_info(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("x")
    info.filename = name  # the constructor would tidy it up
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def tar_info(name: str, **facts) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in facts.items():
        setattr(info, key, value)
    return info


def stored_rar(entries: Entries, method: int = 0x30, flags: int = 0) -> bytes:
    """A RAR 3 archive whose members are not compressed (0x30), or said to be (0x33)."""

    def block(kind: int, flags: int, fields: bytes, data: bytes = b"") -> bytes:
        head = struct.pack("<BHH", kind, flags, 7 + len(fields)) + fields
        return struct.pack("<H", binascii.crc32(head) & 0xFFFF) + head + data

    parts = [b"Rar!\x1a\x07\x00", block(0x73, 0, bytes(6))]
    for name, content in entries:
        raw, crc = name.encode(), binascii.crc32(content)
        size, dated, version, attributes = len(content), 0x21 << 16, 20, 0x20
        fields = struct.pack("<LLBLLBBHL", size, size, 2, crc, dated, version, method, len(raw), attributes)  # fmt: skip
        parts.append(block(0x74, 0x8000 | flags, fields + raw, content))
    return b"".join([*parts, block(0x7B, 0x4000, b"")])


def patched(path: Path, signature: bytes, offset: int, value: bytes) -> None:
    """Overwrites bytes at an offset from every place where a signature stands."""
    content = bytearray(path.read_bytes())
    at = content.find(signature)
    while at >= 0:
        content[at + offset : at + offset + len(value)] = value
        at = content.find(signature, at + 1)
    path.write_bytes(content)


def patched_zip(path: Path, field: str, value: bytes) -> None:
    """Overwrites a field of every member, in both of a ZIP file's headers."""
    local, central = {"flags": (6, 8), "method": (8, 10), "size": (22, 24)}[field]
    patched(path, b"PK\x03\x04", local, value)
    patched(path, b"PK\x01\x02", central, value)


def lie_about_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every archive's headers say that its files have one byte."""
    honest = archives.listing

    def lying(file):
        return [archives.Member(m.name, 1, None, m.folder, m.regular, m.info) for m in honest(file)]

    monkeypatch.setattr(archives, "listing", lying)
