"""A data card's pictures: contact sheet, scores of the rainy images, streak density."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from derainbench.catalog.dataset_entries import SPLITS
from derainbench.data.images import read_rgb
from derainbench.data.leaks import read_measured
from derainbench.data.pairs import Pair, read_split
from derainbench.data.pixels import STREAK_LEVEL
from derainbench.report.figures.style import palette, save, style
from derainbench.results.reading import read_json

COLUMNS = 4  # images per split on the contact sheet
_SIDE = 1.8  # inches per image


def write_card(folder: Path, facts: Path) -> None:
    """Writes ``sheet.png`` and ``card.{pdf,png,svg}`` into the folder of a set's facts.

    Args:
        folder: the set.
        facts: what ``data verify --out`` wrote about it.

    Raises:
        BenchError: if a file is missing.
    """
    content = read_json(facts / "dataset.json")
    images = read_measured(content["name"], facts).images
    write_sheet(folder, list(content["splits"]), facts / "sheet.png")
    _write_histograms(content, images, facts / "card")


def write_sheet(folder: Path, splits: list[str], path: Path) -> None:
    """Some images of every split, rainy above clean, cut to squares."""
    rows: list[tuple[str, list[np.ndarray]]] = []
    for split in splits:
        place = folder / split if (folder / split).is_dir() else folder
        pairs = _spread(read_split(place, need_target=False).pairs)
        rows.append((f"{split}\ninput", [read_rgb(p.input) for p in pairs]))
        targets = [pair.target for pair in pairs if pair.target]
        if targets:
            rows.append((f"{split}\ntarget", [read_rgb(target) for target in targets]))
    with style():
        size = (COLUMNS * _SIDE + 0.5, len(rows) * _SIDE)
        figure, axes = plt.subplots(len(rows), COLUMNS, figsize=size, squeeze=False)
        for row, (label, images) in zip(axes, rows, strict=True):
            for axis, image in zip(row, [*images, *[None] * COLUMNS], strict=False):
                axis.set(xticks=[], yticks=[])
                if image is None:
                    axis.set_visible(False)
                else:
                    axis.imshow(_square(image))
                    axis.grid(False)
            row[0].set_ylabel(label)
        figure.subplots_adjust(wspace=0.04, hspace=0.04)
        save(figure, path.with_suffix(""), ("png",))


def _spread(pairs: tuple[Pair, ...]) -> list[Pair]:
    chosen = np.linspace(0, len(pairs) - 1, min(COLUMNS, len(pairs))).round().astype(int)
    return [pairs[i] for i in chosen]


def _square(image: np.ndarray) -> np.ndarray:
    side = min(image.shape[:2])
    top, left = ((n - side) // 2 for n in image.shape[:2])
    return image[top : top + side, left : left + side]


def _write_histograms(content: dict, images: pd.DataFrame, stem: Path) -> None:
    paired = [s for s, facts in content["splits"].items() if facts["paired"]]
    shown = images[images.split.isin(paired)]
    if paired:
        shown = shown.astype({"psnr": float})
        shown = shown[np.isfinite(shown.psnr)]
    with style():
        figure, (left, right) = plt.subplots(1, 2, figsize=(7, 2.6))
        if len(shown):
            import seaborn as sns  # takes a second

            protocols = {content["splits"][s]["protocol"] for s in paired}
            colours = dict(zip(SPLITS, palette(len(SPLITS)), strict=True))
            common = {
                "data": shown,
                "hue": "split",
                "hue_order": paired,
                "palette": [colours.get(s, "0.4") for s in paired],
                "element": "step",
                "stat": "percent",
                "common_norm": False,
            }
            sns.histplot(x="psnr", ax=left, legend=False, **common)
            density = shown.streak_density.astype(float) * 100
            sns.histplot(x=density, ax=right, **common)
            left.set(xlabel=f"PSNR of the rainy image, dB ({', '.join(sorted(protocols))})")
            right.set(xlabel=f"pixels at least {STREAK_LEVEL} levels brighter in the rain, %")
            left.set(ylabel="images, %")
            right.set(ylabel="")
            sns.move_legend(right, "best", title=None, frameon=True)
        else:
            for axis in (left, right):
                axis.set_axis_off()
            text = (
                "every rainy image is equal to its ground truth"
                if paired
                else "no ground truth: neither PSNR nor streak density can be measured"
            )
            figure.text(0.5, 0.5, text, ha="center")
        figure.tight_layout()
        save(figure, stem)
