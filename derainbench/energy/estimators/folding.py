"""Batch norm folded into the convolutions in front of it, as hardware runs a trained network."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import cast

from spikingjelly.activation_based import layer
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_CONVOLUTIONS = (nn.Conv2d, layer.Conv2d)
# Exact types: spikingjelly has subclasses that do more (TEBN scales every time step). tdBN's
# threshold sits in its initial weight; in eval mode it is an ordinary batch norm.
_NORMS = (nn.BatchNorm2d, layer.BatchNorm2d, layer.ThresholdDependentBatchNorm2d)


def folded(model: nn.Module) -> nn.Module:
    """A copy in eval mode, every norm that follows a convolution in a Sequential folded into it.

    Exact but for rounding. The convolution gains a bias, the norm is gone, all other modules keep
    their paths. The given model is left as it is.
    """
    model = copy.deepcopy(model).eval()
    for sequence in [m for m in model.modules() if type(m) is nn.Sequential]:
        for (place, conv), (behind, norm) in pairwise(list(sequence.named_children())):
            if type(conv) in _CONVOLUTIONS and type(norm) in _NORMS and norm.track_running_stats:
                both = cast(nn.Conv2d, conv), cast(nn.BatchNorm2d, norm)
                sequence.add_module(place, fuse_conv_bn_eval(*both))
                delattr(sequence, behind)
    return model
