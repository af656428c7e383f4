"""What other people's counters say of a network, module by module.

Each is read as its authors meant it to be used. None but thop says which module an operation
belongs to in a way that suits all networks, so a counter's running totals are split here: what it
adds between two module boundaries belongs to the module that runs.
"""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any, cast
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn

from derainbench.energy.crosscheck.neurobench_counter import neurobench_types, read_neurobench
from derainbench.energy.crosscheck.reading import (
    FUNCTIONS,
    RULE,
    TENSORS,
    OtherCounter,
    Reading,
    TotalsByModule,
)


def by_operation(counts: Mapping[Any, int], flops_per_mac: int = 1) -> dict[str, float]:
    """Counts by operation in MACs, overloads together: ``aten.add.Tensor`` is ``aten.add``."""
    summed: dict[str, float] = defaultdict(float)
    for operation, count in counts.items():
        summed[_name(operation)] += count / flops_per_mac
    return summed


@cache  # asked for at every module's boundary
def _name(operation: Any) -> str:
    return ".".join(str(operation).split(".")[:2])


def _read_operations(
    mode: Callable[[], Any], counts: Callable[[Any], Mapping[Any, int]], flops_per_mac: int = 1
) -> Callable[..., Reading]:
    """A reader of a dispatch mode; ``counts`` gives its totals by operation."""

    def read(model: nn.Module, image: torch.Tensor) -> Reading:
        context = mode()
        with (
            context,
            TotalsByModule(model, lambda: by_operation(counts(context), flops_per_mac)) as split,
        ):
            model(image)
        return Reading(sum(counts(context).values()) / flops_per_mac, split.parts)

    return read


def _torch_mode() -> Any:
    from torch.utils.flop_counter import FlopCounterMode

    return FlopCounterMode(display=False)


def _spikingjelly_mode(name: str) -> Any:
    from spikingjelly.activation_based import op_counter

    return op_counter.DispatchCounterMode([getattr(op_counter, name)()])


def _ptflops_aten_mode() -> Any:
    from ptflops.aten_engine import FlopCounterMode

    return FlopCounterMode()


def _read_ptflops(model: nn.Module, image: torch.Tensor) -> Reading:
    from ptflops import get_model_complexity_info
    from ptflops.pytorch_ops import TENSOR_OPS_MAPPING

    def totals() -> dict[str, int]:
        return {
            RULE: sum(int(module.__flops__) for module in counted),
            # While ptflops counts, its stand-ins for these functions share one list each.
            FUNCTIONS: int(sum(cast(Any, F.relu).collector)),
            TENSORS: int(sum(cast(Any, torch.matmul).collector)),
        }

    split = TotalsByModule(model, totals)
    counted: list[Any] = []

    def give_input(_: object) -> torch.Tensor:
        # Called after ptflops hooked the modules, so that its hooks run before ours.
        counted.extend(m for m in model.modules() if hasattr(m, "__flops__"))
        split.__enter__()
        return image

    messages = io.StringIO()
    with contextlib.ExitStack() as stack:
        # ptflops 0.7.5 leaves torch.add, torch.mul and torch.addmm replaced, and then fails when
        # called again.
        for name in {operation.__name__ for operation in TENSOR_OPS_MAPPING}:
            for owner in (torch, torch.Tensor):
                stack.enter_context(mock.patch.object(owner, name, getattr(owner, name)))
        stack.enter_context(contextlib.redirect_stdout(messages))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.callback(split.__exit__)
        macs, parameters = get_model_complexity_info(
            model,
            tuple(image.shape[1:]),
            input_constructor=give_input,
            print_per_layer_stat=False,
            as_strings=False,
        )
    if macs is None:  # it prints what went wrong, an exception's type and message, on line 2
        raise RuntimeError(messages.getvalue().splitlines()[1])
    first = {module: path for path, module in model.named_modules()}
    for path, module in _leaves(model, set(_ptflops_types())):
        if path != first[module]:  # ptflops adds a shared module once for each place
            split.parts[path][RULE] += split.parts[first[module]][RULE]
    return Reading(macs, split.parts, parameters)


def _leaves(module: nn.Module, kinds: set[type], path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The places of modules of these types, without looking into them."""
    if type(module) in kinds:
        yield path, module
        return
    for name, child in module.named_children():
        yield from _leaves(child, kinds, f"{path}.{name}".lstrip("."))


def _ptflops_types() -> Iterable[type]:
    from ptflops.pytorch_ops import MODULES_MAPPING

    return MODULES_MAPPING


def _read_thop(model: nn.Module, image: torch.Tensor) -> Reading:
    import thop

    macs, parameters, tree = thop.profile(model, (image,), verbose=False, ret_layer_info=True)
    parts: dict[str, dict[str, float]] = {}
    seen: dict[str, int] = {}

    def walk(path: str, macs: float, parameters: float, children: Mapping[str, Any]) -> None:
        parts[path] = {RULE: macs - sum(child[0] for child in children.values())}
        seen[path] = int(parameters - sum(child[1] for child in children.values()))
        for name, child in children.items():
            walk(f"{path}.{name}".lstrip("."), *child)

    walk("", macs, parameters, tree)
    return Reading(macs, parts, int(parameters), seen)


def _thop_types() -> Iterable[type]:
    from thop.profile import register_hooks

    return register_hooks


def _read_syops(model: nn.Module, image: torch.Tensor) -> Reading:
    import syops

    (operations, *_), parameters = syops.get_model_complexity_info(
        model, tuple(image.shape[1:]), print_per_layer_stat=False, as_strings=False
    )
    return Reading(float(operations), {}, int(parameters))


COUNTERS = (
    OtherCounter(
        "torch FlopCounterMode",
        "torch",
        _read_operations(_torch_mode, lambda c: c.flop_counts["Global"], 2),
        flops_per_mac=2,
    ),
    # Neurons are one operation without a rule on meta tensors, and element-wise ones on real ones.
    OtherCounter(
        "spikingjelly FlopCounter",
        "spikingjelly",
        _read_operations(
            lambda: _spikingjelly_mode("FlopCounter"),
            lambda c: c.counters[0].records["Global"],
            2,
        ),
        flops_per_mac=2,
        needs_values=True,
    ),
    OtherCounter(
        "spikingjelly MACCounter",
        "spikingjelly",
        _read_operations(
            lambda: _spikingjelly_mode("MACCounter"), lambda c: c.counters[0].records["Global"]
        ),
        needs_values=True,
    ),
    OtherCounter(
        "ptflops aten",
        "ptflops",
        _read_operations(_ptflops_aten_mode, lambda c: c.flop_counts["Global"]),
    ),
    # Meta tensors are interpolated by torch functions, which ptflops would count as the network's.
    OtherCounter("ptflops pytorch", "ptflops", _read_ptflops, _ptflops_types, needs_values=True),
    OtherCounter("thop", "thop", _read_thop, _thop_types),
    OtherCounter(
        "neurobench",
        "neurobench",
        read_neurobench,
        neurobench_types,
        needs_values=True,
        subclasses=True,
        counts_padding=False,
    ),
    # Not a dependency: it cannot be imported beside spikingjelly 2.0.0.
    OtherCounter("syops", "syops", _read_syops, needs_values=True),
)
