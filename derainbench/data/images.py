"""8-bit RGB images in and out of files, refusing whatever would be scored wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import atomic_path

EXTENSIONS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
# PIL modes that hold 8-bit values: "1" bilevel, "L" grey, "P" palette.
_CONVERTIBLE = {"RGB", "L", "P", "1"}
_WITH_ALPHA = {"RGBA", "LA", "PA", "La", "RGBa"}


def image_files(folder: Path) -> list[Path]:
    """The image files directly in ``folder``, sorted by name, hidden files apart.

    Raises:
        BenchError: if the folder is missing or has no image.
    """
    if not folder.is_dir():
        raise BenchError(f"{folder}: no such folder")
    files = sorted(
        p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith(".")
    )
    if not files:
        raise BenchError(f"{folder}: holds no image ({', '.join(sorted(EXTENSIONS))})")
    return files


def read_rgb(path: Path) -> np.ndarray:
    """An image as uint8 [H,W,3].

    Grey, bilevel and opaque palette images are converted (their values do not change). Images
    with transparency or more than 8 bits are refused: dropping either changes what is scored.

    Raises:
        BenchError: naming the file, if it is missing, damaged or of a refused kind.
    """
    with _readable(path), Image.open(path) as image:
        if _bits(image) > 8:
            raise BenchError(f"{path}: has 16 bits per channel; convert it to 8-bit RGB")
        image.load()
        if image.mode in _WITH_ALPHA or "transparency" in image.info:
            raise BenchError(f"{path}: has an alpha channel; flatten it to plain 8-bit RGB")
        if image.mode not in _CONVERTIBLE:
            raise BenchError(f"{path}: has mode {image.mode}; convert it to 8-bit RGB")
        return np.asarray(image.convert("RGB"))


def _bits(image: Image.Image) -> int:
    """Bits per channel in the file; Pillow itself reads 16-bit RGB as 8-bit without a word."""
    raw_modes = [
        arguments if isinstance(arguments, str) else arguments[0]
        for *_, arguments in getattr(image, "tile", ())  # of what is opened from a file
        if arguments
    ]
    return 16 if any(isinstance(m, str) and "16" in m for m in raw_modes) else 8


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns whatever Pillow raises on a bad file into one line."""
    try:
        yield
    except FileNotFoundError as error:
        raise BenchError(f"{path}: no such file") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, EOFError) as error:
        raise BenchError(
            f"{path}: not a readable image (damaged or truncated?); replace the file"
        ) from error
    except Image.DecompressionBombError as error:
        raise BenchError(f"{path}: too large to be opened safely ({error})") from error


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) from the file's header alone.

    Raises:
        BenchError: if the header cannot be read.
    """
    with _readable(path), Image.open(path) as image:
        return image.height, image.width


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes uint8 [H,W,3] as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")
