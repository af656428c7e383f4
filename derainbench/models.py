"""Every model of the benchmark by name."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from baselines import registry
from baselines.registry import ESDNET_TILING, ModelCard
from derainbench.errors import BenchError
from derainbench.sources import known_model, model_names
from derainbench.suggest import did_you_mean
from esdnet import ESDNet
from esdnet.weights import CheckpointError, load_checkpoint

ESDNET = ModelCard(
    name="esdnet",
    title="ESDNet",
    build=ESDNet,
    size_multiple=ESDNet.size_multiple,
    inference="tiled",
    tiling=ESDNET_TILING,
    max_pixels=820_000,  # 19400 bytes per pixel
    spiking=True,
)


def cards() -> dict[str, ModelCard]:
    """All model cards by name, ESDNet first; imports every model."""
    return {name: card(name) for name in model_names()}


def card(name: str) -> ModelCard:
    """The card of a model; case and ``-``/``_`` do not matter.

    Raises:
        BenchError: for an unknown name.
    """
    known = known_model(name)
    return ESDNET if known == ESDNET.name else registry.card(known)


def arguments(name: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """All constructor arguments of a model: those given, the defaults of the others; lists."""
    known = inspect.signature(card(name).build).parameters
    defaults = {k: p.default for k, p in known.items() if p.default is not p.empty}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in (defaults | dict(kwargs)).items()}


def build(name: str, **kwargs) -> nn.Module:
    """A freshly initialised model; see :func:`card` for names.

    Takes float [N,3,H,W] in [0,1] and gives the restored image, same shape, unclamped.

    Raises:
        BenchError: for an unknown name, or arguments the model does not take.
    """
    model_card = card(name)
    known = inspect.signature(model_card.build).parameters
    for argument in kwargs:
        if argument not in known:
            raise BenchError(
                f"model '{model_card.name}' takes no argument '{argument}'"
                f"{did_you_mean(argument, known)}"
            )
    try:
        return model_card.build(**kwargs)
    except (TypeError, ValueError, RuntimeError) as error:
        first_line = str(error).splitlines()[0]
        raise BenchError(f"model '{model_card.name}': {first_line}") from error


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Loads a weight file, strictly (see :func:`esdnet.load_checkpoint`).

    Raises:
        BenchError: naming the file and the reason.
    """
    try:
        load_checkpoint(model, path)
    except CheckpointError as error:
        raise BenchError(str(error)) from error


def metadata_of(run_settings: Mapping[str, Any]) -> dict[str, str]:
    """What our own weight files say about themselves: enough to rebuild the model."""
    # One key only: safetensors writes several in a random order, and equal runs give equal bytes.
    own = {"model": run_settings["model"], "kwargs": run_settings["kwargs"]}
    return {"derainbench": json.dumps(own, sort_keys=True)}


def load(
    name: str, weights: str | Path, kwargs: Mapping[str, Any] | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """A model with weights, in eval mode, and the constructor arguments it was built with.

    Weight files that this benchmark wrote carry their constructor arguments; for others pass
    ``kwargs``, or the model's defaults hold.

    Raises:
        BenchError: if the weights are of another model or cannot be read.
    """
    own = _own_metadata(Path(weights))
    if own and own["model"] != card(name).name:
        raise BenchError(f"{weights}: these are weights of '{own['model']}', not of '{name}'")
    stored = own["kwargs"] if own else {}
    if kwargs and own and dict(kwargs) != stored:
        raise BenchError(f"{weights}: was trained with {stored}, not with {dict(kwargs)}")
    arguments = dict(kwargs or stored)
    model = build(name, **arguments)
    load_weights(model, weights)
    return model.eval(), arguments


def _own_metadata(path: Path) -> dict[str, Any] | None:
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError):
        return None  # the loader reports damage
    return json.loads(metadata["derainbench"]) if "derainbench" in metadata else None
