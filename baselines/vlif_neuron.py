"""The neurons of VLIF (Chen et al., AAAI 2026), and what stands for them in its ANN counterpart.

Tensors are [T,N,C,H,W].
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import neuron, surrogate
from torch import nn

from esdnet.operators import AnalogOperators, FullPotential, Operators, SpikingOperators

LEVELS = 4  # above silence: a VLIF neuron gives 0, 1/4, 2/4, 3/4 or 1


class VLIFNode(FullPotential, neuron.BaseNode):
    """The paper's neuron: five levels in place of a spike or none.

    m_t = 0.25 (m_{t-1} - s_{t-1}) + x_t, with s detached in that recursion, and
    s_t = round(clamp(m_t, 0, 4)) / 4. Where 0 <= m_t <= 4 the gradient passes, divided by 4.

    Attributes:
        levels: how many values it gives, silence among them.
    """

    levels = LEVELS + 1

    def __init__(self) -> None:
        super().__init__(
            v_threshold=1.0,
            v_reset=None,
            surrogate_function=surrogate.MultiLevelSpikeCount(LEVELS),
            detach_reset=True,
            step_mode="m",
        )

    def single_step_functional_forward(
        self,
        inputs: tuple[torch.Tensor, ...],
        states: tuple[Any, ...],
        **_: object,
    ) -> tuple[tuple[torch.Tensor, ...], tuple[Any, ...]]:
        """One step of (x,) from the state (m - s, ...), in spikingjelly's form."""
        potential = 0.25 * states[0] + inputs[0]
        fired = self.surrogate_function(potential) / LEVELS
        return (fired,), (potential - fired.detach(), *states[1:])


class GradedOperators(Operators, Protocol):
    """The operators of a block of VLIF: those of ESDNet's blocks, and two more."""

    def gate(self) -> nn.Module:
        """A module [T,N,C,H,W] -> the same with values in [0,1], which its input is multiplied by."""
        ...

    def graded(self) -> nn.Module:
        """A module [T,N,C,H,W] -> the same with values in [0,1], in place of spikes."""
        ...


class VLIFOperators(SpikingOperators):
    """ESDNet's LIF neurons and threshold-dependent batch norm, and VLIF neurons."""

    def gate(self) -> nn.Module:
        return self.activation()

    def graded(self) -> nn.Module:
        return VLIFNode()


class ClippedReLU(nn.Module):
    """clamp(x, 0, 4) / 4: what the five levels of a VLIF neuron are rounded from."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.hardtanh(x, 0.0, float(LEVELS)) / LEVELS


class VLIFAnalogOperators(AnalogOperators):
    """ReLU and batch norm for LIF and tdBN; for a VLIF neuron what its levels are rounded from.

    Where spikes multiply what they come from, a ReLU would square it, block after block, until
    nothing finite is left: there it ends at 1, as a spike does.
    """

    def gate(self) -> nn.Module:
        return nn.Hardtanh(0.0, 1.0)

    def graded(self) -> nn.Module:
        return ClippedReLU()
