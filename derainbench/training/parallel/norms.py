"""Batch norm over the batch of all processes, for every layer that is a batch norm of torch.

torch's own ``SyncBatchNorm`` takes GPUs only, and its converter replaces the layers of spikingjelly by
layers that know no time steps. Here a layer keeps its class, parameters and buffers, and what it computes
with one batch norm of torch at its heart (:class:`torch.nn.modules.batchnorm._BatchNorm`) it computes with
:class:`_Synchronised`: threshold-dependent batch norm over time and batch included.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def synchronise_norms(model: nn.Module) -> None:
    """Has all batch norms of a network, in training, normalise over the batch of all processes.

    Running statistics become those of one process with the whole batch: their variance is that of all
    values, unbiased by their number in all processes.
    """
    for module in model.modules():
        if isinstance(module, _BatchNorm) and not isinstance(module, nn.SyncBatchNorm):
            kind: Any = type(module)
            module.__class__ = _synchronised(kind)


@cache
def _synchronised(kind: Any) -> Any:
    """A class of norms whose call of torch's batch norm ends at :class:`_Synchronised`.

    Behind the class itself and before torch's, so that what a class does around it stays.
    """
    return type(kind.__name__, (kind, _Synchronised), {})


class _Synchronised(_BatchNorm):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N,C,...] -> [N,C,...]; in eval mode as always."""
        if not self.training:
            return super().forward(x)
        self._check_input_dim(x)
        y, mean, variance, count = _Normalised.apply(x, self.weight, self.bias, self.eps)
        if self.running_mean is not None and self.running_var is not None:
            share = self._share()
            unbiased = variance * (count / (count - 1))
            self.running_mean.mul_(1 - share).add_(mean, alpha=share)
            self.running_var.mul_(1 - share).add_(unbiased, alpha=share)
        return y

    def _share(self) -> float:
        """What a batch counts in the running statistics; it is one more."""
        seen = self.num_batches_tracked
        if seen is not None:
            seen.add_(1)
        return 1 / float(seen or 1) if self.momentum is None else self.momentum


class _Normalised(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) * weight + bias, with mean and variance of all processes' values.

    The gradient towards x is that of the sum of all processes' losses; those towards weight and bias
    are of this process's values alone, as those of all other parameters: whoever averages gradients
    over processes averages these too.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        eps: float,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        full = x if x.dtype in (torch.float32, torch.float64) else x.float()
        # Of the layer's own kernel, biased; sums over processes in double precision, where mean
        # squares less squared means lose nothing that counts.
        mean, variance = (s.double() for s in torch.batch_norm_update_stats(full, None, None, 0.0))
        number = mean.new_tensor([x.numel() // x.shape[1]])
        sums = torch.cat([number, number * mean, number * (variance + mean.square())])
        dist.all_reduce(sums)
        count = sums[:1]
        of_all, squares = (sums[1:] / count).chunk(2)
        mean = of_all.to(full.dtype)
        variance = (squares - of_all.square()).clamp_min(0).to(full.dtype)
        ctx.save_for_backward(x, weight, mean, variance, count)
        ctx.eps = eps
        y = F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)
        ctx.mark_non_differentiable(mean, variance, count)
        return y, mean, variance, count.to(full.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, mean, variance, count = ctx.saved_tensors
        # As if mean and variance were constants; the sums are the gradients of weight and bias.
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradients[0], x, weight, mean, variance, None, None, False, ctx.eps, [True, True, True]
        )
        sums = torch.cat([of_weight, of_bias]).double()
        dist.all_reduce(sums)
        of_spread, of_level = (sums / count).to(mean.dtype).chunk(2)
        scale = (variance + ctx.eps).rsqrt()
        shape = (1, -1, *[1] * (x.dim() - 2))
        slope = (of_spread * scale).view(shape)
        rest = torch.addcmul(of_level.view(shape), x - mean.view(shape), slope)
        gain = scale if weight is None else scale * weight
        of_x = of_x - (rest * gain.view(shape)).to(of_x.dtype)
        return (
            of_x,
            of_weight if weight is not None else None,
            of_bias if weight is not None else None,
            None,
        )
