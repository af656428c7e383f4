"""Counting the arithmetic of one forward pass, layer by layer, whatever the layers' types.

The counter watches tensor operations, not module classes, so subclassed layers (spikingjelly's)
cannot escape it. Whether a layer's input is spikes is measured on the values, never read off
a name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
SPIKES, ANALOG, SILENT, UNMEASURED = "spikes", "analog", "silent", "unmeasured"


@dataclass(frozen=True)
class LayerCount:
    """The arithmetic of one operation in one forward pass.

    Attributes:
        layer: dotted module path; an operation that runs k times gives k records.
        operation: "convolution" or "matmul".
        input_shape, output_shape: tensors of the operation; time steps are folded into the first
            axis by spikingjelly's multi-step layers.
        macs: multiply-accumulates as if the input were dense (padding counted, the usual way).
        input: "spikes" if every input element is 0 or 1, "silent" if all are 0 (which does not
            tell spikes from values), else "analog"; "unmeasured" for counts from the structure.
        rate: share of input elements that are not 0; for spikes the mean firing rate.
        effective: accumulates caused by non-zero input elements, exact at borders (= conv of the
            non-zero mask with ones); for spikes these are the SOPs.
    """

    layer: str
    operation: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    macs: int
    input: str
    rate: float = math.nan
    effective: float = math.nan


class OperationCounter(TorchDispatchMode):
    """Context in which a model's forward pass is counted; results in :attr:`counts`.

    Counting reads tensors and changes none: outputs are bit-identical with and without.

    Args:
        model: the model whose module paths name the layers.
        measure: look at the values (needs real tensors); without, count the structure only.
    """

    def __init__(self, model: nn.Module, *, measure: bool = True) -> None:
        super().__init__()
        self.model = model
        self.measure = measure
        self.counts: list[LayerCount] = []
        self._path: list[str] = []
        self._hooks: list[Any] = []

    def __enter__(self) -> OperationCounter:
        for name, module in self.model.named_modules():
            self._hooks += [
                module.register_forward_pre_hook(lambda *_, name=name: self._path.append(name)),
                module.register_forward_hook(self._leave),
            ]
        return super().__enter__()

    def _leave(self, *_: object) -> None:
        self._path.pop()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func is aten.convolution.default:
            self._convolution(args, out)
        elif func in (aten.addmm.default, aten.baddbmm.default):
            self._matmul(args[1], out)
        elif func in (aten.mm.default, aten.bmm.default):
            self._matmul(args[0], out)
        return out

    def _convolution(self, args: Sequence[Any], out: torch.Tensor) -> None:
        x, weight, _, stride, padding, dilation, transposed, output_padding, groups = args[:9]
        kernel = math.prod(weight.shape[2:])
        if transposed:
            macs = x.numel() * weight.shape[1] * kernel
            fan_out = weight.shape[1]
        else:
            macs = out.numel() * weight.shape[1] * kernel
            fan_out = weight.shape[0] // groups

        def effective(mask: torch.Tensor) -> float:
            occupied = mask.sum(dim=(0, 1), keepdim=True, dtype=torch.float32)
            ones = torch.ones(1, 1, *weight.shape[2:], device=x.device)
            geometry = {"stride": stride, "padding": padding, "dilation": dilation}
            if transposed:
                spread = _CONV_TRANSPOSE[x.dim()](
                    occupied, ones, output_padding=output_padding, **geometry
                )
            else:
                spread = _CONV[x.dim()](occupied, ones, **geometry)
            return spread.sum(dtype=torch.float64).item() * fan_out

        self._record("convolution", x, out, macs, effective)

    def _matmul(self, x: torch.Tensor, out: torch.Tensor) -> None:
        macs = out.numel() * x.shape[-1]
        self._record(
            "matmul", x, out, macs, lambda mask: mask.sum().item() * (macs / max(mask.numel(), 1))
        )

    def _record(self, operation: str, x: torch.Tensor, out: torch.Tensor, macs, effective) -> None:
        facts = {}
        kind = UNMEASURED
        if self.measure:
            mask = x != 0
            kind = self._kind(x, mask)
            facts = {"rate": mask.float().mean().item(), "effective": effective(mask)}
        self.counts.append(
            LayerCount(
                layer=self._path[-1] if self._path else "",
                operation=operation,
                input_shape=tuple(x.shape),
                output_shape=tuple(out.shape),
                macs=macs,
                input=kind,
                **facts,
            )
        )

    @staticmethod
    def _kind(x: torch.Tensor, nonzero: torch.Tensor) -> str:
        if not nonzero.any():
            return SILENT
        return SPIKES if torch.equal(nonzero.to(x.dtype), x) else ANALOG


_CONV = {3: F.conv1d, 4: F.conv2d, 5: F.conv3d}
_CONV_TRANSPOSE = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}


@torch.no_grad()
def count(model: nn.Module, image: torch.Tensor) -> list[LayerCount]:
    """Counts a forward pass on [N,3,H,W], measuring rates; the model is left in its mode."""
    with OperationCounter(model) as counter:
        model(image)
    return counter.counts


@torch.no_grad()
def count_structure(model: nn.Module, height: int, width: int) -> list[LayerCount]:
    """Dense counts for one image of a size, without computing anything (meta tensors).

    The model is moved to the meta device: build a fresh one for this.
    """
    model = model.to("meta").eval()
    with OperationCounter(model, measure=False) as counter:
        model(torch.empty(1, 3, height, width, device="meta"))
    return counter.counts


@torch.no_grad()
def firing_rates(model: nn.Module, image: torch.Tensor) -> dict[str, float]:
    """Mean spikes per neuron and time step of every spiking layer, by module path."""
    rates: dict[str, float] = {}
    hooks = [
        module.register_forward_hook(
            lambda _, __, spikes, name=name: rates.__setitem__(name, spikes.mean().item())
        )
        for name, module in model.named_modules()
        if isinstance(module, BaseNode)
    ]
    try:
        model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return rates


def parameters(model: nn.Module) -> int:
    """Number of parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())
