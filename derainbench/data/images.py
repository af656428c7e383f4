"""8-bit RGB images in and out of files, refusing whatever would be scored or shown wrongly."""

from __future__ import annotations

import logging
import stat
import sys
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from derainbench.foundation import reads
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import atomic_path

EXTENSIONS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
# PIL modes that hold 8-bit values: "1" bilevel, "L" grey, "P" palette.
_CONVERTIBLE = {"RGB", "L", "P", "1"}
_WITH_ALPHA = {"RGBA", "LA", "PA", "La", "RGBa"}
_ORIENTATION = 0x0112  # Exif 2.32, 4.6.4
_TRANSPOSED = {5, 6, 7, 8}  # orientations that swap height and width
SRGB = "sRGB"
# What Pillow remarks on foreign files; what matters of it comes as one line from here.
logging.getLogger("PIL").addHandler(logging.NullHandler())
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
# Texts beside the pixels may be long; Pillow's bound on all of them together stays.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY


@dataclass(frozen=True)
class Picture:
    """An image as it is looked at.

    Attributes:
        pixels: uint8 [H,W,3], turned as its EXIF orientation says.
        profile: ICC profile that the pixels are meant in; None for sRGB without a word.
    """

    pixels: np.ndarray
    profile: bytes | None = None


@dataclass(frozen=True)
class Header:
    """What a file says of its image before the pixels are read.

    Attributes:
        size: height and width, as the image is looked at.
        profile: name of its colour profile.
    """

    size: tuple[int, int]
    profile: str


def image_files(folder: Path) -> list[Path]:
    """The image files directly in ``folder``, sorted by name, hidden files apart.

    Raises:
        BenchError: if the folder is missing or has no image, or a name cannot stand in a table.
    """
    if not folder.is_dir():
        raise BenchError(f"{folder}: no such folder")
    files = sorted(
        p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS and not p.name.startswith(".")
    )
    if not files:
        raise BenchError(f"{folder}: holds no image ({', '.join(sorted(EXTENSIONS))})")
    for file in files:
        check_name(file)
    return files


def check_name(file: Path) -> None:
    """Sees that a file's name can be written into tables and records.

    Raises:
        BenchError: if it is not UTF-8, or has control characters such as line breaks.
    """
    shown = file.name.encode("utf-8", "backslashreplace").decode("utf-8")
    if any(unicodedata.category(c) == "Cs" for c in file.name):  # bytes that were not decoded
        raise BenchError(
            f"{file.parent}: the name {shown!r} is not UTF-8 (a name in GBK or Latin-1?); rename it"
        )
    if any(unicodedata.category(c) == "Cc" for c in file.name):
        raise BenchError(f"{file.parent}: the name {file.name!r} has control characters; rename it")


def read_rgb(path: Path) -> np.ndarray:
    """An image as uint8 [H,W,3]; see :func:`read_picture`.

    Raises:
        BenchError: naming the file, if it is missing, damaged or of a refused kind.
    """
    return read_picture(path).pixels


def read_picture(path: Path) -> Picture:
    """An image, turned as its EXIF orientation says, with its colour profile.

    Grey, bilevel and palette images are converted, and alpha that is opaque everywhere is dropped:
    no value changes. Images with transparency, more than 8 bits or several frames are refused:
    dropping any of these changes what is scored. Of a camera's MPO file, whose further pictures are
    previews or other views, the first is taken, which standard error says.

    Raises:
        BenchError: naming the file, if it is missing, damaged or of a refused kind.
    """
    with _opened(path) as image:
        if _bits(image) > 8:
            raise BenchError(f"{path}: has 16 bits per channel; convert it to 8-bit RGB")
        _check_frames(path, image)
        image.load()
        profile = image.info.get("icc_profile")
        if image.mode in _WITH_ALPHA or "transparency" in image.info:
            alpha = image.convert("RGBA").getchannel("A")
            if alpha.getextrema() != (255, 255):
                raise BenchError(f"{path}: has transparent pixels; flatten it to plain 8-bit RGB")
        elif image.mode not in _CONVERTIBLE:
            raise BenchError(f"{path}: has mode {image.mode}; convert it to 8-bit RGB")
        turned = ImageOps.exif_transpose(image) if _orientation(image) != 1 else image
        pixels = np.asarray(turned.convert("RGB"))
    if profile and profile[16:20] != b"RGB ":
        profile = None  # of grey values: it says nothing of three channels
    return Picture(pixels, profile)


def _check_frames(path: Path, image: Image.Image) -> None:
    frames = getattr(image, "n_frames", 1)
    if frames < 2:
        return
    if image.format != "MPO":
        raise BenchError(f"{path}: holds {frames} pictures; save the one that is meant by itself")
    print(f"{path}: holds {frames} pictures, of which the first is taken", file=sys.stderr)


def _orientation(image: Image.Image) -> int:
    """EXIF's number for how the image is turned; 1, upright, where it cannot be read."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # metadata is foreign; the pixels may be sound
        return 1


def _bits(image: Image.Image) -> int:
    """Bits per channel in the file; Pillow itself reads 16-bit RGB as 8-bit without a word."""
    raw_modes = [
        arguments if isinstance(arguments, str) else arguments[0]
        for *_, arguments in getattr(image, "tile", ())  # of what is opened from a file
        if arguments
    ]
    return 16 if any(isinstance(m, str) and "16" in m for m in raw_modes) else 8


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Opens an image file; whatever Pillow raises on a bad one becomes one line."""
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise BenchError(f"{path}: is a folder, not an image")
        if not stat.S_ISREG(kind):  # reading a pipe would wait for ever
            raise BenchError(f"{path}: is no regular file, so no image is read from it")
        reads.note(path)
        with Image.open(path) as image:
            yield image
    except BenchError:
        raise
    except FileNotFoundError as error:
        raise BenchError(f"{path}: no such file") from error
    except PermissionError as error:
        raise BenchError(f"{path}: may not be read ({error.strerror})") from error
    except Image.DecompressionBombError as error:
        raise BenchError(f"{path}: too large to be opened safely ({error})") from error
    except Exception as error:  # Pillow's readers raise nearly anything on foreign bytes
        raise BenchError(
            f"{path}: not a readable image (damaged or truncated?); replace the file"
        ) from error


def image_header(path: Path) -> Header:
    """Size and colour profile from the file's header alone.

    Raises:
        BenchError: if the header cannot be read.
    """
    with _opened(path) as image:
        size = (image.height, image.width)
        if _orientation(image) in _TRANSPOSED and not _turned_by_pillow(image):
            size = (image.width, image.height)
        return Header(size, profile_name(image.info.get("icc_profile")))


def _turned_by_pillow(image: Image.Image) -> bool:
    return image.format == "TIFF"  # whose reader swaps the size itself


def image_size(path: Path) -> tuple[int, int]:
    """(height, width), as the image is looked at, from the file's header alone.

    Raises:
        BenchError: if the header cannot be read.
    """
    return image_header(path).size


def profile_name(profile: bytes | None) -> str:
    """A colour profile's own description; sRGB is what an image without one is taken for."""
    if not profile:
        return SRGB
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(profile))).strip()
    except Exception:  # foreign bytes
        return "damaged profile"
    return SRGB if "srgb" in name.lower() else name


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes uint8 [H,W,3] as PNG, whole or not at all."""
    write_picture(path, Picture(image), "PNG")


def write_picture(path: Path, picture: Picture, kind: str) -> None:
    """Writes an image with its colour profile, whole or not at all.

    Args:
        path: file to write.
        picture: the image.
        kind: Pillow's name of the format; JPEG is written at quality 95 without chroma subsampling.
    """
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    options |= {"lossless": True} if kind == "WEBP" else {}
    with atomic_path(path) as temporary:
        Image.fromarray(picture.pixels).save(
            temporary, format=kind, icc_profile=picture.profile, **options
        )
