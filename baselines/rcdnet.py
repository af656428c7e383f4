"""RCDNet and its later, simplified release.

Wang, Xie, Zhao, Meng: "A Model-driven Deep Neural Network for Single Image Rain Removal",
CVPR 2020 (arXiv 2005.01333). Attribute names follow the official weights.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

RANGE = 255.0  # the networks compute in [0,255]
KERNEL = 9  # side of the rain kernels
SCALE = 0.1  # rain kernels and step sizes are stored ten times as large as they are used


def _residual_branch(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
    )


class ProxNet(nn.Module):
    """A learnt proximal operator: residual blocks on [N,C,H,W].

    Args:
        channels: C.
        depth: number of residual blocks.
        prefix: blocks are called ``prefix1``, ``prefix2``, ..; without, ``layer.0``, ``layer.1``, ..
        threshold: subtract a threshold per channel at the end, which keeps rain maps sparse.
    """

    def __init__(self, channels: int, depth: int, prefix: str = "", threshold: bool = False):
        super().__init__()
        self.tau = nn.Parameter(torch.full((1, channels, 1, 1), 0.5)) if threshold else None
        blocks = [_residual_branch(channels) for _ in range(depth)]
        self.names = [f"{prefix}{i}" for i in range(1, depth + 1)] if prefix else []
        if prefix:
            for name, block in zip(self.names, blocks, strict=True):
                setattr(self, name, block)
        else:
            self.layer = nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N,C,H,W] -> [N,C,H,W], not negative."""
        for branch in [getattr(self, name) for name in self.names] or self.layer:
            x = F.relu(x + branch(x))
        return x if self.tau is None else F.relu(x - self.tau)


class Parts(NamedTuple):
    """The parts of a network, wherever its weights keep them.

    Attributes:
        kernel_0, kernel: rain kernels of the first stage's maps and of all else [3,num_M,9,9].
        kernel_z: from the rainy image to the auxiliary channels [num_Z,3,3,3].
        cut: rain below this is ignored in the first stage.
        first, last: proximal networks that give the first background and refine the last one.
        steps: for every stage the step sizes of maps and background, and their proximal networks.
    """

    kernel_0: torch.Tensor
    kernel: torch.Tensor
    kernel_z: torch.Tensor
    cut: torch.Tensor
    first: ProxNet
    last: ProxNet
    steps: Iterable[tuple[torch.Tensor | None, torch.Tensor, ProxNet, ProxNet]]


class RainDictionaryNet(nn.Module, ABC):
    """What both releases compute; they differ in how their weights are laid out.

    The rainy image is background plus rain, the rain a sum of kernels convolved with sparse maps.
    Every stage takes one proximal gradient step on the maps and one on the background, which
    carries ``num_Z`` auxiliary channels along. Input and output: float [N,3,H,W] in [0,1], output
    unclamped. Official training starts from rain kernels learnt beforehand, here they are random.
    """

    def __init__(self, stages: int, least: int, num_M: int, num_Z: int, T: int) -> None:
        super().__init__()
        if stages < least:
            raise ValueError(f"there must be at least {least} stages, got {stages}")
        if min(num_M, num_Z, T) < 1:
            raise ValueError(f"num_M, num_Z and T must be at least 1, got {num_M}, {num_Z}, {T}")

    @abstractmethod
    def _parts(self) -> Parts:
        """The weights by what they are for, however a release lays them out."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        return self.native(image * RANGE) / RANGE

    def native(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] in the network's own range [0,255]."""
        return self.native_layers(image)[0][-1]

    def stages(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The background after every stage and, last, refined; each [N,3,H,W] in [0,1]."""
        return [b / RANGE for b in self.native_layers(image * RANGE)[0]]

    def native_layers(self, image: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Backgrounds as in :meth:`stages` and the rain layer of every stage, in [0,255]."""
        parts = self._parts()
        padding = KERNEL // 2
        z = F.conv2d(image, parts.kernel_z, padding=1)
        b, z = _split(parts.first(torch.cat((image, z), dim=1)))
        backgrounds, rains = [], []
        for eta_m, eta_b, prox_m, prox_b in parts.steps:
            observed = image - b
            if not rains:
                cut = F.relu(observed - parts.cut)
                maps = F.conv_transpose2d(cut, parts.kernel_0, padding=padding)
            else:
                gradient = F.conv_transpose2d(rains[-1] - observed, parts.kernel, padding=padding)
                maps = maps - SCALE * eta_m * gradient
            maps = prox_m(maps)
            rain = F.conv2d(maps, parts.kernel, padding=padding)
            b = (1 - SCALE * eta_b) * b + SCALE * eta_b * (image - rain)
            b, z = _split(prox_b(torch.cat((b, z), dim=1)))
            backgrounds.append(b)
            rains.append(rain)
        b, _ = _split(parts.last(torch.cat((b, z), dim=1)))
        return [*backgrounds, b], rains


def _split(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Background and auxiliary channels."""
    return x[:, :3], x[:, 3:]


def _rain_kernels(*shape: int) -> nn.Parameter:
    """Random kernels that keep the scale of what they are convolved with."""
    fan_in = shape[-1] * KERNEL**2
    return nn.Parameter(torch.randn(*shape, KERNEL, KERNEL) / (SCALE * fan_in**0.5))


def _auxiliary_kernels(num_Z: int) -> nn.Parameter:
    return nn.Parameter(torch.full((num_Z, 3, 3, 3), 1 / 9))  # a mean filter


class RCDNet(RainDictionaryNet):
    """RCDNet as released with the paper.

    Its weights hold layers that are never used: ``mnet``, ``eta1`` and all but one of the copies
    of the rain kernels in ``conv``.

    Args:
        stage: number of stages, at least 3.
        num_M: number of rain kernels.
        num_Z: auxiliary channels of the background.
        T: residual blocks in every proximal network.
    """

    def __init__(self, stage: int = 17, num_M: int = 32, num_Z: int = 32, T: int = 4) -> None:
        super().__init__(stage, 3, num_M, num_Z, T)
        self.eta1 = nn.Parameter(torch.full((1,), 1.0))
        self.eta2 = nn.Parameter(torch.full((1,), 5.0))
        self.eta11 = nn.Parameter(torch.full((stage - 1, 1), 1.0))
        self.eta12 = nn.Parameter(torch.full((stage - 1, 1), 5.0))
        self.weight0 = _rain_kernels(3, num_M)
        self.conv = _rain_kernels(stage - 1, 3, num_M)
        self.w_z_f = _auxiliary_kernels(num_Z)
        self.tau = nn.Parameter(torch.ones(1))

        def b_net() -> ProxNet:
            return ProxNet(3 + num_Z, T, "resx")

        def m_net() -> ProxNet:
            return ProxNet(num_M, T, "resm", threshold=True)

        self.xnet = b_net()
        self.mnet = m_net()
        self.x_stage = nn.ModuleList(b_net() for _ in range(stage))
        self.m_stage = nn.ModuleList(m_net() for _ in range(stage))
        self.fxnet = b_net()

    def _parts(self) -> Parts:
        return Parts(
            kernel_0=SCALE * self.weight0,
            kernel=SCALE * self.conv[1],
            kernel_z=self.w_z_f,
            cut=self.tau,
            first=self.xnet,
            last=self.fxnet,
            steps=zip(
                (None, *self.eta11),
                (self.eta2, *self.eta12),
                self.m_stage,
                self.x_stage,
                strict=True,
            ),
        )


class RCDNetSimple(RainDictionaryNet):
    """The simplified release of RCDNet: the same network without unused weights.

    Args:
        S: number of stages, at least 2.
        num_M: number of rain kernels.
        num_Z: auxiliary channels of the background.
        T: residual blocks in every proximal network.
    """

    def __init__(self, S: int = 17, num_M: int = 32, num_Z: int = 32, T: int = 4) -> None:
        super().__init__(S, 2, num_M, num_Z, T)
        self.etaM_S = nn.Parameter(torch.full((S - 1, 1), 1.0))
        self.etaB_S = nn.Parameter(torch.full((S, 1), 5.0))
        self.C0 = _rain_kernels(3, num_M)
        self.C = _rain_kernels(3, num_M)
        self.C_z = _auxiliary_kernels(num_Z)
        self.tau = nn.Parameter(torch.ones(1))
        self.proxNet_B_0 = ProxNet(3 + num_Z, T)
        self.proxNet_B_S = nn.ModuleList(ProxNet(3 + num_Z, T) for _ in range(S))
        self.proxNet_M_S = nn.ModuleList(ProxNet(num_M, T, threshold=True) for _ in range(S))
        self.proxNet_B_last_layer = ProxNet(3 + num_Z, T)

    def _parts(self) -> Parts:
        return Parts(
            kernel_0=SCALE * self.C0,
            kernel=SCALE * self.C,
            kernel_z=self.C_z,
            cut=self.tau,
            first=self.proxNet_B_0,
            last=self.proxNet_B_last_layer,
            steps=zip(
                (None, *self.etaM_S), self.etaB_S, self.proxNet_M_S, self.proxNet_B_S, strict=True
            ),
        )
