"""What was found about spikes at rain: in a few lines, and in two figures (one the paper's Fig. 2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from derainbench import provenance
from derainbench.audit.spikerates import UNDECIDED
from derainbench.config import Config
from derainbench.errors import BenchError
from derainbench.files import staged_folder
from derainbench.report import collect
from derainbench.report.style import palette, save, style

LABELS = {
    "counterpart": "rain − clean counterpart (same places)",
    "within": "rain − clean places of the same image",
    "content": "those two sets of places, in the clean image",
}


def sentences(result: dict[str, Any]) -> list[str]:
    """The content of a ``spikes.json`` in one line per comparison and weighting."""
    lines = []
    for name, found in result["comparisons"].items():
        depths = found["depths"]
        lines.append(
            f"{LABELS[name]}: higher at {depths['higher']} of {depths['number']} depths, "
            f"lower at {depths['lower']}, undecided at {depths['undecided']}"
        )
        for key, alike in (("by_depth", "depth"), ("by_neuron", "neuron")):
            total = found[key]
            lines.append(
                f"  every {alike} alike: {total['verdict']}, {total['rate']:.4f} against "
                f"{total['rate_other']:.4f} spikes per neuron and step, difference "
                f"{total['difference']:+.4f} [{total['low']:+.4f}, {total['high']:+.4f}], "
                f"{total['images']} images"
            )
    return lines


def heat_maps(patch: dict[str, np.ndarray], title: str) -> Figure:
    """The paper's Fig. 2: pixels, luminance, membrane potentials before firing, spike rates.

    Args:
        patch: the arrays of ``patch.npz``; see :func:`derainbench.energy.spikes.patch`.
        title: which weights and images.
    """
    pixels, potential, rate = patch["pixels"], patch["potential"], patch["rate"].mean(axis=2)
    layers, steps = potential.shape[1:3]
    scales = {
        "luminance": {"cmap": "gray", "vmin": 0, "vmax": 255},
        "potential": {"cmap": "viridis", "vmin": potential.min(), "vmax": potential.max()},
        "rate": {"cmap": "magma", "vmin": 0, "vmax": rate.max()},
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
                cells, shown, [*named, ("spike rate", "rate")], strict=True
            ):
                caption = f"{values.mean():.3f} ± {values.std():.3f}"
                _map(axes, values, name if layer == 0 else "", caption, **scales[scale])
            cells[0].set_ylabel(f"{role}, layer {layer + 1}", fontsize=8)
    spans = {
        "luminance": (slice(1, 2), "luminance, 0 to 255"),
        "potential": (slice(2, 2 + steps), "membrane potential before firing, mean over channels"),
        "rate": (slice(2 + steps, None), "spikes per neuron\nand step"),
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


def by_depth(depths: pd.DataFrame, title: str) -> Figure:
    """Spike-rate differences at every depth with their intervals.

    Args:
        depths: the rows of ``depth.csv``.
        title: which weights and images.
    """
    layers = depths.drop_duplicates("depth").sort_values("depth")
    figure, axes = plt.subplots(figsize=(max(5.5, 0.32 * len(layers) + 1.5), 4.6))
    axes.axhline(0, color="0.3", linewidth=0.8)
    colours = dict(zip(LABELS, [*palette(2), "0.6"], strict=True))
    shifts = dict(zip(LABELS, (-0.2, 0.0, 0.2), strict=True))
    for name, of in depths.groupby("comparison", sort=False):
        place = of["depth"] + shifts[name]
        axes.vlines(place, of["low"], of["high"], color=colours[name], linewidth=1.4)
        decided = of["verdict"] != UNDECIDED
        for chosen, face in ((decided, colours[name]), (~decided, "white")):
            axes.scatter(
                place[chosen],
                of["difference"][chosen],
                s=18,
                color=face,
                edgecolor=colours[name],
                zorder=3,
            )
        axes.scatter([], [], s=18, color=colours[name], label=LABELS[name])
    axes.scatter([], [], s=18, color="white", edgecolor="black", label="undecided at this depth")
    axes.set_xticks(layers["depth"], layers["depth"].astype(str) + " " + layers["layer"])
    axes.tick_params(axis="x", labelrotation=90, labelsize=7)
    axes.set_xlim(0.3, len(layers) + 0.7)
    axes.set_xlabel("spiking layer, from input to output")
    axes.set_ylabel("difference, spikes per neuron and step\n(mean over images, 95 % interval)")
    axes.grid(axis="x", visible=False)
    axes.set_title(title, loc="left", fontsize=9, pad=46)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncol=2, frameon=False)
    return figure


def write_figures(config: Config, out: Path) -> None:
    """Writes ``fig2-<run>`` and ``rain-spikes-<run>`` of every spiking run's first variant.

    Each as pdf, png and svg, all or nothing.

    Raises:
        BenchError: if a file of ``derainbench spikes`` is missing.
    """
    entries = {(e.run, e.variant): e for e in collect.entries(config)}
    first = {run: (variant, dataset) for run, variant, dataset in reversed([*config.spiking()])}
    smoke = "SMOKE: " if config.label == "smoke" else ""
    with style(), staged_folder(out) as stage:
        for run, (variant, dataset) in first.items():
            entry = entries[run, variant]
            folder = Path(config.results) / "spikes" / run / variant
            images = collect.read_json(folder / "spikes.json")["images"]
            title = f"{smoke}{entry.title} ({entry.weights}, {variant}) on {dataset} test"
            depths = collect.read_table(folder / "depth.csv")
            save(heat_maps(_patch(folder / "patch.npz"), title), stage / f"fig2-{run}")
            save(by_depth(depths, f"{title}, {images} pairs"), stage / f"rain-spikes-{run}")
            for figure in ("fig2", "rain-spikes"):
                provenance.write_record(
                    stage / f"{figure}-{run}.svg", settings={"configuration": config.name}
                )


def _patch(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise BenchError(f"{path}: missing or damaged; run `derainbench spikes` again") from error
