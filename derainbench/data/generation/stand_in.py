"""Stand-ins for the sets of the catalogue: generated images in their layout, names and sizes.

A rehearsal takes them over as a person's download is taken over, so that layouts, names and halves of
double images are tried too.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from derainbench.catalog.dataset_entries import DatasetEntry, SplitFacts
from derainbench.catalog.rain import presets
from derainbench.data.acquisition.acquire import add
from derainbench.data.acquisition.request import Wanted
from derainbench.data.generation.rain import add_rain, rain_layer
from derainbench.data.generation.synthesise import PHOTOGRAPHS, photograph
from derainbench.data.images import write_png
from derainbench.foundation.errors import BenchError

RAIN = "heavy"  # a setting of catalog/rain.yaml
USUAL_SIZE = (321, 481)  # where nobody has recorded one: that of most sets' images


def make_stand_in(wanted: Wanted, counts: Mapping[str, int], seed: int) -> dict[str, Any]:
    """Generates a set's splits and lays them out as ``root/<name>``, verified, or not at all.

    Args:
        wanted: the set and where it goes, with ``subset`` and ``accept``.
        counts: images by split; splits that the set does not have are left out.
        seed: of crops and rain.

    Returns:
        The set's ``dataset.json``.

    Raises:
        BenchError: if the place is taken, by other things than splits of an earlier stand-in whose
            ``dataset.json`` is gone.
    """
    _clear_remains(wanted)
    with tempfile.TemporaryDirectory(prefix="derainbench-") as folder:
        for number, (split, facts) in enumerate(wanted.entry.splits.items()):
            _write_split(Path(folder), wanted.entry, split, facts, counts[split], [seed, number])
        return add(wanted, [Path(folder)])


def _clear_remains(wanted: Wanted) -> None:
    """Removes the images that a stand-in left whose ``dataset.json`` the workflow has deleted."""
    marker = wanted.hidden("stand-in")
    if marker.is_file() and not (wanted.folder / "dataset.json").exists():
        shutil.rmtree(wanted.folder, ignore_errors=True)
    elif wanted.folder.is_dir() and any(wanted.folder.iterdir()):
        raise BenchError(f"{wanted.folder}: is there already; a stand-in replaces nothing")
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _write_split(
    root: Path, entry: DatasetEntry, split: str, facts: SplitFacts, count: int, seed: list[int]
) -> None:
    """Writes a split as the set's archive has it: two folders, one, or double images."""
    settings = presets()[RAIN]
    sizes = facts.sizes or (facts.usual_size or USUAL_SIZE,)
    names = PHOTOGRAPHS["test" if split == "test" else "train"]
    for i in range(min(count, facts.images or count)):
        rng = np.random.default_rng([*seed, i])
        clean = filled_crop(photograph(names[i % len(names)]), sizes[i % len(sizes)], rng)
        rainy = add_rain(clean, rain_layer(clean.shape[:2], settings, rng))
        stem = f"{i + 1}"
        if entry.double:
            sides = [rainy, clean] if entry.double == "rainy-left" else [clean, rainy]
            write_png(root / split / f"{stem}.png", np.concatenate(sides, axis=1))
            continue
        if entry.kind != "clean":
            write_png(root / split / "input" / f"{stem}.png", rainy)
        if entry.kind != "real-rain":
            write_png(root / split / "target" / f"{stem}.png", clean)


def filled_crop(image: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random [height,width,3] of [H,W,3], which is reflected at its borders where it is smaller."""
    missing = [(0, max(wanted - side, 0)) for wanted, side in zip(size, image.shape, strict=False)]
    image = np.pad(image, [*missing, (0, 0)], mode="symmetric")
    top, left = (int(rng.integers(image.shape[axis] - size[axis] + 1)) for axis in (0, 1))
    return np.ascontiguousarray(image[top : top + size[0], left : left + size[1]])
