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

from derainbench.training.parallel.group import Group


class _NotFinite(Exception):
    """The first value that is not finite; the message says where."""


def is_finite(model: nn.Module) -> bool:
    """Whether all parameters and buffers of a network are finite."""
    return all(bool(t.isfinite().all()) for t in model.state_dict().values())


def first_not_finite(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    repeat: Callable[[], object],
    group: Group | None = None,
) -> str:
    """Says where an epoch goes wrong, in a few words.

    Args:
        model: in the state before the epoch.
        optimiser: of the model, in that state too.
        repeat: runs the epoch, and validates.
        group: processes that do so together; what one of them finds, all say.

    Returns:
        Such as "in step 3 the gradient of layer 'down.0' is not finite"; steps from 0.
    """
    try:
        with _watched(model, optimiser, group or Group()) as agree:
            repeat()
            agree()
    except _NotFinite as found:
        return str(found)
    return "in a repetition of the epoch everything was finite"


@contextmanager
def _watched(
    model: nn.Module, optimiser: torch.optim.Optimizer, group: Group
) -> Iterator[Callable[[], None]]:
    """Notes the first value that is not finite, and raises it at the end of its step."""
    steps = 0
    found: list[str] = []

    def note(values: Any, what: str, layer: str) -> None:
        if found:
            return
        several = values if isinstance(values, list | tuple) else [values]
        for tensor in several:
            if isinstance(tensor, torch.Tensor) and not tensor.isfinite().all():
                place = f"layer '{layer}'" if layer else "the network"
                where = f"in step {steps}" if model.training else "in the validation"
                found.append(f"{where} the {what} of {place} is not finite")
                return

    def agree() -> None:
        for first in (line for lines in group.gathered(found) for line in lines):
            raise _NotFinite(first)

    def count(*_: object) -> None:
        nonlocal steps
        for name, parameter in model.named_parameters():
            note(parameter, "weight", name)
        agree()
        steps += 1

    hooks: list[Any] = [optimiser.register_step_post_hook(count)]
    for name, module in model.named_modules():
        hooks.append(
            module.register_forward_hook(lambda _, __, out, name=name: note(out, "output", name))
        )
    for name, parameter in model.named_parameters():
        hooks.append(
            parameter.register_post_accumulate_grad_hook(
                lambda p, name=name: note(p.grad, "gradient", name)
            )
        )
    try:
        yield agree
    finally:
        for hook in hooks:
            hook.remove()
