"""Whether a network can be trained directly: how far the gradient of a loss gets in it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from spikingjelly.activation_based.layer import MultiDimensionalAttention
from spikingjelly.activation_based.neuron import BaseNode, LIFNode

from derainbench.catalog.model_cards import model_card
from derainbench.foundation import provenance
from derainbench.models.construction import build
from derainbench.results.gradients import GradientReach, write_gradients

SIDE = 32  # pixels; what the gradient reaches does not depend on the image's size
SEED = 0


def gradient_reach(model_name: str, kwargs: Mapping[str, Any]) -> GradientReach:
    """Where the gradient of a squared error gets to, from random weights and a random image.

    Attention gates with a dead ReLU have no gradient at first, whatever the neurons do: they are
    left out.

    Args:
        model_name: in the registry.
        kwargs: constructor arguments.

    Raises:
        BenchError: for an unknown model, or arguments that it does not take.
    """
    card = model_card(model_name)
    multiple = card.network.size_multiple
    side = card.network.fixed_size or -(-SIDE // multiple) * multiple
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = build(card.name, **kwargs).train()
        image = torch.rand(1, 3, side, side)
    (model(image) - image).square().mean().backward()
    gates = [n for n, m in model.named_modules() if isinstance(m, MultiDimensionalAttention)]
    layers = [p for n, p in model.named_parameters() if not n.startswith(tuple(gates))]
    return GradientReach(
        model=card.name,
        kwargs=dict(kwargs),
        neurons=sum(isinstance(m, BaseNode) for m in model.modules()),
        tensors=len(layers),
        reached=sum(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in layers),
        spikingjelly=metadata.version("spikingjelly"),
        lif_arguments=list(inspect.signature(LIFNode.__init__).parameters)[1:],
    )


def write_gradient_reach(model_name: str, kwargs: Mapping[str, Any], out: Path) -> GradientReach:
    """Writes what :func:`gradient_reach` finds as JSON, a provenance record beside it."""
    reach = gradient_reach(model_name, kwargs)
    write_gradients(reach, out)
    settings = {"model": reach.model, "kwargs": reach.kwargs}
    provenance.write_record(out, settings=settings, device="cpu", seed=SEED)
    return reach
