"""8-bit RGB images in and out of files, refusing whatever would be scored wrongly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from derainbench.errors import BenchError
from derainbench.files import atomic_path

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
    try:
        with Image.open(path) as image:
            image.load()
            if image.mode in _WITH_ALPHA or "transparency" in image.info:
                raise BenchError(f"{path}: has an alpha channel; flatten it to plain 8-bit RGB")
            if image.mode not in _CONVERTIBLE:
                raise BenchError(f"{path}: has mode {image.mode}; convert it to 8-bit RGB")
            return np.asarray(image.convert("RGB"))
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
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise BenchError(
            f"{path}: not a readable image (damaged or truncated?); replace the file"
        ) from error


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes uint8 [H,W,3] as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, format="PNG")
