"""Operators whose result's shape can be read off their arguments, so that nothing is computed for it.

For meta tensors torch works such shapes out in Python, which takes most of a network's time on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
NORMS = {aten.native_batch_norm.default, aten.native_layer_norm.default}
_ELEMENTWISE = {
    *(getattr(aten, name).Tensor for name in ("add", "sub", "mul", "div")),
    *(getattr(aten, name).default for name in ("relu", "gelu", "leaky_relu", "sigmoid", "tanh")),
    *(getattr(aten, name).default for name in ("clamp", "clamp_min", "hardtanh", "round")),
}
_INTERPOLATIONS = {aten.upsample_bilinear2d.default}


def has_known_shape(func: Any, args: Sequence[Any]) -> bool:
    """Whether an operator makes a new tensor whose shape :func:`of_known_shape` can tell."""
    if func in NORMS:
        return True
    if func in _INTERPOLATIONS:
        return args[1] is not None and args[0].is_contiguous()
    if func not in _ELEMENTWISE or not args[0].is_floating_point():
        return False
    shape = args[0].shape
    return all(not isinstance(a, torch.Tensor) or a.shape == shape for a in args[1:])


def of_known_shape(func: Any, args: Sequence[Any]) -> Any:
    """What an operator that :func:`has_known_shape` gives, with values that mean nothing."""
    if func in _INTERPOLATIONS:
        images, size = args[:2]
        return images.new_empty(*images.shape[:2], *size)
    result = _empty_like(args[0])
    if func in NORMS:  # with statistics that nobody asks for
        return result, *result.new_empty(2, 0)
    return result


def _empty_like(x: torch.Tensor) -> torch.Tensor:
    if not x.is_contiguous():
        return torch.empty_like(x)
    # The same for less: empty_like of a meta tensor is Python, too.
    return torch.empty_strided(x.shape, x.stride(), dtype=x.dtype, device=x.device)


class KnownShapes(TorchDispatchMode):
    """Context in which torch does not work such shapes out for meta tensors.

    Modes entered inside it, such as other projects' counters, see every operator before it does.
    """

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if (
            args
            and isinstance(args[0], torch.Tensor)
            and args[0].is_meta
            and has_known_shape(func, args)
        ):
            return of_known_shape(func, args)
        return func(*args, **(kwargs or {}))


def known_shapes_for(image: torch.Tensor) -> AbstractContextManager[Any]:
    """:class:`KnownShapes` for an image of the meta device; for one with values, nothing."""
    return KnownShapes() if image.is_meta else nullcontext()
