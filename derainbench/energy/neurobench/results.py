"""``neurobench.json``: an account in NeuroBench's metrics, and what was left out and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import pandas as pd
from torch import nn

from derainbench.energy.networks import is_spiking, parameter_count
from derainbench.energy.neurobench.definitions import (
    DEFINITIONS,
    VERSION,
    connection_sparsity,
    connections,
    footprint,
    has_recurrent_layers,
)

TASK = "single-image deraining"
_NO_WEIGHTS = "takes trained weights"
_NO_IMAGES = "takes images, and the structure alone was counted"
_RECURRENT = "has recurrent layers, which NeuroBench counts by formulas of its own"


def neurobench_results(
    model: nn.Module,
    *,
    name: str,
    dataset: str,
    size: int,
    images: Sequence[dict[str, float | None]] = (),
    structure: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """The content of ``neurobench.json``.

    Args:
        model: with its weights; on the meta device if there are none.
        name: of the model.
        dataset: that the images are of; empty without.
        size: side of the images, pixels.
        images: what each showed, from :class:`~derainbench.energy.neurobench.watch.NeuroBenchWatch`.
        structure: layers of the model, where no image was looked at.

    Returns:
        ``task``, ``dataset``, ``model``, ``samples``, ``sample_size``, ``versions``; ``metrics`` by
        NeuroBench's names; ``left_out``: the reason for each that is missing; ``definitions``.
    """
    metrics: dict[str, Any] = {
        "parameter_count": parameter_count(model),
        "footprint": footprint(model),
    }
    left_out = {
        "correctness": "scores are in the evaluation's files: NeuroBench has no PSNR or SSIM"
    }
    drawn = not next(model.parameters()).is_meta
    recurrent = has_recurrent_layers(model)
    sparsity = connection_sparsity(model) if drawn and not recurrent else math.nan
    if not math.isnan(sparsity):
        metrics["connection_sparsity"] = sparsity
    else:
        left_out["connection_sparsity"] = (
            _RECURRENT if recurrent else "no layer that it knows" if drawn else _NO_WEIGHTS
        )
    for metric, value in (
        ("activation_sparsity", _activation_sparsity(images)),
        ("synaptic_operations", _RECURRENT if recurrent else _operations(model, images, structure)),
        ("membrane_updates", _membrane_updates(model, images)),
    ):
        if isinstance(value, str):
            left_out[metric] = value
        else:
            metrics[metric] = value
    return {
        "task": TASK,
        "benchmark": "none of NeuroBench's own",
        "dataset": dataset,
        "model": name,
        "samples": len(images),
        "sample_size": [size, size],
        "versions": {
            "neurobench definitions": VERSION,
            **{package: metadata.version(package) for package in ("torch", "spikingjelly")},
        },
        "metrics": metrics,
        "left_out": left_out,
        "definitions": DEFINITIONS,
    }


def _activation_sparsity(images: Sequence[dict[str, float | None]]) -> float | str:
    """Mean over images, each weighed alike, as the harness does with batches of one."""
    if not images:
        return _NO_IMAGES
    if not all(image["activations"] for image in images):
        return "no module is an activation that it knows: ReLU, Sigmoid or a spiking neuron"
    shares = [1 - (i["nonzero_activations"] or 0) / (i["activations"] or 1) for i in images]
    return sum(shares) / len(shares)


def _operations(
    model: nn.Module, images: Sequence[dict[str, float | None]], structure: pd.DataFrame | None
) -> dict[str, float] | str:
    if images:
        names = ("Effective_MACs", "Effective_ACs", "Dense")
        return {name: sum(i[name] or 0 for i in images) / len(images) for name in names}
    if structure is None:
        return _NO_IMAGES
    known = structure["layer"].isin(connections(model))
    return {"Dense": float(structure.loc[known, "reach"].sum())}


def _membrane_updates(model: nn.Module, images: Sequence[dict[str, float | None]]) -> float | str:
    if not is_spiking(model):
        return "no spiking neurons of spikingjelly"
    if not images:
        return _NO_IMAGES
    updates = [image["updates"] for image in images]
    known = [number for number in updates if number is not None]
    if len(known) < len(updates):
        return "has neurons whose membrane potentials cannot be seen"
    return sum(known) / len(known)
