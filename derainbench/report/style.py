"""One look for all figures: readable in print, in grey and for colour-blind eyes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.figure import Figure

from derainbench.files import atomic_path

matplotlib.use("Agg")
KINDS = ("pdf", "png", "svg")


@contextmanager
def style() -> Iterator[None]:
    """The benchmark's plot settings, for the duration of a block."""
    settings = {
        **sns.axes_style("whitegrid"),
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
    }
    with plt.rc_context(settings):
        yield


def palette(count: int) -> list:
    """Colour-blind-safe colours."""
    return sns.color_palette("colorblind", count)


def save(figure: Figure, stem: Path, kinds: tuple[str, ...] = KINDS) -> None:
    """Writes ``stem.<kind>`` without dates inside, each file whole or not at all."""
    figure.draw_without_rendering()  # laid out and measured once, not again for every kind
    figure.set_layout_engine("none")
    box = figure.get_tightbbox().padded(0.1)
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}
    for kind in kinds:
        with atomic_path(stem.with_name(f"{stem.name}.{kind}")) as temporary:
            figure.savefig(temporary, format=kind, bbox_inches=box, metadata=undated[kind])
    plt.close(figure)
