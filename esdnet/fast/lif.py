"""LIF neurons over all time steps in one operation, with its own backward pass."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import torch
from spikingjelly.activation_based import neuron, surrogate

from esdnet.fast import kernels
from esdnet.fast.memory import dense, in_parts, like, steps_in_memory, suits_loops

NEURONS = 16384  # whose potentials are computed again at a time: over 4 steps 256 KiB


class FusedLIF(torch.autograd.Function):
    """Spikes of LIF neurons from rest, [T,...] -> [T,...]; see :func:`kernels.lif_forward`.

    Keeps its input for the backward pass and nothing else: potentials are computed again.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, decay: float, threshold: float, alpha: float
    ) -> torch.Tensor:
        x = dense(x)
        spikes = torch.empty_like(x)
        inputs, fired = steps_in_memory(x), steps_in_memory(spikes)
        in_parts(
            inputs.shape[1],
            lambda _, first, last: kernels.lif_forward(
                inputs, fired, first, last, decay, threshold
            ),
        )
        ctx.save_for_backward(x)
        ctx.constants = decay, threshold, alpha
        return spikes

    @staticmethod
    def backward(ctx: Any, *of_spikes: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (x,) = ctx.saved_tensors
        decay, threshold, alpha = ctx.constants
        gradient = torch.empty_like(x)
        inputs, given = steps_in_memory(x), steps_in_memory(like(x, of_spikes[0]))
        results = steps_in_memory(gradient)

        def part(_: int, first: int, last: int) -> None:
            for start in range(first, last, NEURONS):
                scaled = torch.empty(len(x), min(NEURONS, last - start))
                kernels.lif_potentials(inputs, scaled.numpy(), start, decay, threshold, alpha)
                # torch's own, for its last bit, and step by step as the library calls it: what is
                # left over behind whole vectors is computed otherwise.
                for step in scaled:
                    step.sigmoid_()
                share = scaled.numpy()
                kernels.lif_backward(inputs, share, given, results, start, decay, threshold, alpha)

        in_parts(inputs.shape[1], part)
        return gradient, None, None, None


class Fused:
    """For LIF nodes of spikingjelly: fused where the library itself loops over the time steps."""

    def multi_step_forward(self, x_seq: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Spikes of x [T,...], of the same shape."""
        node = cast(neuron.LIFNode, self)
        if not can_be_fused(node, x_seq):
            return super().multi_step_forward(x_seq, *args, **kwargs)  # type: ignore[misc]
        alpha = float(node.surrogate_function.alpha)
        return FusedLIF.apply(x_seq, 1 / node.tau, node.v_threshold, alpha)


def can_be_fused(node: neuron.LIFNode, x: torch.Tensor) -> bool:
    """Whether :class:`FusedLIF` computes what a node does with an input."""
    return (
        suits_loops(x)
        and isinstance(node.v, float)  # at rest: a tensor where a call went before
        and node.v_reset == 0.0
        and not (node.decay_input or node.detach_reset or node.store_v_seq)
        and type(node.surrogate_function) is surrogate.Sigmoid
    )


@cache
def fused_class(node: type[neuron.LIFNode]) -> type[neuron.LIFNode]:
    """A class of LIF nodes with :class:`Fused` in front."""
    return type(node.__name__, (Fused, node), {})
