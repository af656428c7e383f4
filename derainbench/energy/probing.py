"""What the inputs of an untrained spiking network's layers are: it is driven until all are active.

On freshly drawn weights neurons can be silent, and a layer behind silent neurons takes zeros, which
are spikes and values alike. So the network is drawn anew: with norms that put their outputs far apart,
and with neurons whose inputs are brought to their thresholds. Neither changes what a layer takes,
only whether there is any of it. What stays silent is said to be undetermined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn

from derainbench.energy.count_tables import layer_table
from derainbench.energy.forward_pass import count_on_image
from derainbench.energy.input_classes import joined_probes, settled, without_empty_levels
from derainbench.energy.records import GRADED, LAYER, SILENT

# Factors on the norms' parameters, one for each further probe. Thresholds differ by two orders of
# magnitude between networks, and norms of spiking ones scale their outputs by them.
GAINS = (1.0, 4.0, 16.0)


def probed_layers(build: Callable[[], nn.Module], side: int) -> pd.DataFrame:
    """The layers of an untrained network, and what their inputs are.

    The first probe takes the network as it is drawn, on noise, with batch statistics. Others follow
    only while a layer's input is silent, or has several levels, of which more may turn up.

    Args:
        build: gives the network; it is drawn anew for every probe.
        side: of the image, pixels: what a layer's input is does not depend on it.
    """
    probes = [_probe(build, side, seed=0)]
    for seed, gain in enumerate(GAINS, start=1):
        found = joined_probes(probes)
        layers = found.loc[found["role"] == LAYER, "input"]
        if not layers.isin([SILENT, GRADED]).any():
            break
        probes.append(_probe(build, side, seed=seed, gain=gain))
    return without_empty_levels(settled(joined_probes(probes)))


def _probe(
    build: Callable[[], nn.Module], side: int, *, seed: int, gain: float | None = None
) -> pd.DataFrame:
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(1, 3, side, side, generator=generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build().train()
        if gain is None:
            return layer_table(count_on_image(model, image))
        draw_norms(model, gain)
        with driven_neurons(model):
            return layer_table(count_on_image(model, image))


@torch.no_grad()
def draw_norms(model: nn.Module, gain: float) -> None:
    """Draws weight and bias of every norm anew; running statistics go unused in training.

    Norms are modules with running statistics, or of one of torch's classes without.

    Args:
        model: changed in place.
        gain: what both are multiplied by.
    """
    for module in model.modules():
        if hasattr(module, "running_mean") or isinstance(module, nn.LayerNorm | nn.GroupNorm):
            for name, centre in (("weight", 1.0), ("bias", 0.25)):
                parameter = getattr(module, name, None)
                if isinstance(parameter, torch.Tensor):
                    parameter.copy_(gain * (centre + 0.25 * torch.randn_like(parameter)))


@contextmanager
def driven_neurons(model: nn.Module) -> Iterator[None]:
    """Within it the input of every neuron of spikingjelly spreads around its threshold."""
    hooks = [
        module.register_forward_pre_hook(_to_threshold)
        for module in model.modules()
        if isinstance(module, BaseNode)
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _to_threshold(neuron: BaseNode, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Standardised, then 1.5 thresholds on average and as far apart: leaky neurons reach it, too.

    An input that is the same everywhere gives way to noise.
    """
    x, *others = inputs
    threshold = float(torch.as_tensor(neuron.v_threshold).mean())
    spread = x.std(correction=0)
    standard = (x - x.mean()) / spread if spread > 0 else torch.randn_like(x)
    return (1.5 * threshold * (1 + standard), *others)
