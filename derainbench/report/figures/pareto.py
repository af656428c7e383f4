"""Parameters against PSNR."""

from __future__ import annotations

import textwrap
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from derainbench.catalog import published
from derainbench.catalog.cells.printed import point_rows, printed_cells
from derainbench.catalog.protocols import protocols
from derainbench.config.schema import Config
from derainbench.data.restored import OTHERS
from derainbench.foundation.errors import BenchError
from derainbench.metrics.infinite import finite, infinite_note
from derainbench.report.figures.marking import marked
from derainbench.report.figures.style import palette
from derainbench.results.accounts import read_accounts, read_published_sizes
from derainbench.results.runs import run_variants
from derainbench.results.scores import read_scores

LARGEST_AREA = 1200.0  # points^2, for the model with the most MACs
UNKNOWN_AREA = 60.0  # points^2, where MACs are not known
NAMES_THAT_FIT = 12  # of more networks the points are numbered
HEIGHT_OF_NUMBERED, LONGEST_NAME = 5.2, 44  # inches; characters of a line of the key
ITERATIONS = 300  # of placing names; a limit in seconds would draw differently on a busy machine

NOTHING = "no run on this set names its network"


def pareto_points(config: Config) -> pd.DataFrame:
    """Title, parameters, GMACs and PSNR of every run tested on the figure's data set.

    A run that restored every image perfectly has no mean PSNR, and no point. Images of others stand
    there with the full size of the network that the run names, if it does.
    """
    chosen = finite(_chosen(config))
    psnr = chosen.groupby(["run", "title"], sort=False)["psnr"].mean().dropna().reset_index()
    counts = read_accounts(config).drop_duplicates("run")[["run", "parameters", "gmacs_256"]]
    sizes = read_published_sizes(config)
    if not sizes.empty:
        counts = sizes if counts.empty else pd.concat([counts, sizes], ignore_index=True)
    return psnr.merge(counts, on="run").assign(published=False)


def _chosen(config: Config) -> pd.DataFrame:
    """Scores on the figure's data set under its protocol."""
    scores = read_scores(config)
    on_set = scores["dataset"] == config.figures.dataset
    return scores[on_set & (scores["protocol"] == config.figures.protocol)]


def published_points(config: Config) -> pd.DataFrame:
    """What papers state of their networks on the figure's data set, if anything.

    Columns as in :func:`pareto_points`; GMACs are missing where nobody published them.
    """
    points = known_points(config)
    return points[points["dataset"] == config.figures.dataset].assign(published=True)


def known_points(config: Config) -> pd.DataFrame:
    """Points that papers state, and those of which the size and the PSNR were transcribed.

    Columns of :func:`derainbench.catalog.published.points`.
    """
    printed = [point_rows(printed_cells(paper)) for paper in config.paper_names]
    return pd.concat(
        [published.points(), *(table for table in printed if len(table))], ignore_index=True
    )


def caption(config: Config) -> str:
    """What the figure shows, and what its circles mean."""
    protocol = protocols()[config.figures.protocol]
    try:
        note = infinite_note(_chosen(config))
    except BenchError:  # the page has captions of figures that are still to be drawn
        note = ""
    text = (
        f"PSNR on the {config.figures.dataset} test images, protocol {protocol.name}: "
        f"{protocol.description}. A circle's area is proportional to the dense "
        "multiply-accumulates (MACs) of one 256x256 image, all time steps counted. Dashed circles, "
        "if any, are published numbers, of unknown protocol (points.csv of the papers in the "
        f"catalogue names the sources).{note}"
    )
    return text + about_images_of_others(config)


def about_images_of_others(config: Config) -> str:
    """A sentence on the runs of images of others in the figure; nothing without such runs."""
    named = [e for e in run_variants(config) if not e.spec.counted and e.spec.network]
    shown = [e.title for e in named if config.figures.dataset in e.spec.test]
    if not shown:
        return ""
    return (
        f" {OTHERS.capitalize()}, with parameters and MACs of the network as published: "
        f"{', '.join(shown)}."
    )


def pareto(config: Config) -> Figure:
    """Parameters (log scale) against PSNR; a circle's area is proportional to dense MACs.

    Filled circles were measured here; dashed ones are published numbers of unknown protocol. Names stand
    beside the circles, or where they are too many for that in a key below, by number.
    """
    measured, published = pareto_points(config), published_points(config)
    points = pd.concat([measured, published], ignore_index=True)
    images = _chosen(config)["image"].nunique()
    per_gmac = LARGEST_AREA / points["gmacs_256"].max()
    numbered = len(points) > NAMES_THAT_FIT
    # Every name beyond six wants room of its own.
    height = HEIGHT_OF_NUMBERED if numbered else 3.9 + 0.25 * max(0, len(points) - 6)
    figure, axes = plt.subplots(figsize=(5.6, height))
    axes.set_ylabel(f"PSNR (dB), protocol {config.figures.protocol}")
    axes.set_xlabel("Parameters (log scale)")
    title = f"{config.figures.dataset} test, {images} images"
    axes.set_title(marked(config, title), loc="left")
    if points.empty:
        axes.text(0.5, 0.5, NOTHING, ha="center", va="center", transform=axes.transAxes)
        return figure
    axes.set_xscale("log")
    points["area"] = (points["gmacs_256"] * per_gmac).fillna(UNKNOWN_AREA)
    points["name"] = [str(i + 1) for i in points.index] if numbered else points["title"]
    colours = iter(palette(len(measured)))
    circles = []
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
        if numbered:
            label = textwrap.fill(f"{point['name']}  {point['title']}", LONGEST_NAME)
            circles.append(axes.scatter([], [], s=UNKNOWN_AREA, label=label, **look))
        axes.plot(point["parameters"], point["psnr"], ".", color="black", markersize=3)
    if len(published) > 1:
        axes.plot(published["parameters"], published["psnr"], ":", color="black", linewidth=0.8)
    axes.margins(x=0.3, y=0.3)
    _label(axes, points)
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1e4 else (1,)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    if numbered:
        figure.legend(
            handles=circles,
            loc="upper left",
            bbox_to_anchor=(0.02, 0.0),
            ncol=2,
            frameon=False,
            fontsize=7.5,
        )
    _area_legend(axes, points["gmacs_256"].max(), per_gmac, dashed=not published.empty)
    return figure


def _label(axes: Axes, points: pd.DataFrame) -> None:
    """Writes the methods' names, or numbers, clear of the circles and of each other."""
    from adjustText import adjust_text  # takes a second, and who reads points does not draw them

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
    readable: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "path_effects": [withStroke(linewidth=3, foreground="w")],
    }
    texts = [
        axes.text(x, y, title, **readable)
        for (x, y), title in zip(
            axes.transData.inverted().transform(starts), points["name"], strict=True
        )
    ]
    adjust_text(
        texts,
        avoid[:, 0],
        avoid[:, 1],
        target_x=points["parameters"].to_numpy(),
        target_y=points["psnr"].to_numpy(),
        ax=axes,
        expand=(1.1, 1.4),
        iter_lim=ITERATIONS,
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
        look: dict[str, Any] = {"facecolor": "none", "edgecolor": "black", "linestyle": "--"}
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
