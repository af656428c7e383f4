"""Fitting a state dict to a network: its names, shapes and numbers, strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from derainbench.foundation.errors import BenchError
from derainbench.models.weight_files import State

# Left in a network by the counter thop, whose results they are.
COUNTERS = ("total_ops", "total_params")
# Files of PyTorch before 0.4.1 lack it; torch itself forgives that, and no result depends on it.
COUNT_OF_BATCHES = "num_batches_tracked"
COMPILED = "_orig_mod."  # stands before what torch.compile wrapped, wherever that lies
FULL_PRECISION = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
MAX_PREFIXES = 6


def fitted(model: nn.Module, states: Sequence[State], path: Path) -> State:
    """The first of some state dicts that fits a network, with the network's names and precision.

    A prefix that all names share (``module.``, ``model.``) goes where that makes them fit, as do
    the numbers of an operation counter. Floating-point numbers are rounded to the network's.

    Args:
        model: the network; it is left as it is.
        states: the likeliest first.
        path: of the file, for messages.

    Returns:
        A tensor for every name in the network's own state dict.

    Raises:
        BenchError: naming the file, what differs and the likely reason.
    """
    expected = model.state_dict()
    renamed = [_renamed(state, expected) for state in states]
    best = next((s for s in renamed if not _misfits(s, expected)), renamed[0])
    for name, value in best.items():
        if odd := _odd_storage(value):
            raise BenchError(f"{path}: {_shown(name)} {odd}")
    if any(misfits := _differences(best, expected)):
        missing, unexpected, reshaped = misfits
        shapes = [f"{k} {list(best[k].shape)} for {list(expected[k].shape)}" for k in reshaped]
        differences = [
            _some(f"{len(missing)} missing", missing),
            _some(f"{len(unexpected)} unexpected", unexpected),
            _some(f"{len(reshaped)} of another shape", shapes),
        ]
        raise BenchError(
            f"{path}: does not fit {type(model).__name__}: "
            f"{'; '.join(d for d in differences if d)}. "
            f"{_reason(expected, missing, unexpected, reshaped)}"
        )
    return _as_in_model(best, expected, path)


def _renamed(state: State, expected: Mapping[str, torch.Tensor]) -> State:
    """A state dict under the network's names, as far as prefixes and counters are in the way."""
    kept = {
        name: value
        for name, value in state.items()
        if name in expected or name.rpartition(".")[2] not in COUNTERS
    }
    best = kept
    for change in (_as_it_is, _without_compiled):
        candidate = change(kept)
        for _ in range(MAX_PREFIXES):
            if len(candidate.keys() & expected.keys()) > len(best.keys() & expected.keys()):
                best = candidate
            prefixes = {name.partition(".")[0] for name in candidate}
            if len(prefixes) != 1 or not all("." in name for name in candidate):
                break
            candidate = {name.partition(".")[2]: value for name, value in candidate.items()}
    for name, value in expected.items():
        if name.rpartition(".")[2] == COUNT_OF_BATCHES and name not in best:
            best = best | {name: value}
    return best


def _as_it_is(state: State) -> State:
    return state


def _without_compiled(state: State) -> State:
    return {name.replace(COMPILED, ""): value for name, value in state.items()}


def _misfits(state: State, expected: Mapping[str, torch.Tensor]) -> bool:
    return any(_odd_storage(v) for v in state.values()) or any(_differences(state, expected))


def _differences(
    state: State, expected: Mapping[str, torch.Tensor]
) -> tuple[list[str], list[str], list[str]]:
    """Names that are missing, that are too many, and that have another shape."""
    return (
        [k for k in expected if k not in state],
        [k for k in state if k not in expected],
        [k for k in expected if k in state and expected[k].shape != state[k].shape],
    )


def _odd_storage(value: torch.Tensor) -> str:
    """Why a tensor is no plain array of numbers; empty if it is one."""
    if value.is_nested or value.layout != torch.strided:
        return "is a sparse or nested tensor; save it with .to_dense()"
    if value.is_quantized:
        return "is quantised; save it with .dequantize()"
    if value.is_meta:
        return "holds no numbers, only a shape (a tensor on the device meta)"
    return ""


def _as_in_model(state: State, expected: Mapping[str, torch.Tensor], path: Path) -> State:
    """The tensors in the network's precision.

    Raises:
        BenchError: for numbers that this would change by more than rounding, or that are none.
    """
    not_finite = [k for k, v in state.items() if v.dtype in FULL_PRECISION and not _finite(v)]
    if not_finite:
        raise BenchError(f"{path}: {_some('values that are not finite in', not_finite)}")
    converted = {name: _converted(state[name], expected[name].dtype) for name in expected}
    unfit = [
        f"{_shown(name)} ({_name_of(state[name].dtype)} for {_name_of(expected[name].dtype)})"
        for name, value in converted.items()
        if value is None
    ]
    if unfit:
        raise BenchError(
            f"{path}: {_some(f'{len(unfit)} tensors whose numbers do not fit', unfit)}: too large, "
            "or another kind of number (quantised weights?); save them as float32"
        )
    return {name: value for name, value in converted.items() if value is not None}


def _converted(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | None:
    """A tensor with another type of numbers; None if that would change more than rounding does."""
    if value.dtype == dtype:
        return value
    if dtype in FULL_PRECISION:
        if value.dtype not in FULL_PRECISION:
            return None  # integers and float8 stand for numbers by a scale that is elsewhere
        rounded = value.to(dtype)
        return rounded if _finite(rounded) else None
    if value.is_complex() or (value.element_size() == 1 and value.is_floating_point()):
        return None
    counted = value.to(dtype)
    return counted if torch.equal(counted.to(value.dtype), value) else None


def _finite(value: torch.Tensor) -> bool:
    return bool(value.isfinite().all())


def _name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _some(what: str, keys: list[str], most: int = 2) -> str:
    if not keys:
        return ""
    more = ", .." if len(keys) > most else ""
    return f"{what} ({', '.join(map(_shown, keys[:most]))}{more})"


def _shown(name: str) -> str:
    """A name as it stands in a message: in one line, and not too long."""
    name = name if name.isprintable() else repr(name)
    return name if len(name) <= 120 else f"{name[:120]}…"


def _reason(
    expected: Mapping[str, torch.Tensor],
    missing: list[str],
    unexpected: list[str],
    reshaped: list[str],
) -> str:
    """The likely reason for a disagreement, as one sentence."""
    if len(missing) == len([k for k in expected if not k.endswith(COUNT_OF_BATCHES)]):
        return "No key is shared: these are the weights of another model."
    odd = [k.split(" ")[0] for k in (*missing, *unexpected, *reshaped)]

    def all_odd(test: Callable[[str], object]) -> bool:
        return all(test(k) for k in odd)

    if all_odd(lambda k: ".attn.ta." in k):
        return "Only temporal attention differs: the weights have another T or set of attentions."
    if all_odd(lambda k: ".attn." in k):
        return "Only attention differs: the weights have another set of attentions."
    if all_odd(lambda k: k.startswith("refinement.")):
        return "Only the refinement block differs: set refine accordingly."
    if reshaped and not missing and not unexpected:
        return "Same layers, other shapes: the weights have another width (dim)."
    if not reshaped and all_odd(re.compile(r"\.?\d+\.").search):
        return "Shared keys agree in shape: the weights have another number of blocks."
    return "The weights are of another model, version or size."
