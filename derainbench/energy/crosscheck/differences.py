"""Why another counter's operations differ from ours, worked out and not typed.

Reasons come from what a counter has rules for, from the types of modules, and from the operations
that run in them. A difference that these do not account for is left to the caller as unexplained.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from derainbench.energy.crosscheck.reading import (
    FUNCTIONS,
    RULE,
    TENSORS,
    OtherCounter,
    Reading,
    TotalsByModule,
)
from derainbench.energy.forward_pass import count_on_image, count_structure
from derainbench.energy.known_shapes import known_shapes_for
from derainbench.energy.records import SILENT, SPIKES

aten = torch.ops.aten
PRODUCTS = {"aten.convolution", "aten.addmm", "aten.mm", "aten.bmm", "aten.baddbmm"}
# Ends of the names of the torch modules that layers other than products are defined in.
_KINDS = {
    "activation": "activations",
    "batchnorm": "normalisation",
    "instancenorm": "normalisation",
    "normalization": "normalisation",
    "pooling": "pooling",
    "upsampling": "interpolation",
}
_BINARY = {SPIKES: "spikes (all 0 or 1)", SILENT: "0 throughout"}


class Reason(NamedTuple):
    """One reason for a difference: MACs and parameters that the counter has more than we."""

    macs: float
    parameters: int
    text: str


@dataclass(frozen=True)
class NetworkFacts:
    """What is known of a network and an input apart from any other counter.

    Attributes:
        modules: by path, each once.
        places: modules by path, those that are used in several places under each.
        parameters: by the path of the module that owns them, each once.
        macs: our count by path.
        padding: those of them that are products with padding.
        by_input: those of them by path and kind of input ("unmeasured" without values).
        observed: by path: see :class:`_Observer`.
    """

    modules: Mapping[str, nn.Module]
    places: Mapping[str, nn.Module]
    parameters: Mapping[str, int]
    macs: Mapping[str, int]
    padding: Mapping[str, int]
    by_input: Mapping[str, Mapping[str, int]]
    observed: Mapping[str, Mapping[str, float]]


class _Observer(TorchDispatchMode):
    """Notes of products: elements made ("outputs"), elements that the same operation adds a bias
    to ("bias"), MACs of a convolution if each output element met the whole kernel ("per output"),
    how often an operand is a parameter ("weighted") or none is ("activations")."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.totals: Counter[str] = Counter()
        self._storages = {_storage(p) for p in model.parameters()}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is aten.convolution.default:
            x, weight, bias, *_, groups = args
            self.totals["per output"] += (
                out.numel() * (x.shape[1] // groups) * math.prod(weight.shape[2:])
            )
            self._product(out, (x, weight), bias is not None)
        elif func in (aten.addmm.default, aten.baddbmm.default):
            self._product(out, args[1:3], True)
        elif func in (aten.mm.default, aten.bmm.default):
            self._product(out, args[:2], False)
        return out

    def _product(self, out: torch.Tensor, operands: Sequence[torch.Tensor], bias: bool) -> None:
        weighted = any(_storage(operand) in self._storages for operand in operands)
        self.totals["weighted" if weighted else "activations"] += 1
        self.totals["bias"] += out.numel() * bias
        self.totals["outputs"] += out.numel()


def _storage(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage()._cdata  # the same for all views; meta tensors have no address


@torch.no_grad()
def network_facts(build: Callable[[], nn.Module], image: torch.Tensor) -> NetworkFacts:
    """Our count and observations of a freshly built model on [1,3,H,W]."""
    model = build()
    with (
        known_shapes_for(image),
        _Observer(model) as observer,
        TotalsByModule(model, lambda: observer.totals) as totals,
    ):
        model(image)
    height, width = image.shape[2:]
    if image.is_meta:
        counts, _ = count_structure(build(), height, width)
    else:
        counts = count_on_image(build(), image)
    macs: Counter[str] = Counter()
    padding: Counter[str] = Counter()
    by_input: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in counts:
        macs[record.layer] += record.macs
        padding[record.layer] += record.macs - record.reach
        by_input[record.layer][record.input] += record.macs
    owners = {id(p): name.rpartition(".")[0] for name, p in model.named_parameters()}
    parameters: Counter[str] = Counter()
    for parameter in model.parameters():
        parameters[owners[id(parameter)]] += parameter.numel()
    places = dict(model.named_modules(remove_duplicate=False))
    return NetworkFacts(
        dict(model.named_modules()), places, parameters, macs, padding, by_input, totals.parts
    )


def explain_difference(
    counter: OtherCounter, reading: Reading, facts: NetworkFacts, path: str
) -> list[Reason]:
    """The reasons why a counter differs from us at one module; empty if it does not."""
    counted = {what: macs for what, macs in reading.parts.get(path, {}).items() if macs}
    if path not in facts.modules:
        seen = (reading.seen or {}).get(path, 0)
        again = Reason(sum(counted.values()), seen, "module used in several places: counted again")
        return [again] if again.macs or seen else []
    if counter.module_types is None:
        return list(_by_operation(counter, counted, facts, path))
    return list(_by_module(counter, counted, reading, facts, path))


def _by_operation(
    counter: OtherCounter, counted: Mapping[str, float], facts: NetworkFacts, path: str
) -> Iterator[Reason]:
    for operation, macs in counted.items():
        if operation not in PRODUCTS:
            yield Reason(macs, 0, f"counts {operation}, which is no product")
    our_macs = facts.macs.get(path, 0)
    more = sum(macs for operation, macs in counted.items() if operation in PRODUCTS) - our_macs
    binary = {kind: facts.by_input.get(path, {}).get(kind, 0) for kind in (SPIKES, SILENT)}
    if not more:
        return
    if more == facts.observed[path]["bias"] / counter.flops_per_mac:
        yield Reason(more, 0, "counts the bias as an operation")
    elif more == -sum(binary.values()):
        for kind, macs in binary.items():
            if macs:
                yield Reason(
                    -macs, 0, f"input is {_BINARY[kind]}: counted as accumulates, not MACs"
                )


def _by_module(
    counter: OtherCounter,
    counted: Mapping[str, float],
    reading: Reading,
    facts: NetworkFacts,
    path: str,
) -> Iterator[Reason]:
    kind = type(facts.modules[path])
    has_rule = counter.has_rule(kind)
    our_macs = facts.macs.get(path, 0)
    unseen = 0
    if reading.seen is not None:
        unseen = facts.parameters.get(path, 0) - reading.seen.get(path, 0)
    if FUNCTIONS in counted:
        again = "a second time, by its function" if has_rule else "by the functions it calls"
        yield Reason(counted[FUNCTIONS], 0, f"counts {_kind(kind)} {again}")
    tensors = counted.get(TENSORS, 0)
    if has_rule:
        padding = 0 if counter.counts_padding else facts.padding.get(path, 0)
        if padding:
            yield Reason(-padding, 0, "leaves out products with padding")
        yield from _by_rule(counted.get(RULE, 0), our_macs - padding, facts, path)
    elif (our_macs and not tensors) or unseen:
        yield Reason(-our_macs, -unseen, _no_rule(counter, kind, facts, path, our_macs))
    if tensors and not our_macs:
        yield Reason(tensors, 0, f"counts calls of {TENSORS}")


def _by_rule(macs: float, our_macs: int, facts: NetworkFacts, path: str) -> Iterator[Reason]:
    more = macs - our_macs
    if not more:
        return
    if not our_macs:
        yield Reason(more, 0, f"counts {_kind(type(facts.modules[path]))}")
        return
    observed = facts.observed[path]
    has_bias = getattr(facts.modules[path], "bias", None) is not None
    if has_bias and more == observed["outputs"]:
        yield Reason(more, 0, "counts the bias as an operation")
    elif macs == our_macs * sum(m is facts.modules[path] for m in facts.places.values()):
        yield Reason(more, 0, "module used in several places: its rule runs that often")
    elif macs == observed["per output"]:
        yield Reason(
            more, 0, "counts a transposed convolution by output elements, each with a whole kernel"
        )


def _no_rule(
    counter: OtherCounter, kind: type, facts: NetworkFacts, path: str, our_macs: int
) -> str:
    rules = set(counter.module_types() if counter.module_types else ())
    base = next((b for b in kind.__mro__[1:] if b in rules), None)
    missing = f"type {type_name(kind)} has no rule in {counter.package}"
    if base:
        return f"{missing}, though its base {type_name(base)} has: counted as 0"
    if our_macs and not facts.observed[path]["weighted"]:
        return f"product of two activations, no module: {missing}"
    if our_macs and not kind.__module__.startswith("torch.nn."):
        return f"product with weights outside any layer: {missing}"
    return f"{missing}: counted as 0"


def type_name(kind: type) -> str:
    """Dotted, with its Python module."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _kind(kind: type) -> str:
    """What a module type is, by the part of torch that it or a base of it is defined in."""
    for base in kind.__mro__:
        package, _, last = base.__module__.rpartition(".")
        if package == "torch.nn.modules" and last in _KINDS:
            return _KINDS[last]
    return f"operations of {type_name(kind)}"
