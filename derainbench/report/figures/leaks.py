"""The leak audit with its pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from derainbench.data.images import read_rgb
from derainbench.data.leaks import audit
from derainbench.data.pairs import read_split
from derainbench.data.verify import verify
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file
from derainbench.foundation.frames import records
from derainbench.report.figures.style import save, style

SHOWN = 6  # pairs of images


def audit_folders(folders: Sequence[Path], facts: Sequence[Path] | None, out: Path) -> list[str]:
    """Runs the audit on folders of sets, measuring them first where no facts are given.

    Writes ``leaks.csv``, ``leaks.json`` and ``leaks.png`` (some of the pairs, side by side).

    Returns:
        One line per comparison.
    """
    named = {folder.name or folder.resolve().name: folder for folder in folders}
    if len(named) < len(folders):
        raise BenchError("two of the sets have one name; rename a folder")
    with tempfile.TemporaryDirectory(prefix="derainbench-") as scratch:
        if not facts:
            facts = [Path(scratch) / name for name in named]
            for folder, place in zip(named.values(), facts, strict=True):
                verify(folder, out=place)
        content = audit(dict(zip(named, facts, strict=True)), out)
    draw_pairs(named, pd.read_csv(regular_file(out / "leaks.csv"), dtype=str), out / "leaks.png")
    return [
        f"{c['train_set']}/{c['train_split']} and {c['test_set']}/{c['test_split']}: "
        f"{c['exact']} of {c['test_images']} test backgrounds equal to a training background, "
        f"{c['near']} nearly equal"
        for c in content["comparisons"]
    ]


def draw_pairs(folders: dict[str, Path], leaks: pd.DataFrame, path: Path) -> None:
    """Test image and training image of the first pairs; of every pair of sets at least one."""
    order = leaks.groupby(["train_set", "test_set", "test_split"], sort=False).cumcount()
    shown = leaks.assign(order=order).sort_values("order", kind="stable").head(SHOWN)
    with style():
        figure, axes = plt.subplots(
            max(1, len(shown)), 2, figsize=(7, 2.5 * max(1, len(shown))), squeeze=False
        )
        if shown.empty:
            figure.suptitle("No shared backgrounds")
        for row, leak in zip(axes, records(shown), strict=False):
            for axis, role in zip(row, ("test", "train"), strict=True):
                name, split, image = (leak[f"{role}_{part}"] for part in ("set", "split", "image"))
                axis.imshow(_background(folders[name] / split, image))
                axis.set_title(f"{name}/{split}: {image}", fontsize=8)
            exact = leak["kind"] == "exact"
            kind = "equal pixels" if exact else f"{leak['bits']} of 256 bits differ"
            row[0].set_ylabel(f"{kind}\n{leak['orientation']}", fontsize=8)
        for axis in axes.flat:
            axis.set(xticks=[], yticks=[])
            for spine in axis.spines.values():
                spine.set_visible(False)
        figure.tight_layout()
        save(figure, path.with_suffix(""), ("png",))


def _background(split: Path, image: str) -> np.ndarray:
    pair = next(p for p in read_split(split, need_target=False).pairs if p.name == image)
    return read_rgb(pair.target or pair.input)
