"""How often the neurons of a network fire, layer by layer."""

from __future__ import annotations

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn


@torch.no_grad()
def firing_rates(model: nn.Module, image: torch.Tensor) -> dict[str, float]:
    """Mean spikes per neuron and time step of every spiking layer, by module path."""
    rates: dict[str, float] = {}
    hooks = [
        module.register_forward_hook(
            lambda _, __, spikes, name=name: rates.__setitem__(name, spikes.mean().item())
        )
        for name, module in model.named_modules()
        if isinstance(module, BaseNode)
    ]
    try:
        model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return rates
