"""What can be said of a network without running it."""

from __future__ import annotations

from spikingjelly.activation_based.neuron import BaseNode
from torch import nn


def is_spiking(model: nn.Module) -> bool:
    """Whether a model has spiking neurons."""
    return any(isinstance(module, BaseNode) for module in model.modules())


def parameter_count(model: nn.Module) -> int:
    """Number of parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())
