"""Models with weights from any origin, loaded strictly; and what our own files say of themselves.

How files are read: ``weight_files.py``. How names and numbers are fitted: ``weight_fit.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from derainbench.catalog.model_cards import model_card
from derainbench.foundation.documents import shown
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.models.weight_files import OWN_NOTE, own_note, read_states
from derainbench.models.weight_fit import fitted


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Loads a weight file into ``model``; every key and shape must agree.

    Raises:
        BenchError: naming the file, what differs and the likely reason; the model is left
            as it was.
    """
    model.load_state_dict(fitted(model, read_states(path), Path(path)))


def weight_metadata(run_settings: Mapping[str, Any]) -> dict[str, str]:
    """What our own weight files say about themselves: enough to rebuild the model."""
    # One key only: safetensors writes several in a random order, and equal runs give equal bytes.
    settings = {"model": run_settings["model"], "kwargs": run_settings["kwargs"]}
    return {OWN_NOTE: json.dumps(settings, sort_keys=True)}


def load_model(
    name: str, weights: str | Path, kwargs: Mapping[str, Any] | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """A model with weights, in eval mode, and the constructor arguments it was built with.

    Weight files that this benchmark wrote carry their constructor arguments; for others pass
    ``kwargs``, or the model's defaults hold.

    Raises:
        BenchError: if the weights are of another model or cannot be read.
    """
    metadata = own_note(Path(weights))
    if metadata and metadata["model"] != model_card(name).name:
        raise BenchError(
            f"{weights}: these are weights of {shown(metadata['model'])}, not of '{name}'"
        )
    stored = metadata["kwargs"] if metadata else {}
    if kwargs and metadata and dict(kwargs) != stored:
        raise BenchError(
            f"{weights}: was trained with {shown(stored, 300)}, not with {shown(dict(kwargs), 300)}"
        )
    arguments = dict(kwargs or stored)
    try:
        model = build(name, **arguments)
    except BenchError as error:
        raise (
            error if kwargs or not stored else BenchError(f"{weights}: metadata: {error}")
        ) from error
    load_weights(model, weights)
    return model.eval(), arguments


def model_named_by(path: Path) -> str:
    """The model whose weights a file holds, as this benchmark's own files say.

    Raises:
        BenchError: if there is no such file, or it does not say.
    """
    metadata = own_note(path)
    if metadata is None:
        raise BenchError(f"{path}: does not say which model it is of; name it with --model")
    return str(metadata["model"])
