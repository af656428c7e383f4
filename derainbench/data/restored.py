"""Restored images that others made, and the test images that they were restored from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from derainbench.data.images import image_files
from derainbench.data.pairs import Pair, Split, check_alike, files_by_key, pairing_key
from derainbench.foundation.errors import BenchError

# What tables say of images that were not restored here, in place of weights.
OTHERS = "restored images of others"


def match_restored(folder: Path, split: Split) -> dict[str, Path]:
    """The restored image of every test image, by the test image's name.

    A restored image bears the name of its rainy image or, where no other rainy image has the same
    clean one, that of the clean image; ``rain-NNN`` and ``norain-NNN`` count as one name, and the
    kind of file does not matter.

    Args:
        folder: of restored images.
        split: the test images.

    Raises:
        BenchError: in one line for a missing folder, an image that is missing or too many, or one
            whose size or colour profile is not that of its test image.
    """
    matched = _named_alike(folder, split)
    for pair in split.pairs:
        check_alike(matched[pair.name], pair.target or pair.input)
    return matched


def _named_alike(folder: Path, split: Split) -> dict[str, Path]:
    files = files_by_key(image_files(folder))
    versions = Counter(pair.target for pair in split.pairs)
    matched, lacking = {}, []
    for pair in split.pairs:
        file = files.pop(pairing_key(Path(pair.name).stem), None)
        if file is None and pair.target and versions[pair.target] == 1:
            file = files.pop(pairing_key(pair.target.stem), None)
        if file is None:
            lacking.append(pair)
        else:
            matched[pair.name] = file
    _refuse_incomplete(folder, split, lacking, list(files.values()))
    return matched


def _refuse_incomplete(
    folder: Path, split: Split, lacking: list[Pair], unknown: list[Path]
) -> None:
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise BenchError(
            f"{folder}: has no restored image of {lacking[0].name}{more} (test images of "
            f"{split.folder}); it must be called as the rainy or the clean image"
        )
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise BenchError(
            f"{unknown[0]}{more}: restored from no test image of {split.folder}; take it out of "
            "the folder"
        )
