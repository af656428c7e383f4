"""Draws docs/architecture.svg: the packages of this project, and which imports which.

python tools/architecture.py

Rows are the layers that `make lint` holds (pyproject.toml); arrows are read off the import graph, those
left out that follow from others. A comment in the file holds them for the test that compares.
"""

from __future__ import annotations

import json
import re
import tomllib
from itertools import product
from pathlib import Path

import grimp
import matplotlib
import matplotlib.pyplot as plt
import networkx as nx
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
ROW, COLUMN, HIGH, WIDE = 0.86, 2.3, 0.46, 1.75  # inches
NETWORKS = ("esdnet", "baselines")
COMMENT = re.compile(r"<!-- arrows: (.*?) -->")


def layers() -> list[list[str]]:
    """The packages of every layer, from the command line down; the networks stand below all."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    rows = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [[name.strip() for name in row.split("|")] for row in rows] + [list(NETWORKS)]


def arrows() -> list[list[str]]:
    """Pairs of packages of which the first imports the second, without those that follow."""
    graph = grimp.build_graph(
        "derainbench", *NETWORKS, exclude_type_checking_imports=True, cache_dir=None
    )
    modules = {name: f"derainbench.{name}" for row in layers() for name in row}
    modules |= {name: name for name in NETWORKS}
    found = nx.DiGraph()
    for (first, importer), (second, imported) in product(modules.items(), repeat=2):
        if first != second and graph.direct_import_exists(
            importer=importer, imported=imported, as_packages=True
        ):
            found.add_edge(first, second)
    return sorted(list(pair) for pair in nx.transitive_reduction(found).edges)


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> FancyArrowPatch:
    """An arrow between two boxes: straight down or sideways, or in a bow around those between."""
    (x, y), (to_x, to_y) = start, end
    style = "arc3"
    if y == to_y:
        side = 1 if to_x > x else -1
        ends = (x + side * WIDE / 2, y), (to_x - side * WIDE / 2, to_y)
    elif x == to_x and y - to_y > 1.5 * ROW:
        ends = (x + WIDE / 2, y), (to_x + WIDE / 2, to_y)
        style = "arc3,rad=-0.55"
    else:
        ends = (x, y - HIGH / 2), (to_x, to_y + HIGH / 2)
    return FancyArrowPatch(
        *ends,
        connectionstyle=style,
        arrowstyle="-|>",
        mutation_scale=9,
        color="0.45",
        linewidth=0.9,
        zorder=0,
    )


def draw() -> None:
    """Writes the picture."""
    rows = layers()
    across = max(map(len, rows))
    places = {
        name: ((column - (len(row) - 1) / 2) * COLUMN, -depth * ROW)
        for depth, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    matplotlib.use("Agg")
    with plt.rc_context({"svg.hashsalt": "derainbench", "svg.fonttype": "none", "font.size": 10}):
        figure, axes = plt.subplots(figsize=(across * COLUMN + 1.2, len(rows) * ROW + 0.3))
        for first, second in arrows():
            axes.add_patch(_arrow(places[first], places[second]))
        for name, (x, y) in places.items():
            colour = "#fdebd0" if name in NETWORKS else "#dcebf7"
            corner = (x - WIDE / 2, y - HIGH / 2)
            box = "round,pad=0,rounding_size=0.08"
            axes.add_patch(
                FancyBboxPatch(corner, WIDE, HIGH, box, facecolor=colour, edgecolor="0.3")
            )
            axes.text(x, y, f"{name}/", ha="center", va="center", family="monospace")
        axes.set_xlim(-across * COLUMN / 2 - 0.2, across * COLUMN / 2 + 0.2)
        axes.set_ylim(-(len(rows) - 1) * ROW - HIGH, HIGH)
        axes.set_aspect("equal")
        axes.set_axis_off()
        figure.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})
    text = PICTURE.read_text(encoding="utf-8")
    PICTURE.write_text(f"{text.rstrip()}\n<!-- arrows: {json.dumps(arrows())} -->\n", "utf-8")


def drawn_arrows() -> list[list[str]]:
    """The arrows of the picture that is kept."""
    found = COMMENT.search(PICTURE.read_text(encoding="utf-8"))
    return json.loads(found[1]) if found else []


if __name__ == "__main__":
    draw()
