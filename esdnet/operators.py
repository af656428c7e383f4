"""What a block needs to know about the kind of network it is part of.

ESDNet and its ANN counterpart share one topology (:mod:`esdnet.blocks`). They differ in two operators
only: the activation in front of a convolution and the normalisation behind it.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from spikingjelly.activation_based import layer, neuron, surrogate
from torch import nn

NORMS = ("tdbn", "bn")


class Operators(Protocol):
    """The activation and the normalisation that blocks are built with."""

    def activation(self) -> nn.Module:
        """A module [T,N,C,H,W] -> [T,N,C,H,W] placed in front of a convolution."""
        ...

    def norm(self, channels: int, *, gain: float = 1.0) -> nn.Module:
        """A module [T,N,C,H,W] -> [T,N,C,H,W] placed behind a convolution."""
        ...


class FullPotential:
    """For neurons of spikingjelly: the membrane potential is float32 where half precision comes in.

    Left to themselves they keep it in the precision of the input, in which small currents are lost,
    and for which there is no fused kernel. Spikes come out as before.
    """

    def materialize_states(
        self, inputs: tuple[Any, ...], states: tuple[Any, ...], step_mode: str
    ) -> tuple[Any, ...]:
        """The states that a forward pass starts from, in spikingjelly's form."""
        potential, *others = super().materialize_states(inputs, states, step_mode)  # type: ignore[misc]
        if potential.dtype in (torch.bfloat16, torch.float16):
            potential = potential.float()
        return (potential, *others)


class LIFNode(FullPotential, neuron.LIFNode):
    """spikingjelly's LIF neuron with a potential in full precision."""


class SpikingOperators:
    """LIF neurons and threshold-dependent batch norm, with the authors' constants.

    LIF: tau 2, input not decayed, hard reset to 0, reset not detached, surrogate gradient
    sigmoid(alpha=4). tdBN: alpha 1/sqrt(2), its v_th equal to the neurons' threshold times
    ``gain`` (the second tdBN of a residual branch has gain 0.2: 0.03 for a threshold of 0.15).

    Args:
        v_threshold: firing threshold of every neuron; the authors use 0.15.
        norm: "tdbn"; or "bn", ordinary batch norm. They differ in the weight that training starts
            from alone: alpha v_th gain, or 1.
    """

    def __init__(self, v_threshold: float = 0.15, norm: str = "tdbn") -> None:
        if v_threshold <= 0:
            raise ValueError(f"v_threshold must be positive, got {v_threshold}")
        if norm not in NORMS:
            raise ValueError(f"unknown norm '{norm}'; choose from {list(NORMS)}")
        self.v_threshold = v_threshold
        self.normalisation = norm

    def activation(self) -> nn.Module:
        return LIFNode(
            tau=2.0,
            decay_input=False,
            v_threshold=self.v_threshold,
            v_reset=0.0,
            surrogate_function=surrogate.Sigmoid(alpha=4.0),
            detach_reset=False,
            step_mode="m",
        )

    def norm(self, channels: int, *, gain: float = 1.0) -> nn.Module:
        if self.normalisation == "bn":
            return layer.BatchNorm2d(channels, step_mode="m")
        return layer.ThresholdDependentBatchNorm2d(
            alpha=1 / math.sqrt(2),
            v_th=self.v_threshold * gain,
            num_features=channels,
        )


class AnalogOperators:
    """ReLU and ordinary batch norm: what the ANN counterpart has where ESDNet has LIF and tdBN."""

    def activation(self) -> nn.Module:
        return nn.ReLU()

    def norm(self, channels: int, *, gain: float = 1.0) -> nn.Module:
        del gain  # tdBN's threshold scaling has no counterpart without a threshold
        return layer.BatchNorm2d(channels, step_mode="m")
