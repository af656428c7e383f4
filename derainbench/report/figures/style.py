"""One look for all figures: readable in print, in grey and for colour-blind eyes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from derainbench.foundation.files import atomic_path

matplotlib.use("Agg")
KINDS = ("pdf", "png", "svg")
# seaborn's style "whitegrid" and its palette "colorblind" (0.13.2), written out: to import it for
# them takes every stage that draws a second.
WHITE_GRID = {
    "axes.axisbelow": True,
    "axes.edgecolor": ".8",
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.labelcolor": ".15",
    "axes.spines.bottom": True,
    "axes.spines.left": True,
    "figure.facecolor": "white",
    "font.family": ["sans-serif"],
    "font.sans-serif": [
        "Arial",
        "DejaVu Sans",
        "Liberation Sans",
        "Bitstream Vera Sans",
        "sans-serif",
    ],
    "grid.color": ".8",
    "grid.linestyle": "-",
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "text.color": ".15",
    "xtick.bottom": False,
    "xtick.color": ".15",
    "xtick.direction": "out",
    "xtick.top": False,
    "ytick.color": ".15",
    "ytick.direction": "out",
    "ytick.left": False,
    "ytick.right": False,
}
COLOUR_BLIND_SAFE = (
    "#0173b2",
    "#de8f05",
    "#029e73",
    "#d55e00",
    "#cc78bc",
    "#ca9161",
    "#fbafe4",
    "#949494",
    "#ece133",
    "#56b4e9",
)
Colour = tuple[float, float, float]


@contextmanager
def style() -> Iterator[None]:
    """The benchmark's plot settings, for the duration of a block."""
    settings: dict[Any, Any] = {
        **WHITE_GRID,
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.labelsize": 9,
        "legend.fontsize": 8,
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "derainbench",  # equal input gives an equal file
        "pdf.fonttype": 42,
        "text.parse_math": False,  # a dollar sign in a title is a dollar sign
    }
    with plt.rc_context(settings):
        yield


def palette(count: int) -> list[Colour]:
    """Colour-blind-safe colours, red, green and blue in [0,1]; after ten they come again."""
    return [to_rgb(colour) for colour in islice(cycle(COLOUR_BLIND_SAFE), count)]


def save(figure: Figure, stem: Path, kinds: tuple[str, ...] = KINDS) -> None:
    """Writes ``stem.<kind>`` without dates inside, each file whole or not at all."""
    figure.draw_without_rendering()  # laid out and measured once, not again for every kind
    figure.set_layout_engine("none")
    box = figure.get_tightbbox().padded(0.1)
    undated: dict[str, dict[str, None]] = {
        "pdf": {"CreationDate": None},
        "svg": {"Date": None},
        "png": {},
    }
    for kind in kinds:
        with atomic_path(stem.with_name(f"{stem.name}.{kind}")) as temporary:
            figure.savefig(temporary, format=kind, bbox_inches=box, metadata=undated[kind])
    plt.close(figure)
