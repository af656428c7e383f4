"""Neurons that a counter need not look into: most of a spiking network's operators, none counted singly.

A neuron's membrane update is counted by definition, so of what a neuron computes only products would
count. The first neuron of a kind shows whether there are any; if not, the counter is switched off in
those that follow, and for structural counts they are not computed at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode


class UnwatchedNeurons:
    """A model's neurons, of whose kinds only the first is computed under a counter.

    Args:
        model: whose neurons these are.
        mode: the counter.
        counts: what the counter has found so far.
        compute: whether outputs matter; else those of the shape of their inputs are made up.
    """

    def __init__(
        self, model: nn.Module, mode: TorchDispatchMode, counts: Sized, *, compute: bool
    ) -> None:
        self._model, self._mode, self._counts, self._compute = model, mode, counts, compute
        self._known: set[tuple[object, ...]] = set()
        self._own: list[tuple[BaseNode, Callable[..., Any] | None]] = []

    def install(self) -> None:
        """Has every neuron of the model pass by the counter where it can."""
        for neuron in self._model.modules():
            if isinstance(neuron, BaseNode):
                self._own.append((neuron, vars(neuron).get("forward")))
                neuron.forward = self._forward_of(neuron)

    def restore(self) -> None:
        """Gives the neurons their forward passes again: those of their classes, or their own."""
        for neuron, own in self._own:
            del neuron.forward
            if own is not None:
                neuron.forward = own
        self._own.clear()

    def _forward_of(self, neuron: BaseNode) -> Callable[..., Any]:
        forward = neuron.forward
        kind = (*(type(module) for module in neuron.modules()), neuron.step_mode)

        def passing(x: torch.Tensor, *others: Any, **named: Any) -> Any:
            # Other counters inside this one look at every operator.
            if kind in self._known and _get_current_dispatch_mode() is self._mode:
                if not self._compute:
                    return torch.empty_like(x)
                with _not_watching(self._mode):
                    return forward(x, *others, **named)
            before = len(self._counts)
            out = forward(x, *others, **named)
            like = isinstance(out, torch.Tensor) and (out.shape, out.dtype) == (x.shape, x.dtype)
            if len(self._counts) == before and (like or self._compute):
                self._known.add(kind)
            return out

        return passing


@contextmanager
def watching(mode: TorchDispatchMode) -> Iterator[None]:
    """Within it a mode that handles an operator sees those that it is made of.

    To enter the mode itself once more would begin what it does anew.
    """
    TorchDispatchMode.__enter__(mode)
    try:
        yield
    finally:
        TorchDispatchMode.__exit__(mode, None, None, None)


@contextmanager
def _not_watching(mode: TorchDispatchMode) -> Iterator[None]:
    """Within it the innermost mode sees no operators."""
    TorchDispatchMode.__exit__(mode, None, None, None)
    try:
        yield
    finally:
        TorchDispatchMode.__enter__(mode)
