"""Photographs of anyone, restored one after another: a bad one does not lose the others."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from derainbench.data.images import (
    EXTENSIONS,
    Picture,
    check_name,
    image_files,
    read_picture,
    write_picture,
)
from derainbench.evaluation.restoration import Restorer
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256
from derainbench.foundation.outputs import check_output_folder, write_folder_record
from derainbench.foundation.progress import Reporter

# Pillow's names of the formats that images are written in, by suffix.
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
COMPARED = "compared"  # folder of the pictures before and after
_GAP = 8  # pixels between the two


@dataclass(frozen=True)
class Photograph:
    """An image to restore.

    Attributes:
        file: where it lies.
        name: where the restored one goes, below the output folder.
    """

    file: Path
    name: Path


@dataclass(frozen=True)
class Outcome:
    """How a batch went.

    Attributes:
        restored: files that were written.
        refused: why others were not, a line each.
    """

    restored: list[Path]
    refused: list[str]


def photographs(places: Sequence[Path], *, recursive: bool = False) -> list[Photograph]:
    """The images that files, folders and glob patterns name.

    Args:
        places: of an image, a folder of images, or a pattern such as ``holiday/*.jpg``.
        recursive: whether folders below a folder count; their names are kept.

    Raises:
        BenchError: for a place that holds nothing.
    """
    found: list[Photograph] = []
    for place in places:
        if place.is_dir():
            found += _of_folder(place, recursive)
        elif os.path.lexists(place) or not glob.has_magic(str(place)):
            found.append(Photograph(place, Path(place.name)))
        else:
            files = [Path(f) for f in sorted(glob.glob(str(place), recursive=True))]
            files = [f for f in files if f.suffix.lower() in EXTENSIONS]
            if not files:
                raise BenchError(f"{place}: no image has such a name")
            found += [Photograph(f, Path(f.name)) for f in files]
    return list(dict.fromkeys(found))


def _of_folder(folder: Path, recursive: bool) -> list[Photograph]:
    if not recursive:
        return [Photograph(f, Path(f.name)) for f in image_files(folder)]
    files = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in EXTENSIONS
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    if not files:
        raise BenchError(f"{folder}: holds no image ({', '.join(sorted(EXTENSIONS))})")
    return [Photograph(file, file.relative_to(folder)) for file in files]


def derain(
    images: Sequence[Photograph],
    restorer: Restorer,
    out: Path,
    *,
    suffix: str | None = None,
    compare: bool = False,
) -> Outcome:
    """Restores images into a folder, each as soon as it is done, and a provenance record.

    Args:
        images: see :func:`photographs`.
        restorer: model with weights.
        out: folder to write to.
        suffix: format of the output, such as ``.png``; default: that of each image.
        compare: write a PNG file in ``compared/`` as well: the image before and after, side by side.

    Raises:
        BenchError: before any work, if two images would get one name, an image would be written
            over, or something of others is in the way.
    """
    names = {image: _names(image, suffix, compare) for image in images}
    _check_names(names, out)
    check_output_folder(out, (str(name) for several in names.values() for name in several))
    written: list[Path] = []
    refused: list[str] = []
    digests: dict[str, str] = {}
    try:
        with Reporter("derain", len(images)) as reporter:
            for image in images:
                try:
                    made = _restore(image.file, restorer)
                except BenchError as error:
                    refused.append(_naming(image.file, error))
                    reporter.advance(f"{image.file.name}: refused")
                    continue
                for name, picture in zip(names[image], made, strict=False):
                    write_picture(out / name, picture, FORMATS[name.suffix.lower()])
                    written.append(out / name)
                digests[str(image.file)] = sha256(image.file)
                reporter.advance(image.file.name)
    finally:  # whatever ends the batch: what was written is known as made here
        if written:
            write_folder_record(
                out,
                "derain",
                written,
                settings=restorer.settings,
                inputs={"weights": sha256(restorer.weights), **digests},
                device=str(restorer.device),
            )
    return Outcome(written, refused)


def _restore(file: Path, restorer: Restorer) -> tuple[Picture, Picture]:
    """The restored image, and the image before and after it."""
    check_name(file)
    picture = read_picture(file)
    restored = restorer(picture.pixels)
    both = side_by_side(picture.pixels, restored)
    return Picture(restored, picture.profile), Picture(both, picture.profile)


def _naming(file: Path, error: BenchError) -> str:
    """An error as a line that says which file it is about."""
    named = str(error).startswith((f"{file}:", f"{file.parent}:"))
    return str(error) if named else f"{file}: {error}"


def side_by_side(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Two uint8 [H,W,3] with a white gap between them."""
    gap = np.full((before.shape[0], _GAP, 3), 255, np.uint8)
    return np.concatenate([before, gap, after], axis=1)


def _names(image: Photograph, suffix: str | None, compare: bool) -> list[Path]:
    """Below the output folder: of the restored image and, if asked for, of before and after."""
    own = image.name.suffix
    target = image.name.with_suffix(suffix or (own if own.lower() in FORMATS else ".png"))
    if not compare:
        return [target]
    # a.jpg beside a.png: each has a picture of its own.
    picture = target if target.suffix == ".png" else target.with_name(f"{target.name}.png")
    return [target, Path(COMPARED) / picture]


def _check_names(names: dict[Photograph, list[Path]], out: Path) -> None:
    taken: dict[Path, Photograph] = {}
    read = {image.file.resolve(): image.file for image in names}
    for image, several in names.items():
        for name in several:
            if name in taken:
                raise BenchError(
                    f"{taken[name].file} and {image.file} would both be written as {out / name}; "
                    "derain them apart"
                )
            taken[name] = image
            if (place := (out / name).resolve()) in read:
                raise BenchError(
                    f"{read[place]}: would be written over by its restored version; "
                    "choose another --out"
                )
