"""The Pareto figure (the paper's Fig. 1) and the image strip (its Figs. 4 and 5)."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from adjustText import adjust_text
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from derainbench import provenance, published
from derainbench.config import Config
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.files import staged_folder
from derainbench.report import collect
from derainbench.report.style import palette, save, style

LARGEST_AREA = 1200.0  # points^2, for the model with the most MACs
UNKNOWN_AREA = 60.0  # points^2, where MACs are not known


def pareto_points(config: Config) -> pd.DataFrame:
    """Title, parameters, GMACs and PSNR of every run tested on the figure's data set."""
    scores = collect.scores(config)
    chosen = scores[
        (scores["dataset"] == config.figures.dataset)
        & (scores["protocol"] == config.figures.protocol)
    ]
    psnr = chosen.groupby(["run", "title"], sort=False)["psnr"].mean().reset_index()
    counts = collect.accounts(config).drop_duplicates("run")[["run", "parameters", "gmacs_256"]]
    return psnr.merge(counts, on="run").assign(published=False)


def published_points(config: Config) -> pd.DataFrame:
    """What is published of the paper's network on the figure's data set, if anything.

    Columns as in :func:`pareto_points`; GMACs are missing where nobody published them.
    """
    points = published.points()
    return points[points["dataset"] == config.figures.dataset].assign(published=True)


def pareto(config: Config) -> Figure:
    """Parameters (log scale) against PSNR; a circle's area is proportional to dense MACs.

    Filled circles were measured here; dashed ones are published numbers of unknown protocol.
    """
    measured, published = pareto_points(config), published_points(config)
    points = pd.concat([measured, published], ignore_index=True)
    images = _images(config)
    per_gmac = LARGEST_AREA / points["gmacs_256"].max()
    # Every name beyond six wants room of its own.
    figure, axes = plt.subplots(figsize=(5.6, 3.9 + 0.25 * max(0, len(points) - 6)))
    axes.set_xscale("log")
    points["area"] = (points["gmacs_256"] * per_gmac).fillna(UNKNOWN_AREA)
    colours = iter(palette(len(measured)))
    for _, point in points.iterrows():
        filled = {
            "color": next(colours, None),
            "alpha": 0.65,
            "edgecolor": "black",
            "linewidth": 0.7,
        }
        hollow = {"facecolor": "none", "edgecolor": "black", "linestyle": "--", "linewidth": 1}
        look = hollow if point["published"] else filled
        axes.scatter(point["parameters"], point["psnr"], s=point["area"], **look)
        axes.plot(point["parameters"], point["psnr"], ".", color="black", markersize=3)
    if len(published) > 1:
        axes.plot(published["parameters"], published["psnr"], ":", color="black", linewidth=0.8)
    axes.margins(x=0.3, y=0.3)
    _label(axes, points)
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1e4 else (1,)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Parameters (log scale)")
    axes.set_ylabel(f"PSNR (dB), protocol {config.figures.protocol}")
    smoke = "SMOKE: " if config.label == "smoke" else ""
    axes.set_title(f"{smoke}{config.figures.dataset} test, {images} images", loc="left")
    _area_legend(axes, points["gmacs_256"].max(), per_gmac, dashed=not published.empty)
    return figure


def _label(axes: Axes, points: pd.DataFrame) -> None:
    """Writes the methods' names clear of the circles and of each other."""
    axes.autoscale_view()
    centres = axes.transData.transform(points[["parameters", "psnr"]].to_numpy(float))
    radii = np.sqrt(points["area"] / np.pi) * axes.figure.dpi / 72  # pixels
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    rim = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    around = centres[:, None] + radii.to_numpy()[:, None, None] * rim
    avoid = axes.transData.inverted().transform(np.concatenate((centres, *around)))
    # Each name starts above its circle, or below if another circle is near and higher.
    below = [
        any(np.abs(c - o).max() < 3 * radii.max() and o[1] > c[1] for o in centres) for c in centres
    ]
    offsets = np.where(below, -1.6, 1.6) * radii
    starts = centres + np.stack((np.zeros_like(offsets), offsets), axis=1)
    # A white rim: neither grid nor leaders strike a name through.
    readable = {
        "ha": "center",
        "va": "center",
        "path_effects": [withStroke(linewidth=3, foreground="w")],
    }
    texts = [
        axes.text(*axes.transData.inverted().transform(start), title, **readable)
        for start, title in zip(starts, points["title"], strict=True)
    ]
    adjust_text(
        texts,
        avoid[:, 0],
        avoid[:, 1],
        target_x=points["parameters"].to_numpy(),
        target_y=points["psnr"].to_numpy(),
        ax=axes,
        expand=(1.1, 1.4),
        arrowprops={"arrowstyle": "-", "color": "0.3", "linewidth": 0.6},
    )


def _area_legend(axes: Axes, largest: float, per_gmac: float, *, dashed: bool) -> None:
    """Circles of two round sizes, outside the plot, and what a dashed one means."""
    sizes = [_round_number(largest), _round_number(largest / 4)]
    handles = [
        axes.scatter([], [], s=g * per_gmac, color="white", edgecolor="black", label=f"{g:g} GMACs")
        for g in sizes
    ]
    if dashed:
        look = {"facecolor": "none", "edgecolor": "black", "linestyle": "--"}
        text = "published,\nprotocol unknown"
        handles.append(axes.scatter([], [], s=UNKNOWN_AREA, label=text, **look))
    axes.legend(
        handles=handles,
        title="per 256x256 image",
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        labelspacing=2.2,
        borderpad=1.5,
        handletextpad=2.0,
    )


def _round_number(value: float) -> float:
    """The nearest of 1, 2, 5 times a power of ten below ``value``."""
    power = 10.0 ** np.floor(np.log10(value))
    return max(step * power for step in (1, 2, 5) if step * power <= value * 1.0001)


def _images(config: Config) -> int:
    scores = collect.scores(config)
    return scores[scores["dataset"] == config.figures.dataset]["image"].nunique()


def strip(config: Config) -> Figure:
    """Rainy input, every method and ground truth for test images spread over the set."""
    dataset, protocol = config.figures.dataset, config.figures.protocol
    split = read_split(Path(config.split_folder(dataset, "test")))
    count = min(config.figures.strip_images, len(split.pairs))
    spread = np.linspace(0, len(split.pairs) - 1, count).round().astype(int)
    pairs = [split.pairs[i] for i in spread]
    tested = [e for e in collect.entries(config) if dataset in e.spec.test]
    shown = list({e.run: e for e in reversed(tested)}.values())[::-1]  # first variant of each run
    scores = collect.scores(config)
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
            file = collect.score_folder(config, entry, dataset) / "images" / pair.name
            own = of_image[(of_image["run"] == entry.run) & (of_image["variant"] == entry.variant)]
            restored = read_rgb(file.with_suffix(".png"))
            _show(axes, restored, f"{own['psnr'].iloc[0]:.2f} dB")
        _show(row[-1], read_rgb(pair.target), pair.name)
    for axes, column in zip(grid[0], columns, strict=True):
        axes.set_title(textwrap.fill(column, 18))
    smoke = "SMOKE: " if config.label == "smoke" else ""
    figure.suptitle(f"{smoke}{dataset} test, PSNR in protocol {protocol}", fontsize=10)
    return figure


def _show(axes: Axes, image: np.ndarray, caption: str) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.set_xlabel(caption, fontsize=8)


def write_figures(config: Config, out: Path) -> None:
    """Writes ``pareto.{pdf,png,svg}`` and ``strip-<dataset>.png``, all or nothing."""
    with style(), staged_folder(out) as stage:
        save(pareto(config), stage / "pareto")
        name = f"strip-{config.figures.dataset}"
        save(strip(config), stage / name, ("png",))
        for file in ("pareto.svg", f"{name}.png"):
            provenance.write_record(stage / file, settings={"configuration": config.name})
