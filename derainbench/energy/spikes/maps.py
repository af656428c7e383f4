"""Spikes and membrane potentials of every spiking layer, by place and time step."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn

from derainbench.foundation.errors import BenchError

NEVER = 1e30  # a firing threshold out of reach; infinity times no spike would be NaN


class SpikeMap(NamedTuple):
    """A layer's spikes by place: ``firing_rate`` [T,h,w], the mean over its ``channels``."""

    firing_rate: torch.Tensor
    channels: int


@contextmanager
def _watching(model: nn.Module, see: Callable[[str, BaseNode, Any, Any], None]) -> Iterator[None]:
    """Calls ``see(path, layer, input, spikes)`` after every spiking layer, both [T,1,C,H,W]."""

    def hook(name: str, node: BaseNode, inputs: tuple, spikes: torch.Tensor) -> None:
        if node.step_mode != "m" or spikes.dim() != 5:
            raise BenchError(
                f"layer {name}: gives {list(spikes.shape)}; spikes have places and time steps only "
                "in layers of [T,N,C,H,W]"
            )
        see(name, node, inputs[0], spikes)

    hooks = [
        module.register_forward_hook(lambda *seen, name=name: hook(name, *seen))
        for name, module in model.named_modules()
        if isinstance(module, BaseNode)
    ]
    functional.reset_net(model)
    try:
        yield
    finally:
        functional.reset_net(model)
        for handle in hooks:
            handle.remove()


@torch.no_grad()
def spike_maps(model: nn.Module, image: torch.Tensor) -> dict[str, SpikeMap]:
    """Spikes per location of an image [3,H,W], by layer path, in the order of firing."""
    maps: dict[str, SpikeMap] = {}

    def see(name: str, _: BaseNode, __: torch.Tensor, spikes: torch.Tensor) -> None:
        maps[name] = SpikeMap(spikes[:, 0].mean(1).cpu(), spikes.shape[2])

    with _watching(model, see):
        model(image[None])
    return maps


@torch.no_grad()
def potential_maps(
    model: nn.Module, image: torch.Tensor, layers: Collection[str]
) -> dict[str, torch.Tensor]:
    """Membrane potential when neurons decide to fire: layer path -> [T,h,w], mean over channels."""
    maps: dict[str, torch.Tensor] = {}

    def see(name: str, node: BaseNode, x: torch.Tensor, _: torch.Tensor) -> None:
        if name in layers:
            maps[name] = charged(node, x)[:, 0].mean(1).cpu()

    with _watching(model, see):
        model(image[None])
    return maps


def charged(node: BaseNode, x_seq: torch.Tensor) -> torch.Tensor:
    """A neuron's potential after charging and before reset, at every step of its input [T,...].

    spikingjelly keeps potentials after the reset only (``store_v_seq``). A counterpart that never fires
    is therefore taken one step on from every such potential: it never resets.
    """
    silent = copy.copy(node)
    silent.v_threshold = NEVER
    at_rest = 0.0 if node.v_reset is None else node.v_reset
    states = node.materialize_states((x_seq,), (at_rest,), "m")
    potentials = []
    for x in x_seq:
        potentials.append(silent.single_step_functional_forward((x,), states)[1][0])
        _, states = node.single_step_functional_forward((x,), states)
    return torch.stack(potentials)
