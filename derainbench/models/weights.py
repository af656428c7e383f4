"""Weight files: read from any origin into a model, strictly; and what ours say of themselves.

Accepted: safetensors; PyTorch files (read with ``weights_only=True``: no code in a file is ever
run) that hold a bare state dict or one under ``state_dict``, ``model``, ``params`` or ``net``;
``module.`` prefixes left by DataParallel.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from derainbench.catalog.model_cards import model_card
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build

WRAPPER_KEYS = ("state_dict", "model", "params", "net")


def read_state_dict(path: str | Path) -> dict[str, torch.Tensor]:
    """The tensors of a weight file, unwrapped, on the CPU.

    Raises:
        BenchError: if the file is missing, damaged, not a state dict, or wants to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise BenchError(f"{path}: no such weight file")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise BenchError(
                f"{path}: damaged or truncated safetensors file; copy or download it again"
            ) from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).lower()
        if any(f"unsupported {what}" in reason for what in ("global", "class")):
            raise BenchError(
                f"{path}: not a weight file that can be trusted: it is damaged, or holds pickled "
                "objects other than tensors, which could run code; save its bare state_dict with "
                "torch.save(model.state_dict(), ...) instead"
            ) from error
        raise BenchError(f"{path}: not a PyTorch weight file, or a damaged one") from error
    except Exception as error:  # a damaged file makes torch raise nearly anything
        raise BenchError(
            f"{path}: damaged or truncated weight file; copy or download it again"
        ) from error
    return _unwrap(content, path)


def _unwrap(content: object, path: Path) -> dict[str, torch.Tensor]:
    for key in WRAPPER_KEYS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if (
        not isinstance(content, dict)
        or not content
        or not all(isinstance(k, str) for k in content)
        or not all(isinstance(v, torch.Tensor) for v in content.values())
    ):
        raise BenchError(
            f"{path}: holds no state dict (expected tensors by name, bare or under one of "
            f"{', '.join(WRAPPER_KEYS)})"
        )
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Loads a weight file into ``model``; every key and shape must agree.

    Raises:
        BenchError: naming the file, what differs and the likely reason; the model is left
            as it was.
    """
    state = read_state_dict(path)
    expected = model.state_dict()
    missing = [k for k in expected if k not in state]
    unexpected = [k for k in state if k not in expected]
    reshaped = [k for k in expected if k in state and expected[k].shape != state[k].shape]
    if missing or unexpected or reshaped:
        differences = [
            _some(f"{len(missing)} missing", missing),
            _some(f"{len(unexpected)} unexpected", unexpected),
            _some(
                f"{len(reshaped)} of another shape",
                [f"{k} {list(state[k].shape)} for {list(expected[k].shape)}" for k in reshaped],
            ),
        ]
        raise BenchError(
            f"{path}: does not fit {type(model).__name__}: "
            f"{'; '.join(d for d in differences if d)}. "
            f"{_reason(expected, missing, unexpected, reshaped)}"
        )
    not_finite = [k for k, v in state.items() if v.is_floating_point() and not v.isfinite().all()]
    if not_finite:
        raise BenchError(f"{path}: {_some('values that are not finite in', not_finite)}")
    model.load_state_dict(state)


def _some(what: str, keys: list[str], most: int = 2) -> str:
    if not keys:
        return ""
    more = ", .." if len(keys) > most else ""
    return f"{what} ({', '.join(keys[:most])}{more})"


def _reason(expected: dict, missing: list[str], unexpected: list[str], reshaped: list[str]) -> str:
    """The likely reason for a disagreement, as one sentence."""
    if len(missing) == len(expected):
        return "No key is shared: these are the weights of another model."
    odd = [k.split(" ")[0] for k in (*missing, *unexpected, *reshaped)]
    if all(".attn.ta." in k for k in odd):
        return "Only temporal attention differs: the weights have another T or set of attentions."
    if all(".attn." in k for k in odd):
        return "Only attention differs: the weights have another set of attentions."
    if all(k.startswith("refinement.") for k in odd):
        return "Only the refinement block differs: set refine accordingly."
    if reshaped and not missing and not unexpected:
        return "Same layers, other shapes: the weights have another width (dim)."
    if not reshaped:
        return "Shared keys agree in shape: the weights have another number of blocks."
    return "The weights are of another model or size."


def weight_metadata(run_settings: Mapping[str, Any]) -> dict[str, str]:
    """What our own weight files say about themselves: enough to rebuild the model."""
    # One key only: safetensors writes several in a random order, and equal runs give equal bytes.
    settings = {"model": run_settings["model"], "kwargs": run_settings["kwargs"]}
    return {"derainbench": json.dumps(settings, sort_keys=True)}


def load_model(
    name: str, weights: str | Path, kwargs: Mapping[str, Any] | None = None
) -> tuple[nn.Module, dict[str, Any]]:
    """A model with weights, in eval mode, and the constructor arguments it was built with.

    Weight files that this benchmark wrote carry their constructor arguments; for others pass
    ``kwargs``, or the model's defaults hold.

    Raises:
        BenchError: if the weights are of another model or cannot be read.
    """
    metadata = _own_metadata(Path(weights))
    if metadata and metadata["model"] != model_card(name).name:
        raise BenchError(f"{weights}: these are weights of '{metadata['model']}', not of '{name}'")
    stored = metadata["kwargs"] if metadata else {}
    if kwargs and metadata and dict(kwargs) != stored:
        raise BenchError(f"{weights}: was trained with {stored}, not with {dict(kwargs)}")
    arguments = dict(kwargs or stored)
    model = build(name, **arguments)
    load_weights(model, weights)
    return model.eval(), arguments


def model_named_by(path: Path) -> str:
    """The model whose weights a file holds, as this benchmark's own files say.

    Raises:
        BenchError: if there is no such file, or it does not say.
    """
    path = Path(path)
    if not path.is_file():
        raise BenchError(f"{path}: no such weight file")
    metadata = _own_metadata(path)
    if metadata is None:
        raise BenchError(f"{path}: does not say which model it is of; name it with --model")
    return str(metadata["model"])


def _own_metadata(path: Path) -> dict[str, Any] | None:
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError):
        return None  # the loader reports damage
    return json.loads(metadata["derainbench"]) if "derainbench" in metadata else None
