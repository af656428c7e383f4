"""What other people's counters say of a network, module by module.

Each is read as its authors meant it to be used. None but thop says which module an operation
belongs to in a way that suits all networks, so a counter's running totals are split here: what it
adds between two module boundaries belongs to the module that runs.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from unittest import mock

import torch
import torch.nn.functional as F
from torch import nn

RULE, FUNCTIONS, TENSORS = "module rule", "torch.nn.functional", "torch.matmul, add, mul"


@dataclass(frozen=True)
class Reading:
    """One counter on one network and input.

    Attributes:
        macs: the counter's total, MACs.
        parts: MACs by module path, children apart, and by what was counted: an operation such as
            ``aten.add``, or how a module or function was recognised.
        parameters: the counter's total, if it counts parameters.
        seen: parameters by module path, if it says which; children apart.
    """

    macs: float
    parts: Mapping[str, Mapping[str, float]]
    parameters: int | None = None
    seen: Mapping[str, int] | None = None


@dataclass(frozen=True)
class OtherCounter:
    """A counter of another project.

    Attributes:
        name: as tables show it.
        package: the distribution that it comes from.
        read: counts a model's forward pass on an image [1,3,H,W].
        module_types: module types that it knows, for one that goes by types; else None.
        subclasses: whether a rule holds for subclasses of its type, too.
        counts_padding: whether products with padding count.
        flops_per_mac: what it adds for one MAC.
        needs_values: counts meta tensors, which have no data, not at all or otherwise than real
            ones.
    """

    name: str
    package: str
    read: Callable[[nn.Module, torch.Tensor], Reading]
    module_types: Callable[[], Iterable[type]] | None = None
    flops_per_mac: int = 1
    needs_values: bool = False
    subclasses: bool = False
    counts_padding: bool = True

    def has_rule(self, kind: type) -> bool:
        """Whether it knows a module type."""
        types = tuple(self.module_types() if self.module_types else ())
        return issubclass(kind, types) if self.subclasses else kind in types


class TotalsByModule:
    """Context that splits running totals over the modules of a model; result in :attr:`parts`.

    Args:
        model: a module that is used in several places goes by its first path.
        totals: the totals so far, by what they are totals of.
    """

    def __init__(self, model: nn.Module, totals: Callable[[], Mapping[str, float]]) -> None:
        self.parts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._model = model
        self._totals = totals
        self._before: dict[str, float] = {}
        self._path = [""]
        self._hooks: list[Any] = []

    def __enter__(self) -> TotalsByModule:
        for name, module in self._model.named_modules():
            self._hooks += [
                module.register_forward_pre_hook(lambda *_, name=name: self._move(name)),
                module.register_forward_hook(lambda *_: self._move(None)),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _move(self, to: str | None) -> None:
        now = dict(self._totals())
        for what, total in now.items():
            self.parts[self._path[-1]][what] += total - self._before.get(what, 0)
        self._before = now
        if to is None:
            self._path.pop()
        else:
            self._path.append(to)


def by_operation(counts: Mapping[Any, int], flops_per_mac: int = 1) -> dict[str, float]:
    """Counts by operation in MACs, overloads together: ``aten.add.Tensor`` is ``aten.add``."""
    summed: dict[str, float] = defaultdict(float)
    for operation, count in counts.items():
        name = ".".join(str(operation).split(".")[:2])
        summed[name] += count / flops_per_mac
    return summed


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


def _read_neurobench(model: nn.Module, image: torch.Tensor) -> Reading:
    """ "Dense" of NeuroBench's metric SynapticOperations, layer by layer.

    Its hooks and its counting of a layer are used as they are. Its metric adds up float32 numbers,
    which hold whole ones to 2**24 only: here layers and inputs are doubles.
    """
    from neurobench.metrics.utils.layers import single_layer_MACs
    from neurobench.models import TorchModel

    network = TorchModel(model)
    network.register_hooks()
    hooks = list(network.connection_hooks)
    try:
        network(image)
    finally:
        network.close_hooks()
    first = {module: path for path, module in model.named_modules()}
    parts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for hook in hooks:
        layer = copy.deepcopy(hook.layer).double()
        for (x,) in hook.inputs:
            macs, _ = single_layer_MACs(x.double(), layer, total=True)
            parts[first[hook.layer]][RULE] += macs
    return Reading(sum(counted[RULE] for counted in parts.values()), parts)


def _neurobench_types() -> Iterable[type]:
    from neurobench.blocks.layer import SUPPORTED_LAYERS

    return SUPPORTED_LAYERS


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
        _read_neurobench,
        _neurobench_types,
        needs_values=True,
        subclasses=True,
        counts_padding=False,
    ),
    # Not a dependency: it cannot be imported beside spikingjelly 2.0.0.
    OtherCounter("syops", "syops", _read_syops, needs_values=True),
)
