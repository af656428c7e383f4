"""From operation counts to energy, under named readings of what a spiking network computes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from derainbench import models, provenance
from derainbench.data.crops import to_tensor
from derainbench.data.images import read_rgb
from derainbench.data.pairs import dataset_digests, read_split
from derainbench.device import prepare
from derainbench.energy.counting import (
    SILENT,
    SPIKES,
    LayerCount,
    count,
    count_structure,
    parameters,
)
from derainbench.errors import BenchError
from derainbench.files import sha256, staged_folder, write_json, write_text
from derainbench.progress import Reporter

COSTS = "horowitz-45nm-fp32"
TABLE_SIZE = 256  # complexity is stated for one 256x256 image, as the literature does


@dataclass(frozen=True)
class Costs:
    """Energy per operation, picojoule."""

    mac: float
    ac: float
    source: str


@cache
def cost_tables() -> dict[str, Costs]:
    """The cost tables of ``catalog/costs.yaml`` by name."""
    text = resources.files("derainbench.catalog").joinpath("costs.yaml").read_text()
    return {name: Costs(**values) for name, values in yaml.safe_load(text).items()}


def account(layers: pd.DataFrame, costs: Costs, *, spiking: bool) -> dict[str, float]:
    """Totals and energies of one image.

    Args:
        layers: columns of :class:`LayerCount`, all rows of one image.
        costs: what an operation costs.
        spiking: whether the network has spiking neurons; in such a network an input that is
            silent throughout counts as spikes that never came, in others as values.

    Returns:
        ``macs_dense``; ``macs_analog`` (MACs on analog input); ``sops`` (accumulates caused by
        spikes); ``firing_rate`` (mean over spike inputs, weighted by MACs; NaN without spikes);
        ``energy_measured_mj``: analog MACs at ``mac`` and SOPs at ``ac``;
        ``energy_spike_driven_mj``: the generous reading, in which every operation on analog input
        of a spiking network is priced as accumulates at the mean firing rate too; NaN for other
        networks.
    """
    is_spikes = layers["input"].isin([SPIKES, SILENT] if spiking else [SPIKES])
    spikes = layers[is_spikes]
    analog_macs = float(layers.loc[~is_spikes, "macs"].sum())
    sops = float(spikes["effective"].sum())
    spike_macs = float(spikes["macs"].sum())
    rate = float((spikes["rate"] * spikes["macs"]).sum() / spike_macs) if spike_macs else math.nan
    generous = (sops + analog_macs * rate) * costs.ac if spiking else math.nan
    return {
        "macs_dense": float(layers["macs"].sum()),
        "macs_analog": analog_macs,
        "sops": sops,
        "firing_rate": rate,
        "energy_measured_mj": (analog_macs * costs.mac + sops * costs.ac) * 1e-9,
        "energy_spike_driven_mj": generous * 1e-9,
    }


def centre(image: torch.Tensor, size: int, name: str) -> torch.Tensor:
    """The central [3,size,size] of [3,H,W].

    Raises:
        BenchError: if the image is smaller.
    """
    height, width = image.shape[1:]
    if min(height, width) < size:
        raise BenchError(
            f"{name}: {height}x{width} is smaller than the {size}x{size} that operations are "
            "counted on; choose a smaller --size"
        )
    top, left = (height - size) // 2, (width - size) // 2
    return image[:, top : top + size, left : left + size]


def measure(
    *,
    model_name: str,
    weights: Path,
    split_folder: Path,
    out: Path,
    kwargs: dict[str, Any] | None = None,
    size: int = TABLE_SIZE,
    images: int = 8,
    device: str = "auto",
    dataset: Path | None = None,
) -> dict[str, Any]:
    """Counts operations on the central crops of a split's first images.

    Writes ``layers.csv`` (one row per image and operation) and ``energy.json`` (means over
    images, the structure at 256x256, and every assumption), all or nothing.

    Raises:
        BenchError: for unusable weights or images.
    """
    chosen = prepare(device)
    model, arguments = models.load(model_name, weights, kwargs)
    model = model.to(chosen)
    split = read_split(split_folder, need_target=False)
    inputs = dataset_digests(split, dataset)
    tables = []
    with Reporter(f"count {model_name}", min(images, len(split.pairs))) as reporter:
        for pair in split.pairs[:images]:
            crop = centre(to_tensor(read_rgb(pair.input)), size, str(pair.input))
            counts = count(model, crop[None].to(chosen))
            tables.append(pd.DataFrame(counts).assign(image=pair.name))
            reporter.advance(pair.name)
    layers = pd.concat(tables)
    costs = cost_tables()[COSTS]
    spiking = models.card(model_name).spiking
    per_image = pd.DataFrame([account(t, costs, spiking=spiking) for t in tables])
    result = {
        "model": models.card(model_name).name,
        "kwargs": arguments,
        "size": [size, size],
        "images": len(tables),
        "costs": {"name": COSTS, **vars(costs)},
        "structure": structure(model_name, arguments),
        "mean": {k: None if pd.isna(v) else v for k, v in per_image.mean().items()},
    }
    with staged_folder(out) as stage:
        write_text(stage / "layers.csv", layers_csv(layers))
        write_json(stage / "energy.json", result)
        provenance.write_record(
            stage / "energy.json",
            settings={"model": model_name, "size": size, "images": images, "costs": COSTS},
            inputs=inputs | {"weights": sha256(Path(weights))},
            device=str(chosen),
        )
    return result


def layers_csv(layers: pd.DataFrame) -> str:
    """The per-layer table as CSV, image first, shapes as ``1x3x8x8``."""
    table = layers.copy()
    for column in ("input_shape", "output_shape"):
        table[column] = ["x".join(map(str, shape)) for shape in table[column]]
    table.insert(0, "image", table.pop("image"))
    return table.to_csv(index=False, float_format="%.9g")


def structure(model_name: str, kwargs: dict[str, Any], size: int = TABLE_SIZE) -> dict[str, Any]:
    """What the network is, data apart: parameters and dense MACs for one image of a size.

    A network that is stepped T times counts T times; one that takes squares of a single size only
    counts as often as these fill the image, overlaps apart.
    """
    with torch.device("meta"):  # no weights are drawn: only shapes count
        model = models.build(model_name, **kwargs)
    side = models.card(model_name).fixed_size or size
    counts: list[LayerCount] = count_structure(model, side, side)
    return {
        "parameters": parameters(model),
        "size": [size, size],
        "macs_dense": sum(c.macs for c in counts) * (size / side) ** 2,
    }
