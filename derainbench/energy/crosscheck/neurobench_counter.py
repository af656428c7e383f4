"""NeuroBench's count of synaptic operations, by its own code."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import nn

from derainbench.energy.crosscheck.reading import RULE, Reading


def read_neurobench(model: nn.Module, image: torch.Tensor) -> Reading:
    """ "Dense" of NeuroBench's metric SynapticOperations, layer by layer.

    Its hooks and its counting of a layer are used as they are. Its metric adds up float32 numbers,
    which hold whole ones to 2**24 only: here layers and inputs are doubles.
    """
    from neurobench.metrics.utils.layers import single_layer_MACs
    from neurobench.models import TorchModel

    network = TorchModel(model)
    network.register_hooks()
    hooks = list(network.connection_hooks)
    try:
        network(image)
    finally:
        network.close_hooks()
    first = {module: path for path, module in model.named_modules()}
    parts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for hook in hooks:
        layer = copy.deepcopy(hook.layer).double()
        for (x,) in hook.inputs:
            macs, _ = single_layer_MACs(x.double(), layer, total=True)
            parts[first[hook.layer]][RULE] += macs
    return Reading(sum(counted[RULE] for counted in parts.values()), parts)


def neurobench_types() -> Iterable[type]:
    """The module types that it knows; their subclasses, too."""
    from neurobench.blocks.layer import SUPPORTED_LAYERS

    return SUPPORTED_LAYERS
