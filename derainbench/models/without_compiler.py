"""torch without its compiler, which takes every process three seconds to import.

Nothing here is compiled, but torch imports its compiler all the same: at the first use of an
optimiser or of a dispatch mode, to say that the compiler is to leave that function alone; and when
spikingjelly registers its neurons, to look for kernels in their source. What is computed is the
same without.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import torch

NAME = "torch._dynamo"
Function = TypeVar("Function", bound=Callable[..., Any])


class _Absent(ModuleType):
    """Stands for the compiler until something of it is needed that this has not; then it comes."""

    @staticmethod
    def disable(fn: Function, recursive: bool = True, *, wrapping: bool = True) -> Function:
        """Keeps the compiler away from a function: it is away."""
        return fn

    @staticmethod
    def graph_break(msg: str = "") -> None:
        """Ends what is compiled together: nothing is."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # whoever lists modules asks for these
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(importlib.import_module(NAME), name)


def leave_out_compiler() -> None:
    """Keeps torch's compiler from being imported where it would have nothing to do."""
    if NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = _Absent(NAME)
    operators: Any = importlib.import_module("torch._library.triton")
    if hasattr(operators, "get_inner_triton_kernels"):
        operators.get_inner_triton_kernels = _no_kernels


def _no_kernels(_: Callable[..., Any]) -> list[object]:
    """The kernels that an operator calls: asked for by the compiler alone."""
    return []
