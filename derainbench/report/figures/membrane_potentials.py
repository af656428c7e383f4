"""Membrane potentials and firing rates of a rain and a clean patch."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file

CAPTION = "Where it rains most: pixels, membrane potentials before firing, firing rates."


def heat_maps(patch: dict[str, np.ndarray], title: str) -> Figure:
    """Pixels, luminance, membrane potentials before firing, and firing rates, of both patches.

    Args:
        patch: the arrays of ``patch.npz``; see :mod:`derainbench.energy.spikes.rain_patch`.
        title: which weights and images.
    """
    pixels, potential, rate = patch["pixels"], patch["potential"], patch["firing_rate"].mean(axis=2)
    layers, steps = potential.shape[1:3]
    scales = {
        "luminance": {"cmap": "gray", "vmin": 0, "vmax": 255},
        "potential": {"cmap": "viridis", "vmin": potential.min(), "vmax": potential.max()},
        "firing_rate": {"cmap": "magma", "vmin": 0, "vmax": rate.max()},
    }
    figure = plt.figure(figsize=(1.3 * steps + 5.2, 3.1 * layers + 1.2), layout="constrained")
    grid = figure.add_gridspec(
        2 * layers + 1,
        steps + 3,
        width_ratios=[1.5, 1.5, *[1] * (steps + 1)],
        height_ratios=[*[1] * (2 * layers), 0.06],
    )
    for row, role in enumerate(("rain", "clean")):
        rows = slice(row * layers, (row + 1) * layers)
        luminance = np.asarray(Image.fromarray(pixels[row]).convert("L"))
        _map(figure.add_subplot(grid[rows, 0]), pixels[row], f"{role}: patch")
        _map(
            figure.add_subplot(grid[rows, 1]),
            luminance,
            f"{role}: pixel values",
            f"{luminance.mean():.0f} ± {luminance.std():.0f}",
            **scales["luminance"],
        )
        for layer in range(layers):
            cells = [
                figure.add_subplot(grid[row * layers + layer, 2 + i]) for i in range(steps + 1)
            ]
            named = [(f"potential, t = {i + 1}", "potential") for i in range(steps)]
            shown = [*potential[row, layer], rate[row, layer]]
            for axes, values, (name, scale) in zip(
                cells, shown, [*named, ("firing rate", "firing_rate")], strict=True
            ):
                caption = f"{values.mean():.3f} ± {values.std():.3f}"
                _map(axes, values, name if layer == 0 else "", caption, **scales[scale])
            cells[0].set_ylabel(f"{role}, layer {layer + 1}", fontsize=8)
    spans = {
        "luminance": (slice(1, 2), "luminance, 0 to 255"),
        "potential": (slice(2, 2 + steps), "membrane potential before firing, mean over channels"),
        "firing_rate": (slice(2 + steps, None), "spikes per neuron\nand step"),
    }
    for name, (columns, label) in spans.items():
        axes = figure.add_subplot(grid[-1, columns])
        colours = ScalarMappable(Normalize(scales[name]["vmin"], scales[name]["vmax"]))
        colours.set_cmap(scales[name]["cmap"])
        bar = figure.colorbar(colours, cax=axes, orientation="horizontal")
        bar.set_label(label, fontsize=8)
        axes.tick_params(labelsize=7)
    neurons = ", ".join(
        f"layer {i}: {name} (fires at {limit:g})"
        for i, (name, limit) in enumerate(zip(patch["layers"], patch["threshold"], strict=True), 1)
    )
    side = pixels.shape[1]
    figure.suptitle(
        f"{title}\n{patch['image']}: the {side}x{side} window with most rain, mean ± standard "
        f"deviation over its places\n{neurons}",
        fontsize=9,
    )
    return figure


def _map(axes: Axes, values: np.ndarray, title: str, caption: str = "", **scale: Any) -> None:
    axes.imshow(values, interpolation="nearest", **scale)
    axes.set_title(title, fontsize=8)
    axes.set_xlabel(caption, fontsize=7)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)


def read_patch(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a ``patch.npz``.

    Raises:
        BenchError: if it is missing or damaged.
    """
    try:
        with np.load(regular_file(path)) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise BenchError(f"{path}: missing or damaged; run `derainbench spikes` again") from error
