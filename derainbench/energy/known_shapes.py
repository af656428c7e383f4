"""Operators whose result has the shape of an input, so that nothing needs to be computed for it."""

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
    aten.clamp_min.default,
}


def keeps_shape(func: Any, args: Sequence[Any]) -> bool:
    """Whether an operator makes a new tensor like its first argument, whatever its values."""
    if func in NORMS:
        return True
    if func not in _ELEMENTWISE or not args[0].is_floating_point():
        return False
    shape = args[0].shape
    return all(not isinstance(a, torch.Tensor) or a.shape == shape for a in args[1:])


def like_first_argument(func: Any, args: Sequence[Any]) -> Any:
    """What an operator that :func:`keeps_shape` gives, with values that mean nothing."""
    result = torch.empty_like(args[0])
    if func in NORMS:  # with statistics that nobody asks for
        return result, *result.new_empty(2, 0)
    return result


class KnownShapes(TorchDispatchMode):
    """Context in which torch does not work such shapes out for meta tensors, which it does in Python.

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
            and keeps_shape(func, args)
        ):
            return like_first_argument(func, args)
        return func(*args, **(kwargs or {}))


def known_shapes_for(image: torch.Tensor) -> AbstractContextManager[Any]:
    """:class:`KnownShapes` for an image of the meta device; for one with values, nothing."""
    return KnownShapes() if image.is_meta else nullcontext()
