"""NeuroBench's metrics: their names, what they are of, and which modules they know.

Source: https://github.com/NeuroBench/neurobench and the package ``neurobench`` at
:data:`VERSION`; J. Yik et al., "The neurobench framework for benchmarking neuromorphic computing
algorithms and systems", Nature Communications 16, 2025. Where our counts are defined otherwise
(padding, membrane potentials), what is here goes by NeuroBench's definition.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn

VERSION = "2.3.0"  # whose code the definitions were read in, and tests compare with

# neurobench.blocks.layer: what has connections.
STATELESS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
RECURRENT = (nn.RNNBase, nn.RNNCellBase)
# neurobench.blocks.activation, and neurons, which a user adds (``add_activation_module``).
ACTIVATIONS = (nn.ReLU, nn.Sigmoid, BaseNode)

DEFINITIONS = {
    "parameter_count": "parameters, shared ones once",
    "footprint": "bytes of parameters and buffers",
    "connection_sparsity": "zero weights of Linear and Conv1d to Conv3d layers, of all of them; four digits",
    "activation_sparsity": "zero outputs of ReLU and Sigmoid modules and of spiking neurons, of all of them, "
    "over layers, time steps and samples",
    "synaptic_operations": {
        "Effective_MACs": "products of a non-zero input and a non-zero weight in Linear and Conv1d to "
        "Conv3d layers whose input has other values than -1, 0 and 1; per sample",
        "Effective_ACs": "the same of layers whose input has these values only",
        "Dense": "the same if no input and no weight were zero; products with padding are left out",
    },
    "membrane_updates": "elements of membrane potentials that a time step changed, all of them at the first step; "
    "per sample, after the reset that follows a spike",
}


def connections(model: nn.Module) -> dict[str, nn.Module]:
    """The layers, by path, that NeuroBench counts operations of; subclasses are among them."""
    return {name: m for name, m in model.named_modules() if isinstance(m, STATELESS)}


def weight_of(layer: nn.Module) -> torch.Tensor:
    """The weight of one of :func:`connections`, a parameter or made of some."""
    return cast(torch.Tensor, layer.weight)


def has_recurrent_layers(model: nn.Module) -> bool:
    """Whether there are layers whose operations NeuroBench has formulas of its own for."""
    return any(isinstance(module, RECURRENT) for module in model.modules())


def footprint(model: nn.Module) -> int:
    """Bytes of parameters and buffers."""
    tensors = [*model.parameters(), *model.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def connection_sparsity(model: nn.Module) -> float:
    """Share of zero weights; NaN for a model without a layer that has connections."""
    layers = [layer for layer in connections(model).values() if not list(layer.children())]
    weights = list(map(weight_of, layers))
    total = sum(weight.numel() for weight in weights)
    zeros = sum(weight.numel() - int(weight.count_nonzero()) for weight in weights)
    return round(zeros / total, 4) if total else math.nan
