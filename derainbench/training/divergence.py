"""Where a training stopped being finite: found by going through its last epoch once more.

A training that goes well pays nothing for it but a look at its weights after every epoch. One that
does not is repeated from the epoch's beginning, which gives the same numbers, with an eye on every
layer: the first value that is not finite names step and layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class _NotFinite(Exception):
    """The first value that is not finite; the message says where."""


def is_finite(model: nn.Module) -> bool:
    """Whether all parameters and buffers of a network are finite."""
    return all(bool(t.isfinite().all()) for t in model.state_dict().values())


def first_not_finite(
    model: nn.Module, optimiser: torch.optim.Optimizer, repeat: Callable[[], object]
) -> str:
    """Says where an epoch goes wrong, in a few words.

    Args:
        model: in the state before the epoch.
        optimiser: of the model, in that state too.
        repeat: runs the epoch, and validates.

    Returns:
        Such as "in step 3 the gradient of layer 'down.0' is not finite"; steps from 0.
    """
    try:
        with _watched(model, optimiser):
            repeat()
    except _NotFinite as found:
        return str(found)
    return "in a repetition of the epoch everything was finite"


@contextmanager
def _watched(model: nn.Module, optimiser: torch.optim.Optimizer) -> Iterator[None]:
    steps = 0

    def refuse(values: Any, what: str, layer: str) -> None:
        several = values if isinstance(values, list | tuple) else [values]
        for tensor in several:
            if isinstance(tensor, torch.Tensor) and not tensor.isfinite().all():
                place = f"layer '{layer}'" if layer else "the network"
                where = f"in step {steps}" if model.training else "in the validation"
                raise _NotFinite(f"{where} the {what} of {place} is not finite")

    def count(*_: object) -> None:
        nonlocal steps
        for name, parameter in model.named_parameters():
            refuse(parameter, "weight", name)
        steps += 1

    hooks: list[Any] = [optimiser.register_step_post_hook(count)]
    for name, module in model.named_modules():
        hooks.append(
            module.register_forward_hook(lambda _, __, out, name=name: refuse(out, "output", name))
        )
    for name, parameter in model.named_parameters():
        hooks.append(
            parameter.register_post_accumulate_grad_hook(
                lambda p, name=name: refuse(p.grad, "gradient", name)
            )
        )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
