"""Versions of an image side by side, each with the same window enlarged."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import scipy
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

COLUMNS = 6  # panels per row
WINDOW = 5  # the enlarged window's side is this part of the image's shorter one
SIDE = 1.55  # inches; width of a panel
LARGEST = 180  # pixels; whole images are shown smaller than they are, so that files stay small


@dataclass(frozen=True)
class Panel:
    """One image of a comparison: uint8 [H,W,3], what made it, and its scores in a line or two."""

    title: str
    image: np.ndarray
    caption: str


def window(distance: np.ndarray) -> tuple[int, int, int]:
    """Where a map [H,W] is highest on average over a square: its top, left and side, in pixels."""
    height, width = distance.shape
    side = max(min(height, width) // WINDOW, 1)
    means = scipy.ndimage.uniform_filter(distance, side, mode="constant")
    half = side // 2
    inside = means[half : half + height - side + 1, half : half + width - side + 1]
    top, left = np.unravel_index(np.argmax(inside), inside.shape)
    return int(top), int(left), side


def compare(panels: list[Panel], box: tuple[int, int, int], title: str) -> Figure:
    """Images in rows, each with a window framed and, below it, that window enlarged.

    Args:
        panels: images of one size.
        box: the window's top, left and side, in pixels.
        title: which images, and what the captions are.
    """
    top, left, side = box
    height, width = panels[0].image.shape[:2]
    rows = -(-len(panels) // COLUMNS)
    columns = -(-len(panels) // rows)
    tall, lines = SIDE * height / width, max(p.caption.count("\n") for p in panels) + 1
    titles = [textwrap.fill(panel.title, 22) for panel in panels]
    head = 0.08 + 0.13 * (max(title.count("\n") for title in titles) + 1)
    row_height = head + tall + SIDE + 0.14 + 0.13 * lines
    size = columns * (SIDE + 0.06), rows * row_height + 0.3
    figure = plt.figure(figsize=size)
    figure.suptitle(title, fontsize=9, y=1 - 0.05 / size[1], va="top")
    for number, (panel, text) in enumerate(zip(panels, titles, strict=True)):
        row, column = divmod(number, columns)
        x, y = column * (SIDE + 0.06), size[1] - 0.3 - row * row_height - head - tall
        whole = figure.add_axes((x / size[0], y / size[1], SIDE / size[0], tall / size[1]))
        y -= SIDE + 0.05
        close = figure.add_axes((x / size[0], y / size[1], SIDE / size[0], SIDE / size[1]))
        _show(whole, _smaller(panel.image), (0, width, height, 0))
        _show(close, panel.image[top : top + side, left : left + side])
        whole.set_title(text, fontsize=8, pad=3)
        for colour, linewidth in (("black", 2.4), ("white", 1.0)):
            frame = Rectangle(
                (left, top), side, side, fill=False, color=colour, linewidth=linewidth
            )
            whole.add_patch(frame)
        close.set_xlabel(panel.caption, fontsize=7.5, labelpad=2)
    return figure


def _show(
    axes: Axes, image: np.ndarray, extent: tuple[float, float, float, float] | None = None
) -> None:
    axes.imshow(image, interpolation="none", extent=extent)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)


def _smaller(image: np.ndarray) -> np.ndarray:
    shrunk = Image.fromarray(image)
    shrunk.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return np.asarray(shrunk)


def distance(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean absolute difference over the channels, [H,W]."""
    return np.abs(image.astype(float) - other.astype(float)).mean(axis=2)
