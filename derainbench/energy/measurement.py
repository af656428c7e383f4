"""The account of a network's work, measured on images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.readings import DEFAULT_READING
from derainbench.data.crops import to_tensor
from derainbench.data.images import read_rgb
from derainbench.data.pairs import dataset_digests, read_split
from derainbench.energy.count_tables import image_totals, layer_table
from derainbench.energy.forward_pass import count_on_image
from derainbench.energy.input_classes import settled
from derainbench.energy.neurobench.results import neurobench_results
from derainbench.energy.neurobench.watch import NeuroBenchWatch
from derainbench.energy.readings import graded_layers, readings_of, undetermined
from derainbench.energy.records import TABLE_SIZE, UNKNOWN
from derainbench.energy.structure import structure
from derainbench.energy.unseen import not_seen, time_steps
from derainbench.foundation import provenance
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256, write_json, write_text
from derainbench.foundation.outputs import staged_folder
from derainbench.foundation.progress import Reporter
from derainbench.models.construction import build
from derainbench.models.weights import load_model


def central_crop(image: torch.Tensor, size: int, name: str) -> torch.Tensor:
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


def _squares(crop: torch.Tensor, side: int | None) -> list[torch.Tensor]:
    """What a model is given of [3,S,S]: all of it, or squares of the only side it takes."""
    if side is None or side == crop.shape[1]:
        return [crop[None]]
    if crop.shape[1] % side:
        raise BenchError(f"--size must be a multiple of {side}, all that this model takes")
    return [
        crop[None, :, i : i + side, j : j + side]
        for i in range(0, crop.shape[1], side)
        for j in range(0, crop.shape[2], side)
    ]


def _means(
    layers: pd.DataFrame, others: pd.DataFrame, *, spiking: bool, reading: str
) -> dict[str, float | None]:
    """Means over images of their totals; None where that is not known."""
    totals = [
        image_totals(rows, others, spiking=spiking, reading=reading)
        for _, rows in layers.groupby("image", sort=False)
    ]
    means = pd.DataFrame(totals).mean().items()
    return {str(name): None if pd.isna(value) else value for name, value in means}


def measure(
    *,
    model_name: str,
    out: Path,
    weights: Path | None = None,
    split_folder: Path | None = None,
    kwargs: dict[str, Any] | None = None,
    size: int = TABLE_SIZE,
    images: int = 8,
    device: str = "auto",
    dataset: Path | None = None,
) -> dict[str, Any]:
    """Counts operations on the central crops of a split's first images, or without weights.

    Writes, all or nothing:

    - ``layers.csv``: a row per image and convolution or matrix product;
    - ``others.csv``: a row per module and other operator;
    - ``energy.json``: means over images, the structure at 256x256, and, if there are any: what could
      not be told (``not_seen``), layers whose input leaves a choice (``undetermined``, ``graded``)
      and the means under each reading of it (``readings``);
    - ``neurobench.json``: the same in NeuroBench's metrics.

    Without weights the structure is counted, and rates stay empty.

    Raises:
        BenchError: for unusable weights or images, or one without the other.
    """
    card = model_card(model_name)
    inputs: dict[str, Any] = {}
    tables = []
    if (weights is None) != (split_folder is None):
        raise BenchError("weights and a split go together; without both, the structure is counted")
    if weights is None or split_folder is None:
        chosen, arguments = torch.device("cpu"), dict(kwargs or {})
    else:
        chosen = prepare(device)
        model, arguments = load_model(model_name, weights, kwargs)
        inputs["weights"] = sha256(Path(weights))
        model = model.to(chosen)
        split = read_split(split_folder, need_target=False)
        inputs |= dataset_digests(split, dataset)
        with (
            Reporter(f"count {model_name}", min(images, len(split.pairs))) as reporter,
            NeuroBenchWatch(model) as watch,
        ):
            for pair in split.pairs[:images]:
                crop = central_crop(to_tensor(read_rgb(pair.input)), size, str(pair.input))
                squares = _squares(crop, card.network.fixed_size)
                counts = [c for part in squares for c in count_on_image(model, part.to(chosen))]
                tables.append(layer_table(counts).assign(image=pair.name))
                watch.add(tables[-1])
                reporter.advance(pair.name)
        neurobench = neurobench_results(
            model,
            name=card.name,
            dataset=Path(split_folder).resolve().parent.name,
            size=size,
            images=watch.images,
        )
    counted = structure(model_name, arguments, size)
    if not tables:
        with torch.device("meta"):
            model = build(model_name, **arguments)
        neurobench = neurobench_results(
            model, name=card.name, dataset="", size=size, structure=counted.layers
        )
    at_table_size = counted if size == TABLE_SIZE else structure(model_name, arguments)
    layers, others = counted.layers, counted.others
    layers = pd.concat(tables, ignore_index=True) if tables else layers.assign(image="")
    if tables and card.spiking:
        layers = settled(layers, counted.layers)
    names = readings_of(layers, spiking=card.spiking)
    means = {name: _means(layers, others, spiking=card.spiking, reading=name) for name in names}
    result: dict[str, Any] = {
        "model": card.name,
        "kwargs": arguments,
        "spiking": card.spiking,
        "time_steps": time_steps(layers, others, spiking=card.spiking),
        "size": [size, size],
        "images": len(tables),
        "structure": at_table_size.totals(TABLE_SIZE),
        "mean": means[DEFAULT_READING],
        "operators_without_a_rule": sorted(
            set(others.loc[others["category"] == UNKNOWN, "operator"])
        ),
    }
    if unseen := not_seen(layers, others, spiking=card.spiking):
        result["not_seen"] = unseen
    if silent := undetermined(layers, spiking=card.spiking):
        result["undetermined"] = silent
    if graded := graded_layers(layers, spiking=card.spiking):
        result["graded"] = graded
    if len(means) > 1:
        result["readings"] = means
    with staged_folder(out) as stage:
        layers.insert(0, "image", layers.pop("image"))
        write_text(stage / "layers.csv", layers.to_csv(index=False, float_format="%.9g"))
        write_text(stage / "others.csv", others.to_csv(index=False, float_format="%.9g"))
        write_json(stage / "energy.json", result)
        write_json(stage / "neurobench.json", neurobench)
        provenance.write_record(
            stage / "energy.json",
            settings={"model": model_name, "size": size, "images": images},
            inputs=inputs,
            device=str(chosen),
        )
    return result
