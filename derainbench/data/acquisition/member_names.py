"""Names of an archive's members: whether they stay inside, and whether every file system takes them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from derainbench.foundation.errors import BenchError

# Bytes that every file system takes, with a little added to the name while a file comes in.
_MAX_NAME, _MAX_PATH = 240, 1000


def safe_path(name: str, archive: Path) -> PurePosixPath:
    """A member's name as a path below the folder that an archive is unpacked into.

    Raises:
        BenchError: if it leads out of that folder.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts:
        raise BenchError(f"{archive}: refused: {shown_name(name)} points outside the target folder")
    return path


def is_usable(path: PurePosixPath) -> bool:
    """Whether every file system takes a name, and every message can show it in one line."""
    name = str(path)
    return (
        name.isprintable()
        and len(name.encode()) <= _MAX_PATH
        and all(len(part.encode()) <= _MAX_NAME for part in path.parts)
    )


def shown_name(name: str) -> str:
    """A name as messages show it: quoted, and not too long."""
    return repr(name if len(name) <= 100 else f"{name[:100]}…")


def is_clutter(path: PurePosixPath) -> bool:
    """Whether a file is one that systems leave behind, hidden from their users."""
    return "__MACOSX" in path.parts or path.name.startswith(".")
