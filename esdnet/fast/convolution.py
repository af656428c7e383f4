"""The gradient of convolutions' weights where channels lie beside each other in memory.

torch computes it with oneDNN. Where the processor has AVX-512 that is fast in this order of memory; where it
has not, products of matrices are faster. With AVX-512 they are not: MKL, which computes them, uses AVX2 on AMD's
processors whatever they have.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, layer

from esdnet.fast.memory import suits_loops

PIXELS = 2048  # of a product of matrices: 96 channels of input and gradient are 1.5 MiB


class Convolution3x3(torch.autograd.Function):
    """[N,C,H,W], [O,C,3,3] -> [N,O,H,W], stride 1, with channels last.

    Forward and towards the input as torch does it. Without AVX-512 its gradient of the weights takes up to
    twice as long in this order of memory as in the plain one; here it is a product of matrices for each
    of the nine places of the kernel.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, padding=1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor]:
        x, weight = ctx.saved_tensors
        given = gradients[0].contiguous(memory_format=torch.channels_last)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = torch.ops.aten.convolution_backward(
                given,
                x,
                weight,
                None,
                [1, 1],
                [1, 1],
                [1, 1],
                False,
                [0, 0],
                1,
                [True, False, False],
            )[0]
        return of_x, weight_gradient(x, given)


def weight_gradient(x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """Of a 3x3 convolution of x [N,C,H,W] with the output's gradient [N,O,H,W]: [O,C,3,3].

    With a border of zeros around every image, a place of the kernel is a distance in memory.
    """
    inputs, outputs = (F.pad(t.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)) for t in (x, given))
    width = inputs.shape[2]
    rows, of_rows = inputs.flatten(0, 2), outputs.flatten(0, 2)
    margin = width + 1
    result = x.new_zeros(3, 3, given.shape[1], x.shape[1])
    for first in range(margin, len(rows) - margin, PIXELS):
        last = min(first + PIXELS, len(rows) - margin)
        block = of_rows[first:last].t()
        for i in range(3):
            for j in range(3):
                distance = (i - 1) * width + j - 1
                result[i, j].addmm_(block, rows[first + distance : last + distance])
    return result.permute(2, 3, 0, 1)


class FastConv2d(layer.Conv2d):
    """spikingjelly's convolution, with :class:`Convolution3x3` where that is faster."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not (torch.is_grad_enabled() and self._suits(x)):
            return super().forward(x)
        return functional.seq_to_ann_forward(
            x, lambda images: Convolution3x3.apply(images, self.weight)
        )

    def _suits(self, x: torch.Tensor) -> bool:
        return (
            suits_loops(x)
            and torch.backends.cpu.get_cpu_capability() != "AVX512"
            and self.kernel_size == (3, 3)
            and self.stride == self.padding == self.dilation == (1, 1)
            and self.bias is None
            and self.groups == 1
            and x.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
            and not x[0].is_contiguous()
        )
