"""Rainy, restored and clean images side by side."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from derainbench.config.schema import Config
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.report.figures.marking import marked
from derainbench.results.runs import run_variants
from derainbench.results.scores import read_scores, score_folder


def caption(config: Config) -> str:
    """What the strip shows."""
    return (
        f"Test images spread over {config.figures.dataset}; below each its PSNR, protocol "
        f"{config.figures.protocol}."
    )


def strip(config: Config) -> Figure:
    """Rainy input, every method and ground truth for test images spread over the set."""
    dataset, protocol = config.figures.dataset, config.figures.protocol
    split = read_split(Path(config.split_folder(dataset, "test")))
    count = min(config.figures.strip_images, len(split.pairs))
    spread = np.linspace(0, len(split.pairs) - 1, count).round().astype(int)
    pairs = [split.pairs[i] for i in spread]
    tested = [e for e in run_variants(config) if dataset in e.spec.test]
    shown = list({e.run: e for e in reversed(tested)}.values())[::-1]  # first variant of each run
    scores = read_scores(config)
    scores = scores[(scores["dataset"] == dataset) & (scores["protocol"] == protocol)]
    columns = ["Rainy input", *(e.title for e in shown), "Ground truth"]
    height, width = read_rgb(pairs[0].input).shape[:2]
    figure, grid = plt.subplots(
        len(pairs),
        len(columns),
        figsize=(1.75 * len(columns), (1.75 * height / width + 0.35) * len(pairs) + 0.4),
        squeeze=False,
        layout="constrained",
    )
    for row, pair in zip(grid, pairs, strict=True):
        of_image = scores[scores["image"] == pair.name]
        _show(row[0], read_rgb(pair.input), f"{of_image['psnr_input'].iloc[0]:.2f} dB")
        for axes, entry in zip(row[1:-1], shown, strict=True):
            file = score_folder(config, entry, dataset) / "images" / pair.name
            one = of_image[(of_image["run"] == entry.run) & (of_image["variant"] == entry.variant)]
            restored = read_rgb(file.with_suffix(".png"))
            _show(axes, restored, f"{one['psnr'].iloc[0]:.2f} dB")
        if pair.target:
            _show(row[-1], read_rgb(pair.target), pair.name)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(textwrap.fill(column, 18))
    figure.suptitle(marked(config, f"{dataset} test, PSNR in protocol {protocol}"), fontsize=10)
    return figure


def _show(axes: Axes, image: np.ndarray, caption: str) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.set_xlabel(caption, fontsize=8)
