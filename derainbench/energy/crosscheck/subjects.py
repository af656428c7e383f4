"""The networks and images that counters are tried on."""

from __future__ import annotations

import copy
from collections.abc import Callable
from importlib import metadata

import torch
from torch import nn

from derainbench.models.construction import build

SEED = 0


def builder(model: str, device: str) -> Callable[[], nn.Module]:
    """Gives a fresh network of random weights in eval mode at every call: counters leave marks."""
    torch.manual_seed(SEED)
    with torch.device(device):
        template = build(model).eval()
    return lambda: copy.deepcopy(template)


def input_image(side: int, device: str) -> torch.Tensor:
    """An image [1,3,side,side] of noise, or of nothing on the meta device."""
    if device == "meta":
        return torch.empty(1, 3, side, side, device=device)
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(SEED))


def version(package: str) -> str:
    """Of an installed distribution; empty where there is none."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
