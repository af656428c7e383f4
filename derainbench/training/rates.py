"""Firing rates of a network's spiking layers while it is validated, and layers that are dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn

RATE = "rate:"  # begins the names of columns of the history; a layer's path follows


@contextmanager
def measured_rates(model: nn.Module) -> Iterator[dict[str, float]]:
    """Gives a dict that holds, after the block, how often each spiking layer fired in it.

    Spikes per neuron and time step, by ``rate:`` and the layer's path; a value of several levels
    counts as one spike. Nothing is changed by looking. Networks without spikes give nothing.
    """
    rates: dict[str, float] = {}
    fired: dict[str, torch.Tensor] = {}
    neurons: dict[str, int] = {}

    def hook(name: str, spikes: torch.Tensor) -> None:
        count = torch.count_nonzero(spikes.detach())  # stays on its device until the end
        fired[name] = fired[name] + count if name in fired else count
        neurons[name] = neurons.get(name, 0) + spikes.numel()

    hooks = [
        module.register_forward_hook(lambda _, __, spikes, name=name: hook(name, spikes))
        for name, module in model.named_modules()
        if isinstance(module, BaseNode)
    ]
    try:
        yield rates
    finally:
        for handle in hooks:
            handle.remove()
    rates |= {f"{RATE}{name}": count.item() / neurons[name] for name, count in fired.items()}


def dead_layers(row: Mapping[str, object]) -> dict[str, str]:
    """Layers that never fired, or whose neurons all fired always, by a row of the history.

    Returns:
        "never fires" or "always fires" by the layer's path.
    """
    words = {0.0: "never fires", 1.0: "always fires"}
    return {
        name.removeprefix(RATE): words[rate]
        for name, rate in row.items()
        if name.startswith(RATE) and isinstance(rate, float) and rate in words
    }
