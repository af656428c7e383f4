"""The account of a model's work: from its structure alone, or measured on images."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from derainbench import models, provenance
from derainbench.data.crops import to_tensor
from derainbench.data.images import read_rgb
from derainbench.data.pairs import dataset_digests, read_split
from derainbench.device import prepare
from derainbench.energy.counting import (
    MEMBRANE,
    UNKNOWN,
    LayerCount,
    OtherCount,
    count,
    count_structure,
    parameters,
)
from derainbench.energy.scenarios import work
from derainbench.errors import BenchError
from derainbench.files import sha256, staged_folder, write_json, write_text
from derainbench.progress import Reporter

TABLE_SIZE = 256  # complexity is stated for one 256x256 image, as the literature does
PROBE_SIZE = 32  # pixels; what a layer's input is does not depend on the image's size
_OTHERS = ["layer", "type", "operator", "category", "calls", "elements"]
_OTHERS += ["adds", "multiplies", "specials"]


@dataclass(frozen=True)
class Structure:
    """What a network is, weights and images apart.

    Attributes:
        parameters: their number, shared ones once.
        layers: columns of :class:`LayerCount` and ``input_elements``, ``output_elements``.
        others: all other operators, columns of :class:`OtherCount`.
    """

    parameters: int
    layers: pd.DataFrame
    others: pd.DataFrame

    def totals(self, size: int) -> dict[str, Any]:
        """In short, for records; the size is that it was counted at."""
        return {
            "parameters": self.parameters,
            "size": [size, size],
            "macs_dense": float(self.layers["macs"].sum()),
        }


def structure(model_name: str, kwargs: dict[str, Any], size: int = TABLE_SIZE) -> Structure:
    """What a network computes for one image of a size, weights and images apart.

    A network that is stepped T times counts T times; one that takes squares of a single size only
    counts as often as these fill the image, overlaps apart. What the inputs of a spiking
    network's layers are is seen on an untrained one that is given noise.

    Raises:
        BenchError: for a size that the model does not take.
    """
    card = models.card(model_name)
    if size % card.size_multiple:
        raise BenchError(
            f"{model_name} takes multiples of {card.size_multiple} pixels only, not {size}"
        )
    side = card.fixed_size or size
    with torch.device("meta"):  # no weights are drawn: only shapes count
        model = models.build(model_name, **kwargs)
    counts, others = count_structure(model, side, side)
    layers, rest = layer_table(counts), other_table(others)
    if card.spiking:
        seen = layer_table(_probe(model_name, kwargs, -(-PROBE_SIZE // card.size_multiple)))
        if not seen["layer"].equals(layers["layer"]):
            raise BenchError(f"{model_name}: its layers differ between two sizes of image")
        layers[["input", "constant"]] = seen[["input", "constant"]]
    if side != size:
        squares = (size / side) ** 2
        amounts = ["macs", "reach", "weights", "input_elements", "output_elements"]
        layers[amounts] *= squares
        rest[["elements", "adds", "multiplies", "specials"]] *= squares
    return Structure(parameters(model), layers, rest)


def _probe(model_name: str, kwargs: dict[str, Any], multiples: int) -> list[LayerCount]:
    """Counts of an untrained model on noise; batch statistics keep its neurons firing."""
    side = multiples * models.card(model_name).size_multiple
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = models.build(model_name, **kwargs).train()
    return count(model, torch.rand(1, 3, side, side, generator=generator))


def layer_table(counts: list[LayerCount]) -> pd.DataFrame:
    """One row per convolution or matrix product."""
    table = pd.DataFrame([vars(c) for c in counts])
    for side in ("input", "output"):
        shapes = table[f"{side}_shape"]
        table[f"{side}_elements"] = [int(torch.Size(shape).numel()) for shape in shapes]
        table[f"{side}_shape"] = ["x".join(map(str, shape)) for shape in shapes]
    table["step_rates"] = [" ".join(f"{r:.9g}" for r in rates) for rates in table["step_rates"]]
    return table


def other_table(counts: list[OtherCount]) -> pd.DataFrame:
    """One row per module and other operator."""
    return pd.DataFrame([vars(c) for c in counts], columns=_OTHERS)


def summary(layers: pd.DataFrame, others: pd.DataFrame, *, spiking: bool) -> dict[str, float]:
    """Totals of one image.

    Returns:
        ``macs_dense``; ``macs_analog`` (of layers on analog input); ``macs_analog_nonzero`` (those
        with a non-zero input); ``macs_attention``; ``sops`` (accumulates caused by spikes);
        ``firing_rate`` (SOPs per possible one; NaN without spikes); ``membrane_updates``;
        ``membrane_state_values`` (elements held in memory);
        ``unknown_share`` (elements put out by operators without a rule, of all).
    """
    total = work(layers, others, spiking=spiking, reuse=False)
    known = others["elements"].sum() + layers["output_elements"].sum()
    unknown = others.loc[others["category"] == UNKNOWN, "elements"].sum()
    updates = others.loc[others["category"] == MEMBRANE, "elements"].sum()
    steps = layers["steps"].max() if spiking else 1
    return {
        "macs_dense": float(layers["macs"].sum()),
        "macs_analog": total.analog_macs,
        "macs_analog_nonzero": total.analog_nonzero,
        "macs_attention": total.attention_macs,
        "sops": total.sops,
        "firing_rate": total.rate,
        "membrane_updates": float(updates),
        "membrane_state_values": float(updates / steps),
        "unknown_share": float(unknown / known),
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

    Writes ``layers.csv`` (a row per image and convolution or matrix product), ``others.csv`` (a
    row per module and other operator) and ``energy.json`` (means over images, the structure at
    256x256), all or nothing. Without weights the structure is counted, and rates stay empty.

    Raises:
        BenchError: for unusable weights or images.
    """
    card = models.card(model_name)
    inputs: dict[str, Any] = {}
    tables = []
    if weights is None:
        chosen, arguments = torch.device("cpu"), dict(kwargs or {})
    else:
        chosen = prepare(device)
        model, arguments = models.load(model_name, weights, kwargs)
        inputs["weights"] = sha256(Path(weights))
        model = model.to(chosen)
        split = read_split(split_folder, need_target=False)
        inputs |= dataset_digests(split, dataset)
        with Reporter(f"count {model_name}", min(images, len(split.pairs))) as reporter:
            for pair in split.pairs[:images]:
                crop = centre(to_tensor(read_rgb(pair.input)), size, str(pair.input))
                squares = _squares(crop, card.fixed_size)
                counts = [c for part in squares for c in count(model, part.to(chosen))]
                tables.append(layer_table(counts).assign(image=pair.name))
                reporter.advance(pair.name)
    counted = structure(model_name, arguments, size)
    at_table_size = counted if size == TABLE_SIZE else structure(model_name, arguments)
    layers, others = counted.layers, counted.others
    layers = pd.concat(tables) if tables else layers.assign(image="")
    of_images = [table for _, table in layers.groupby("image", sort=False)]
    per_image = pd.DataFrame([summary(t, others, spiking=card.spiking) for t in of_images])
    result = {
        "model": card.name,
        "kwargs": arguments,
        "spiking": card.spiking,
        "time_steps": int(layers["steps"].max()) if card.spiking else 1,
        "size": [size, size],
        "images": len(tables),
        "structure": at_table_size.totals(TABLE_SIZE),
        "mean": {k: None if pd.isna(v) else v for k, v in per_image.mean().items()},
        "operators_without_a_rule": sorted(
            set(others.loc[others["category"] == UNKNOWN, "operator"])
        ),
    }
    with staged_folder(out) as stage:
        layers.insert(0, "image", layers.pop("image"))
        write_text(stage / "layers.csv", layers.to_csv(index=False, float_format="%.9g"))
        write_text(stage / "others.csv", others.to_csv(index=False, float_format="%.9g"))
        write_json(stage / "energy.json", result)
        provenance.write_record(
            stage / "energy.json",
            settings={"model": model_name, "size": size, "images": images},
            inputs=inputs,
            device=str(chosen),
        )
    return result


def read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """An account's ``energy.json``, layers and other operators.

    Raises:
        BenchError: if a file is missing.
    """
    for name in ("energy.json", "layers.csv", "others.csv"):
        if not (folder / name).is_file():
            raise BenchError(f"{folder / name}: missing; run `derainbench energy` first")
    facts = json.loads((folder / "energy.json").read_text(encoding="utf-8"))
    return facts, read_layers(folder / "layers.csv"), read_layers(folder / "others.csv")


def read_layers(file: Path) -> pd.DataFrame:
    """A table of layers or other operators, every digit kept."""
    texts = ["model", "image", "layer", "step_rates"]
    table = pd.read_csv(file, dtype=dict.fromkeys(texts, str))
    return table.fillna({column: "" for column in texts if column in table})
