"""What computes a network's layers: a choice of those networks that offer one."""

from __future__ import annotations

from typing import Literal, get_args

from torch import nn

Layers = Literal["reference", "exact", "fast"]
LAYERS: tuple[Layers, ...] = get_args(Layers)


def use_layers(model: nn.Module, layers: Layers, *, training: bool) -> Layers:
    """Has a network compute its layers in another way, for good.

    A network offers the choice with a method ``use_layers(layers, *, training)``.

    Args:
        model: a network in eval mode, unless it will be trained.
        layers: "reference", as the network was written; "exact", faster with the same numbers to the
            last bit; "fast", faster with the same numbers up to rounding.
        training: whether it will be trained.

    Returns:
        What is in force: "reference" for a network without a choice.
    """
    choose = getattr(model, "use_layers", None)
    if not callable(choose):
        return "reference"
    choose(layers, training=training)
    return layers
