"""How a baseline makes itself known.

A module of this package declares ``MODELS``, a literal tuple of the names it provides, and
``CARDS``, a list with one :class:`ModelCard` for each. ``MODELS`` is read without importing the
module, so that looking a name up costs nothing and one broken baseline does not break the others.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Tiling:
    """How an image is cut into overlapping squares, and they are put together again.

    Attributes:
        side: of a tile, pixels.
        overlap: of neighbouring tiles, pixels; the last one of a row or column may overlap more.
        blend: how a tile's weight falls towards its edges, where networks miss what lies beyond.
            "ramp": over the overlap, as a squared sine. "distance": as 1 / sqrt(d^2 + 1e-3),
            d pixels from its centre, as official scripts do.
        exact: smaller images are extended to a full tile; else tiles shrink with the image.
    """

    side: int = 512
    overlap: int = 64
    blend: str = "ramp"
    exact: bool = False


ESDNET_TILING = Tiling(side=80, overlap=8, blend="distance", exact=True)  # its authors' script


@dataclass(frozen=True)
class ModelCard:
    """What the harness must know of a network besides its code.

    Attributes:
        name: key in the registry, lower case.
        title: the name as the paper writes it, for tables and figures.
        build: constructor; keyword arguments only, all with defaults.
        size_multiple: height and width must be multiples of this.
        fixed_size: side of the only squares that the network takes, if it takes no others.
        inference: "tiled" or "whole": how the official evaluation feeds images.
        padding: how images are extended up to the size multiple. "replicate" or "reflect": to the
            right and bottom, by repeating or mirroring the edge. "square": the network takes
            squares only; the image lies in the middle of one, zeros around it.
        tiling: how it is tiled, where that is asked for or the image too large for one pass.
        max_pixels: most pixels, padding included, of one pass: what the network takes, or what
            16 GB hold, which leaves a third of a 24 GB machine for all else. Bytes per pixel are
            those of the full-size network, measured by tools/memory.py.
        quantise: "round" or "truncate": how the official evaluation makes 8-bit images.
        spiking: whether the network computes with spikes.
    """

    name: str
    title: str
    build: Callable[..., nn.Module]
    size_multiple: int = 1
    fixed_size: int | None = None
    inference: str = "whole"
    padding: str = "replicate"
    tiling: Tiling = Tiling()
    max_pixels: int = 1_000_000
    quantise: str = "round"
    spiking: bool = False


def index() -> dict[str, Path]:
    """Model names of this package and the files that provide them; nothing is imported.

    Raises:
        ValueError: if two files provide one name.
    """
    found: dict[str, Path] = {}
    for file in sorted(PACKAGE.glob("*.py")):
        for name in _declared_models(file, file.stat().st_mtime_ns):
            if name in found:
                raise ValueError(f"{found[name].name} and {file.name} both provide '{name}'")
            found[name] = file
    return found


@cache
def _declared_models(file: Path, _changed: int) -> tuple[str, ...]:
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MODELS":
            return ast.literal_eval(node.value)
    return ()


def card(name: str) -> ModelCard:
    """The card of a model of this package; imports its module.

    Raises:
        KeyError: for a name that no module provides.
    """
    module = importlib.import_module(f"baselines.{index()[name].stem}")
    return next(c for c in module.CARDS if c.name == name)
