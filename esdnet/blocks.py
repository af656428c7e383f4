"""Building blocks of ESDNet. Tensors are [T,N,C,H,W] unless a docstring says otherwise.

Attribute names are the authors' (repository MingTian99/ESDNet), because state-dict keys are.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, layer
from torch import nn

from esdnet.operators import Operators

ATTENTIONS = ("temporal", "channel", "spatial")


def conv(cin: int, cout: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """A bias-free "same" convolution applied to every time step."""
    return layer.Conv2d(
        cin, cout, kernel, stride=stride, padding=kernel // 2, bias=False, step_mode="m"
    )


class SRB(nn.Module):
    """Spiking residual block: ``MAU(SCU(SCU(x)) + norm(conv(x))) + x``.

    SCU is activation -> convolution -> norm. The shortcut's convolution has no neuron in front:
    its input is analog at every time step, which decides the energy account.

    Args:
        channels: C, unchanged by the block.
        ops: activation and normalisation.
        T: time steps, for the temporal attention.
        attentions: parts of the mixed attention unit (MAU), a subset of ``ATTENTIONS``;
            without any, the MAU's ReLU alone remains.
        shortcut: whether the convolution and norm beside the two SCUs are there.
    """

    def __init__(
        self,
        channels: int,
        ops: Operators,
        T: int,
        attentions: Collection[str] = ATTENTIONS,
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            ops.activation(),
            conv(channels, channels),
            ops.norm(channels),
            ops.activation(),
            conv(channels, channels),
            ops.norm(channels, gain=0.2),
        )
        self.shortcut = (
            nn.Sequential(conv(channels, channels), ops.norm(channels)) if shortcut else None
        )
        self.attn = mixed_attention_unit(channels, T, attentions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.residual(x)
        if self.shortcut is not None:
            features = features + self.shortcut(x)
        return self.attn(features) + x


def mixed_attention_unit(channels: int, T: int, attentions: Collection[str]) -> nn.Module:
    """Temporal, channel and spatial attention, each multiplied in, then ReLU (spikingjelly)."""
    unknown = set(attentions) - set(ATTENTIONS)
    if unknown:
        raise ValueError(f"unknown attention {sorted(unknown)}; choose from {list(ATTENTIONS)}")
    if not attentions:
        return nn.ReLU()
    reduction_c = 16
    if "channel" in attentions and channels < reduction_c:
        raise ValueError(
            f"channel attention reduces channels {reduction_c}-fold: it needs dim >= "
            f"{reduction_c}, got {channels}"
        )
    return layer.MultiDimensionalAttention(
        T=T,
        C=channels,
        reduction_t=T,
        reduction_c=reduction_c,
        kernel_size=3,
        use_temporal="temporal" in attentions,
        use_channel="channel" in attentions,
        use_spatial="spatial" in attentions,
    )


class Down(nn.Module):
    """Halves height and width and doubles the channels: activation -> conv stride 2 -> norm."""

    def __init__(self, channels: int, ops: Operators) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(
            ops.activation(), conv(channels, 2 * channels, stride=2), ops.norm(2 * channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maxpool_conv(x)


class Up(nn.Module):
    """Doubles height and width and halves the channels: bilinear -> activation -> conv -> norm."""

    def __init__(self, channels: int, ops: Operators) -> None:
        super().__init__()
        self.up = nn.Sequential(
            ops.activation(), conv(channels, channels // 2), ops.norm(channels // 2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(functional.seq_to_ann_forward(x, upsample2))


def upsample2(x: torch.Tensor) -> torch.Tensor:
    """[N,C,H,W] -> [N,C,2H,2W], bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def channel_gate(channels: int, inner: int) -> nn.Sequential:
    """One weight in (0,1) per channel from its global average, [N,C,H,W] -> [N,C,1,1].

    Args:
        channels: C.
        inner: channels between the two 1x1 convolutions.
    """
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(channels, inner, 1),
        nn.ReLU(),
        nn.Conv2d(inner, channels, 1),
        nn.Sigmoid(),
    )


class FRB(nn.Module):
    """Feature refinement block, analog, [N,C,H,W] -> [N,C,H,W]: ``(1 - F(x)) * a(x) + F(x) * x``.

    F is a spatial gate from three 3x3 convolutions, a is a channel descriptor from the global
    average; both are reduced 8-fold inside and end in a sigmoid.
    """

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        inner = channels // reduction
        if inner < 1:
            raise ValueError(f"FRB needs at least {reduction} channels, got {channels}")
        self.ca = channel_gate(channels, inner)
        self.sa = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Conv2d(channels, inner, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = self.sa(x)
        return (1 - gate) * self.ca(x) + gate * x
