"""The mixed attention unit with few passes over memory, for a CPU.

Temporal and channel weights are positive, so that the pooled values of what they weigh follow from
those of the features: one pass gives both. A second pools over channels for the spatial weights, a third
multiplies all three in. spikingjelly's layer makes about fourteen. Sums are taken in another order
than there, and products too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import layer
from torch import nn

from esdnet.fast import pooling
from esdnet.fast.memory import channels_last, in_parts, like, pixels_in_memory, suits_loops


class PoolPixels(torch.autograd.Function):
    """x [T,N,C,H,W] -> x itself, sums and maxima over pixels [T,N,C].

    x is handed through so that its gradient comes back in one tensor, which is added to in place;
    whoever uses it must use no other.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        sums, maxima = x.new_empty(x.shape[:3]), x.new_empty(x.shape[:3])
        ctx.where = np.empty((x.shape[0] * x.shape[1], x.shape[2]), np.int32)
        steps = _merged(pixels_in_memory(x))
        of_sums, of_maxima = (_merged(t.numpy()) for t in (sums, maxima))
        in_parts(
            len(steps),
            lambda _, first, last: pooling.pool_pixels(
                steps, of_sums, of_maxima, ctx.where, first, last
            ),
        )
        return x, sums, maxima

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        of_x, of_sums, of_maxima = gradients
        of_x = channels_last(of_x)
        result = _merged(pixels_in_memory(of_x))
        sums, maxima = (_merged(t.contiguous().numpy()) for t in (of_sums, of_maxima))
        in_parts(
            len(result),
            lambda _, first, last: pooling.pool_pixels_backward(
                result, sums, maxima, ctx.where, first, last
            ),
        )
        return of_x


class PoolChannels(torch.autograd.Function):
    """x [T,N,C,H,W] and weights [T,N,C] -> x itself, means and maxima over T and C [N,H,W]."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, ...]:
        shape = (x.shape[1], *x.shape[3:])
        means, maxima = x.new_empty(shape), x.new_empty(shape)
        pixels, factors = pixels_in_memory(x), weights.detach().numpy()
        outputs = means.flatten(1).numpy(), maxima.flatten(1).numpy()
        in_parts(
            pixels.shape[2],
            lambda _, first, last: pooling.pool_channels(pixels, factors, *outputs, first, last),
        )
        ctx.save_for_backward(x, weights, maxima)
        return x, means, maxima

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x, weights, maxima = ctx.saved_tensors
        of_x = channels_last(gradients[0])
        of_means, of_maxima = (g.contiguous().flatten(1).numpy() for g in gradients[1:])
        pixels, result = pixels_in_memory(x), pixels_in_memory(of_x)
        factors, highest = weights.numpy(), maxima.flatten(1).numpy()
        of_weights = weights.new_zeros(torch.get_num_threads(), *weights.shape)
        in_parts(
            pixels.shape[2],
            lambda part, first, last: pooling.pool_channels_backward(
                pixels,
                factors,
                highest,
                of_means,
                of_maxima,
                result,
                of_weights[part].numpy(),
                first,
                last,
            ),
        )
        return of_x, of_weights.sum(0)


class Gate(torch.autograd.Function):
    """``relu(x weights pixels) + beside``: [T,N,C,H,W], [T,N,C], [N,H,W], and like x or None."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weights: torch.Tensor,
        pixels: torch.Tensor,
        beside: torch.Tensor | None,
    ) -> torch.Tensor:
        y = torch.empty_like(x)
        rows, result = pixels_in_memory(x), pixels_in_memory(y)
        added = rows if beside is None else pixels_in_memory(channels_last(beside))
        of_step, of_pixel = weights.detach().numpy(), pixels.detach().flatten(1).numpy()
        in_parts(
            rows.shape[2],
            lambda _, first, last: pooling.gate(
                rows, of_step, of_pixel, added, beside is not None, result, first, last
            ),
        )
        ctx.save_for_backward(x, weights, pixels)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weights, pixels = ctx.saved_tensors
        of_y = like(x, gradients[0])
        of_x, of_pixels = torch.empty_like(x), torch.empty_like(pixels)
        of_weights = weights.new_zeros(torch.get_num_threads(), *weights.shape)
        rows, given, result = (pixels_in_memory(t) for t in (x, of_y, of_x))
        of_step, of_pixel = weights.numpy(), pixels.flatten(1).numpy()
        sums = of_pixels.flatten(1).numpy()
        in_parts(
            rows.shape[2],
            lambda part, first, last: pooling.gate_backward(
                rows, of_step, of_pixel, given, result, of_weights[part].numpy(), sums, first, last
            ),
        )
        return of_x, of_weights.sum(0), of_pixels, of_y if ctx.needs_input_grad[3] else None


class FastAttention(layer.MultiDimensionalAttention):
    """spikingjelly's attention in three passes over memory; see the module."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.plus(x, None)

    def plus(self, x: torch.Tensor, beside: torch.Tensor | None) -> torch.Tensor:
        """What the layer gives for x [T,N,C,H,W], plus ``beside``, of the same shape, or nothing."""
        if not suits_loops(x):
            y = super().forward(x)
            return y if beside is None else y + beside
        x = channels_last(x)
        height, width = x.shape[3:]
        weights = x.new_ones(x.shape[:3])
        if self.ta is not None or self.ca is not None:
            x, sums, maxima = PoolPixels.apply(x)
            weights = self._weights(sums / (height * width), maxima)
        pixels = x.new_ones(x.shape[1], height, width)
        if self.sa is not None:
            x, *pooled = PoolChannels.apply(x, weights)
            pixels = torch.sigmoid(self.sa.conv(torch.stack(pooled, dim=1))[:, 0]).contiguous()
        return Gate.apply(x, weights, pixels, beside)

    def _weights(self, means: torch.Tensor, maxima: torch.Tensor) -> torch.Tensor:
        """Temporal times channel weights from what was pooled over pixels; all [T,N,C]."""
        weights = torch.ones_like(means)
        if self.ta is not None:
            pooled = means.mean(2).t(), maxima.max(2).values.t()
            weights = weights * _score(self.ta.sharedMLP, *pooled).t()[:, :, None]
        if self.ca is not None:
            pooled = (means * weights).mean(0), (maxima * weights).max(0).values
            weights = weights * _score(self.ca.sharedMLP, *pooled)
        return weights.contiguous()


def _score(layers: nn.Sequential, *pooled: torch.Tensor) -> torch.Tensor:
    """Weights in (0,1) from what was pooled two ways, [N,K] each -> [N,K]."""
    inwards, outwards = layers[0].weight.flatten(1), layers[2].weight.flatten(1)
    first, second = (F.linear(F.relu(F.linear(x, inwards)), outwards) for x in pooled)
    return torch.sigmoid(first + second)


def _merged(x: np.ndarray) -> np.ndarray:
    """[T,N,...] -> [T*N,...], shared."""
    return x.reshape(-1, *x.shape[2:])
