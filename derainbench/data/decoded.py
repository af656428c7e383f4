"""Images decoded once: for every worker process and every run on a machine.

A folder holds one file per image, named by the digest of the image's own file: a NumPy array
(``.npy``) uint8 [H,W,3] and, behind it, the SHA-256 of all before. The files are mapped into memory,
so that processes share what the system keeps of them, and a crop costs the rows that it is cut from.

- An image that changed has another digest, and with another decoder the files lie in another folder:
  nothing can be stale.
- Files are written beside and renamed, so whoever is killed leaves none half-written, and processes
  that decode one image at a time write the same bytes. What is damaged is noticed by its digest, when
  a process first touches it, and decoded again.
- The folder stays below a bound. A run that needs room deletes what was not used for longest.

Whatever goes wrong with the folder, images are decoded from their files: no run fails for it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL
from PIL import features

from derainbench.data import images
from derainbench.data.images import image_size, read_rgb
from derainbench.foundation import reads
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import atomic_path, sha256
from derainbench.foundation.provenance import source_digest
from derainbench.foundation.source_graph import modules_behind, source_files

FOLDER_VARIABLE, BOUND_VARIABLE = "DERAINBENCH_DECODED", "DERAINBENCH_DECODED_GB"
DEFAULT_FOLDER, DEFAULT_BOUND = ".derainbench/decoded", 40.0  # 10^9 bytes; Rain1200 has 19
SMALL = 256 * 1024**2  # bytes of decoded images that every process keeps for itself
LARGE = 2 * 1024**3  # the same, where there is no such folder
SPARE = 2 * 10**9  # bytes of the disk that are left free
DIGEST_BYTES = 32
LOOK_AFTER = 64  # files that a process writes before it looks how full the folder is
ABANDONED = 3600  # seconds after which nobody writes a temporary file any more


class Kept:
    """Images that a process keeps in its own memory, the first ones up to :data:`LARGE` bytes."""

    def __init__(self) -> None:
        self._pixels: dict[Path, np.ndarray] = {}
        self._bytes = 0

    def read(self, path: Path) -> np.ndarray:
        """An image as uint8 [H,W,3]; see :func:`derainbench.data.images.read_rgb`."""
        pixels = self._pixels.get(path)
        if pixels is None:
            pixels = read_rgb(path)
            if self._bytes + pixels.nbytes <= LARGE:
                self._pixels[path] = pixels
                self._bytes += pixels.nbytes
        return pixels


class DecodedImages:
    """The folder of decoded images, as one run uses it.

    Args:
        folder: where they lie; made where it is missing.
        digests: SHA-256 of the image files of this run.
        bound: most bytes in the folder. Processes that write at one time may each be
            :data:`LOOK_AFTER` images above it.
    """

    def __init__(self, folder: Path, digests: Mapping[Path, str], bound: int) -> None:
        self.folder = folder
        self.digests = dict(digests)
        self.bound = bound
        self._decoder = decoder()
        self._sound: set[Path] = set()
        self._written = 0
        self._closed = False

    def read(self, path: Path) -> np.ndarray:
        """An image as uint8 [H,W,3], mapped from the folder where it is there, and read-only.

        Raises:
            BenchError: as :func:`derainbench.data.images.read_rgb`.
        """
        if path not in self.digests:
            return read_rgb(path)
        pixels = self._mapped(self.file_of(path))
        if pixels is None:
            pixels = read_rgb(path)
            self._keep(path, pixels)
        reads.note(path)
        return pixels

    def file_of(self, path: Path) -> Path:
        """Where the decoded form of an image of this run lies, or would lie."""
        digest = self.digests[path]
        return self.folder / self._decoder / digest[:2] / f"{digest}.npy"

    def make_room(self, needed: int) -> None:
        """Deletes what was not used for longest until ``needed`` bytes fit, or nothing is left.

        Files of this run stay, and count as used now. What killed processes left is swept.
        """
        mine = {self.file_of(path) for path in self.digests}
        others, total = [], 0
        for file, facts in _files_below(self.folder):
            if file in mine:
                with suppress(OSError):  # of somebody else
                    os.utime(file)
                needed -= facts.st_size
            elif file.name.startswith("."):
                if facts.st_mtime < time.time() - ABANDONED:
                    _delete(file)
                continue
            else:
                others.append((facts.st_mtime, file, facts.st_size))
            total += facts.st_size
        for _, file, size in sorted(others):
            if total + max(needed, 0) <= self.bound:
                break
            total -= size if _delete(file) else 0

    def _mapped(self, file: Path) -> np.ndarray | None:
        """The array of a file, if there is one and it is sound."""
        try:
            if file not in self._sound:
                content = np.memmap(file, np.uint8, "r")
                body, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
                if hashlib.sha256(body.data).digest() != digest.tobytes():
                    return None
                self._sound.add(file)
            return np.load(file, mmap_mode="r")
        except (OSError, ValueError):
            return None

    def _keep(self, path: Path, pixels: np.ndarray) -> None:
        if self._closed or sha256(path) != self.digests[path]:  # changed since the run began
            return
        buffer = BytesIO()
        np.save(buffer, pixels)
        body = buffer.getvalue()
        try:
            if self._written % LOOK_AFTER == 0:
                self._look_how_full()
            self._written += 1
            with atomic_path(self.file_of(path)) as temporary:
                temporary.write_bytes(body + hashlib.sha256(body).digest())
        except (OSError, BenchError) as error:
            self._closed = True
            reason = getattr(error, "strerror", None) or error
            print(
                f"{self.folder}: no more decoded images are kept here ({reason}); the others are "
                f"decoded every time. {FOLDER_VARIABLE} names another folder",
                file=sys.stderr,
            )

    def _look_how_full(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        used = sum(facts.st_size for _, facts in _files_below(self.folder))
        if used >= self.bound:
            raise BenchError(f"{BOUND_VARIABLE}: {self.bound / 1e9:g} GB are reached")
        if shutil.disk_usage(self.folder).free < SPARE:
            raise BenchError(f"less than {SPARE / 1e9:g} GB are free")


def image_reader(digests: Mapping[Path, str]) -> Callable[[Path], np.ndarray]:
    """How images that are read again and again are best read: each gives what ``read_rgb`` gives.

    Few are kept in the memory of every process. More go through the folder of decoded images, which
    the environment names and bounds (``DERAINBENCH_DECODED``, ``DERAINBENCH_DECODED_GB``, where 0
    turns it off).

    Args:
        digests: SHA-256 of all image files that are going to be read.

    Raises:
        BenchError: if the environment gives no number for the bound, or an image has no header.
    """
    bound = _bound()
    total = sum(3 * height * width for height, width in map(image_size, digests))
    if total <= SMALL or not bound:
        return Kept().read
    decoded = DecodedImages(Path(os.environ.get(FOLDER_VARIABLE) or DEFAULT_FOLDER), digests, bound)
    decoded.make_room(total)
    return decoded.read


def decoder() -> str:
    """A name for what turns files into pixels: Pillow, its JPEG library, and our own code."""
    code = source_digest(source_files(modules_behind([images.__name__])))
    return f"pillow-{PIL.__version__}-jpeg-{features.version('jpg')}-{code[:8]}"


def _bound() -> int:
    text = os.environ.get(BOUND_VARIABLE) or str(DEFAULT_BOUND)
    try:
        gigabytes = float(text)
        if not 0 <= gigabytes < float("inf"):
            raise ValueError
    except ValueError as error:
        raise BenchError(f"{BOUND_VARIABLE}: '{text}' is no number of gigabytes") from error
    return int(gigabytes * 1e9)


def _delete(file: Path) -> bool:
    """Deletes a file, if it may; says whether it is gone."""
    with suppress(OSError):
        file.unlink(missing_ok=True)
        return True
    return False


def _files_below(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The files in subfolders, as far as they stay there while we look."""
    for file in folder.glob("*/*/*"):
        try:
            yield file, file.stat()
        except OSError:
            continue
