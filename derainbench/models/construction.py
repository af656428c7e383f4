"""Building models from their cards."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from derainbench.catalog.card_format import ModelCard
from derainbench.catalog.model_cards import model_card
from derainbench.foundation import reads
from derainbench.foundation.errors import BenchError
from derainbench.foundation.packages import own_packages
from derainbench.foundation.suggestions import did_you_mean
from derainbench.models.without_compiler import leave_out_compiler


def constructor(card: ModelCard) -> Callable[..., nn.Module]:
    """The class of a network.

    Raises:
        BenchError: if it is not where the card says.
    """
    module, _, name = card.network.build.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        first_line = str(error).splitlines()[0]
        raise BenchError(f"model '{card.name}': {card.network.build}: {first_line}") from error


def constructor_arguments(name: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """All constructor arguments of a model: those given, the defaults of the others; lists."""
    card = model_card(name)
    known = inspect.signature(constructor(card)).parameters
    defaults = {k: p.default for k, p in known.items() if p.default is not p.empty}
    chosen = defaults | card.network.defaults | dict(kwargs)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in chosen.items()}


def build(name: str, /, **kwargs: Any) -> nn.Module:
    """A freshly initialised model; see ``derainbench models`` for names.

    The source files of its layers count as read: records name them.

    Takes float [N,3,H,W] in [0,1] and gives the restored image, same shape, unclamped.

    Raises:
        BenchError: for an unknown name, or arguments the model does not take.
    """
    leave_out_compiler()
    card = model_card(name)
    create = constructor(card)
    known = inspect.signature(create).parameters
    for argument in kwargs:
        if argument not in known:
            raise BenchError(
                f"model '{card.name}' takes no argument '{argument}'{did_you_mean(argument, known)}"
            )
    try:
        model = create(**(card.network.defaults | kwargs))
    except Exception as error:  # what a network says to an argument of the wrong kind or size
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(f"model '{card.name}': {first_line}") from error
    reads.note(*_source_files(model))
    return model


def _source_files(model: nn.Module) -> list[Path]:
    """Where the classes of a network and its layers are written, libraries apart."""
    packages = {*own_packages(), type(model).__module__.partition(".")[0]}
    modules = dict.fromkeys(type(layer).__module__ for layer in model.modules())
    files = [
        getattr(sys.modules.get(name), "__file__", None)
        for name in modules
        if name.partition(".")[0] in packages
    ]
    return [Path(file) for file in files if file]


def size_multiple_of(model: nn.Module, card: ModelCard) -> int:
    """What the height and width of a model's images must be multiples of, pixels.

    Where it depends on constructor arguments, the network says it in ``size_multiple``.
    """
    return getattr(model, "size_multiple", card.network.size_multiple)
