"""The same networks with faster layers: roads that a network can be taken on, each by itself.

A road changes what computes a layer, never its parameters or their names. On a device or a type of
numbers that it is not for, a fast layer is the layer that it stands for.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

import torch
from spikingjelly.activation_based import layer, neuron
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from esdnet.blocks import SRB
from esdnet.fast.attention import FastAttention
from esdnet.fast.blocks import FastPatchEmbed, FastSRB
from esdnet.fast.convolution import FastConv2d
from esdnet.fast.lif import Fused, fused_class
from esdnet.network import PatchEmbed

LIF, CHANNELS_LAST, FOLDING = "lif", "channels-last", "folding"
LAYERS: dict[str, dict[type[nn.Module], type[nn.Module]]] = {
    # Attention hands on tensors with channels last, in which torch's gradient of weights is slow.
    "attention": {
        layer.MultiDimensionalAttention: FastAttention,
        SRB: FastSRB,
        layer.Conv2d: FastConv2d,
    },
    "once": {PatchEmbed: FastPatchEmbed, SRB: FastSRB},
}
EXACT = (LIF,)  # give the same numbers to the last bit, gradients included
TRAINABLE = (LIF, "attention")
INFERENCE = (LIF, "attention", "once", CHANNELS_LAST, FOLDING)
ROADS = tuple(dict.fromkeys((*TRAINABLE, *INFERENCE)))


def take_roads(network: nn.Module, roads: Collection[str]) -> None:
    """Replaces layers of a network in place; what it computes stays, up to rounding.

    Args:
        network: built of the layers that :data:`LAYERS` names, and any others.
        roads: of :data:`ROADS`; for training of :data:`TRAINABLE`, which keep parameters as they are.

    Raises:
        ValueError: for an unknown road, or folding of a network in training mode.
    """
    unknown = set(roads) - set(ROADS)
    if unknown:
        raise ValueError(f"unknown roads {sorted(unknown)}; choose from {list(ROADS)}")
    if FOLDING in roads:
        fold_norms(network)
    if CHANNELS_LAST in roads:
        for module in network.modules():
            if isinstance(module, nn.Conv2d):  # their output lies in memory as their weights do
                module.to(memory_format=torch.channels_last)
    replaced = {slow: fast for road in roads for slow, fast in LAYERS.get(road, {}).items()}
    for module in network.modules():
        if type(module) in replaced:
            module.__class__ = replaced[type(module)]
        elif LIF in roads and isinstance(module, neuron.LIFNode) and not isinstance(module, Fused):
            module.__class__ = fused_class(type(module))


def roads_of(layers: str, training: bool) -> tuple[str, ...]:
    """The roads of a choice of layers, "exact" or "fast".

    Raises:
        ValueError: for another name.
    """
    if layers not in ("exact", "fast"):
        raise ValueError(f"unknown layers '{layers}'")
    if layers == "exact":
        return EXACT
    return TRAINABLE if training else INFERENCE


def fold_norms(network: nn.Module) -> None:
    """Puts every batch norm that directly follows a convolution into that one's weights, in place.

    Raises:
        ValueError: if the network is in training mode, where norms depend on the batch.
    """
    if network.training:
        raise ValueError("norms can be folded in eval mode only")
    for parent in list(network.modules()):
        for (name, convolution), (next_name, follower) in pairwise(parent.named_children()):
            norm = _norm(follower)
            if isinstance(convolution, nn.Conv2d) and norm is not None:
                setattr(parent, name, fuse_conv_bn_eval(convolution, norm))
                setattr(parent, next_name, nn.Identity())


def _norm(module: nn.Module) -> _BatchNorm | None:
    """A batch norm itself, or the only child of one that wraps it."""
    inner = [module, *module.children()]
    found = inner[-1] if len(inner) <= 2 else None
    return found if isinstance(found, _BatchNorm) else None
