"""Firing rates of a network's spiking layers while it is validated, and layers that are dead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn

from derainbench.training.parallel.group import Group

RATE = "rate:"  # begins the names of columns of the history; a layer's path follows
_WORDS = {0.0: "never fires", 1.0: "always fires"}


@contextmanager
def measured_rates(model: nn.Module, group: Group | None = None) -> Iterator[dict[str, float]]:
    """Gives a dict that holds, after the block, how often each spiking layer fired in it.

    Spikes per neuron and time step, by ``rate:`` and the layer's path; a value of several levels
    counts as one spike. Nothing is changed by looking. Networks without spikes give nothing. In several
    processes that each see a part of the images, all spikes count.
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
    own = {name: (count.item(), neurons[name]) for name, count in fired.items()}
    parts = (group or Group()).gathered(own)
    for name in dict.fromkeys(name for part in parts for name in part):
        spikes, places = map(sum, zip(*(part[name] for part in parts if name in part), strict=True))
        rates[f"{RATE}{name}"] = spikes / places


def news_of_dead_layers(history: Sequence[Mapping[str, object]]) -> list[str]:
    """What the last epoch's validation says of layers that it did not find dead, or alive, before.

    A layer is dead if it never fired, or if all its neurons fired always.

    Args:
        history: rows of all epochs so far.

    Returns:
        A line each for layers that never fire, that always fire, and that fire again.
    """
    validated = [_dead(row) for row in history if any(name.startswith(RATE) for name in row)]
    if not history or not validated or not any(name.startswith(RATE) for name in history[-1]):
        return []
    now, before = validated[-1], validated[-2] if len(validated) > 1 else {}
    lines = {word: [n for n in now if now[n] == word != before.get(n)] for word in _WORDS.values()}
    lines["fires again"] = [name for name in before if name not in now]
    epoch = history[-1]["epoch"]
    return [
        f"epoch {epoch}: {word}: {', '.join(layers)}" for word, layers in lines.items() if layers
    ]


def _dead(row: Mapping[str, object]) -> dict[str, str]:
    return {
        name.removeprefix(RATE): _WORDS[rate]
        for name, rate in row.items()
        if name.startswith(RATE) and isinstance(rate, float) and rate in _WORDS
    }
