"""Digests of the images in a folder, quick where they were taken before.

The workflow asks for them whenever it is planned: a folder's own time says nothing of an image that
was replaced in it. A file is read again only if its size or time changed.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from derainbench.foundation.files import sha256, write_text

CACHE = Path(".derainbench") / "image-digests.json"
ABSENT = ""


class ImageDigests:
    """Digests of folders, with those of their files kept in a JSON file between runs.

    Args:
        cache: the JSON file; it need not exist, and a damaged one is made anew.
    """

    def __init__(self, cache: Path = CACHE) -> None:
        self.cache = cache
        self._folders: dict[Path, str] = {}

    def of(self, *folders: Path) -> str:
        """One digest over the names and contents of all files below some folders.

        A folder that is not there counts as absent and is looked at again the next time: a job of
        the same workflow may make it.

        Returns:
            16 hexadecimal digits; empty if no folder is there.
        """
        digests = [self._of_folder(folder) for folder in folders]
        if not any(digests):
            return ABSENT
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:16]

    def _of_folder(self, folder: Path) -> str:
        if folder not in self._folders and folder.is_dir():
            self._folders[folder] = self._read(folder)
        return self._folders.get(folder, ABSENT)

    def _read(self, folder: Path) -> str:
        known, total, changed = self._known, hashlib.sha256(), False
        for path, facts in _files_below(str(folder)):
            state = [facts.st_size, facts.st_mtime_ns]
            key = os.path.abspath(path)
            if key not in known or known[key][:2] != state:
                known[key] = [*state, sha256(Path(path))]
                changed = True
            total.update(f"{os.path.relpath(path, folder)} {known[key][2]}\n".encode())
        if changed:
            self._keep()
        return total.hexdigest()

    @functools.cached_property
    def _known(self) -> dict[str, list]:
        try:
            found = json.loads(self.cache.read_text(encoding="utf-8"))
            return {str(path): [int(a), int(b), str(c)] for path, (a, b, c) in found.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}  # nothing kept yet, or damaged: every file is read again

    def _keep(self) -> None:
        write_text(self.cache, json.dumps(self._known))


def _files_below(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder in the order of names, hidden ones apart."""
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _files_below(entry.path)
            elif entry.is_file():
                yield entry.path, entry.stat()
