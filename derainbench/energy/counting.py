"""Counting the arithmetic of one forward pass, operation by operation, whatever the layers' types.

The counter watches tensor operations, not module classes, so subclassed layers (spikingjelly's)
cannot escape it. Whether a layer's input is spikes is measured on the values, never read off
a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import product
from typing import Any

import numpy as np
import torch
import yaml
from spikingjelly.activation_based.layer import MultiDimensionalAttention
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten
# What the elements of an input are.
SPIKES, INTEGER, ANALOG, SILENT = "spikes", "integer", "analog", "silent"
UNMEASURED = "unmeasured"
# What a product is of.
LAYER, ATTENTION = "layer", "attention"
# Categories of all other operations; the rest are named in catalog/operators.yaml.
MEMBRANE, MOVEMENT, UNKNOWN = "membrane", "movement", "unknown"

# Elements looked at in one go: they stay in the processor's cache, and their weighted sums whole
# numbers that float32 holds (2**24) for kernels of up to 64 taps per place.
_PIECE = 1 << 18


@dataclass(frozen=True)
class LayerCount:
    """One convolution or matrix product of one forward pass of one image.

    Attributes:
        layer: dotted module path; an operation that runs k times gives k records.
        type: class of that module.
        operation: "convolution" or "matmul".
        role: "layer"; or "attention", for everything inside a spiking network's attention module
            and for products of two activations.
        input_shape, output_shape: tensors of the operation; time steps are folded into the first
            axis by spikingjelly's multi-step layers.
        steps: time steps in the first axis.
        macs: multiply-accumulates as if the input were dense (padding counted, the usual way).
        reach: accumulates if every input element were a spike: ``macs`` less those on padding.
        weights: weight elements; 0 for products of two activations.
        input: "spikes" if every input element is 0 or 1, "silent" if all are 0 (which does not
            tell spikes from values), "integer" if all are whole numbers, else "analog";
            "unmeasured" for counts from the structure.
        constant: whether the input is the same at all time steps, where there are several.
        rate: share of input elements that are not 0; for spikes the mean firing rate.
        effective: accumulates caused by non-zero input elements, exact at borders (= conv of the
            non-zero mask with ones); for spikes these are the SOPs.
        step_rates: ``rate`` at each time step.
        channel_std: standard deviation over input channels of their rate.
    """

    layer: str
    type: str
    operation: str
    role: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    steps: int
    macs: int
    reach: int
    weights: int
    input: str = UNMEASURED
    constant: bool = False
    rate: float = math.nan
    effective: float = math.nan
    step_rates: tuple[float, ...] = ()
    channel_std: float = math.nan


@dataclass
class OtherCount:
    """All calls of one other operator in one module.

    Attributes:
        layer, type: the module's path and class.
        operator: its name in aten, or "membrane update".
        category: see ``catalog/operators.yaml``; "unknown" for operators without a rule.
        calls: how often it ran.
        elements: elements that its cost is proportional to (outputs, or inputs of reductions).
        adds, multiplies, specials: elementary operations; comparisons count as additions,
            specials are exponentials, divisions, roots and the like.
    """

    layer: str
    type: str
    operator: str
    category: str
    calls: int = 0
    elements: int = 0
    adds: float = 0
    multiplies: float = 0
    specials: float = 0


@dataclass(frozen=True)
class Rule:
    """What an operator computes per element."""

    category: str
    add: float = 0
    multiply: float = 0
    special: float = 0
    per: str = "output"


@cache
def rules() -> dict[str, Rule]:
    """The operators of ``catalog/operators.yaml`` by their name in aten."""
    text = resources.files("derainbench.catalog").joinpath("operators.yaml").read_text("utf-8")
    return {
        operator: Rule(**group["cost"])
        for group in yaml.safe_load(text)
        for operator in group["operators"]
    }


@cache
def _rule(func: Any) -> tuple[str, Rule]:
    name = func.overloadpacket.__name__
    plain = name.rstrip("_")  # in place or not
    return plain, rules().get(plain, Rule(UNKNOWN))


class OperationCounter(TorchDispatchMode):
    """Context in which a model's forward pass on one image is counted.

    Counting reads tensors and changes none: outputs are bit-identical with and without.

    Args:
        model: the model whose module paths name the layers; a spiking one says in ``T`` how many
            time steps its multi-step layers fold into the first axis.
        measure: look at the values (needs real tensors) of convolutions and matrix products;
            without, count the structure, all other operations included.

    Attributes:
        counts: convolutions and matrix products in the order they ran.
    """

    def __init__(self, model: nn.Module, *, measure: bool = True) -> None:
        super().__init__()
        self.model = model
        self.measure = measure
        self.counts: list[LayerCount] = []
        self._others: dict[tuple[str, str], OtherCount] = {}
        self._steps = getattr(model, "T", 1) if is_spiking(model) else 1
        self._weights = {p.untyped_storage()._cdata for p in model.parameters()}
        self._path = [("", type(model).__name__)]
        self._neurons = self._attentions = 0  # how many of them we are inside of
        self._hooks: list[Any] = []

    @property
    def others(self) -> list[OtherCount]:
        """All other operations, by module and operator; of structural counts only."""
        return list(self._others.values())

    def __enter__(self) -> OperationCounter:
        for name, module in self.model.named_modules():
            self._hooks += [
                module.register_forward_pre_hook(self._entering(name, module)),
                module.register_forward_hook(self._leave),
            ]
        return super().__enter__()

    def _entering(self, name: str, module: nn.Module) -> Callable[..., None]:
        place = name, type(module).__name__

        def enter(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._path.append(place)

        def enter_neuron(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._path.append(place)
            self._neurons += 1
            if not self.measure:
                # Counted by definition: kernels differ in how they compute the same update.
                self._add("membrane update", rules()["membrane_update"], inputs[0].numel())

        def enter_attention(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            self._path.append(place)
            self._attentions += 1

        if isinstance(module, BaseNode):
            return enter_neuron
        return enter_attention if isinstance(module, MultiDimensionalAttention) else enter

    def _leave(self, module: nn.Module, *_: object) -> None:
        self._path.pop()
        if isinstance(module, BaseNode):
            self._neurons -= 1
        elif isinstance(module, MultiDimensionalAttention):
            self._attentions -= 1

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if not self.measure and _keeps_shape(func, args):
            # Torch works such shapes out in Python, in most of the time that a network takes.
            out = torch.empty_like(args[0])
            if func in _NORMS:  # with statistics that nobody asks for
                out = out, *out.new_empty(2, 0)
        else:
            out = func(*args, **(kwargs or {}))
        if func is aten.convolution.default:
            self._convolution(args, out)
        elif func in _FIRST_FACTOR:
            first = _FIRST_FACTOR[func]
            self._matmul(args[first], args[first + 1], out)
            if first:  # the summand
                self._other(aten.add.Tensor, args, out)
        elif not self.measure and not self._neurons:
            self._other(func, args, out)
        return out

    def _convolution(self, args: Sequence[Any], out: torch.Tensor) -> None:
        x, weight, bias, stride, padding, dilation, transposed, _, groups = args[:9]
        kernel = weight.shape[2:]
        fan_out = weight.shape[1] if transposed else weight.shape[0] // groups
        per_place = weight.shape[1] * math.prod(kernel)
        macs = (x if transposed else out).numel() * per_place
        sides = zip(x.shape[2:], out.shape[2:], kernel, stride, padding, dilation, strict=True)
        axes = tuple((*side, transposed) for side in sides)
        reach = math.prod(int(_reached(*axis).sum()) for axis in axes)
        reach *= x.shape[0] * x.shape[1] * fan_out
        facts = {}
        if self.measure:
            nonzero, reaching, kind = _look(x, _reach(axes))
            facts = self._facts(x, nonzero / math.prod(x.shape[2:]), kind)
            facts["effective"] = reaching * fan_out
        self._record("convolution", LAYER, x, out, macs, reach, weight.numel(), facts)
        if bias is not None:
            self._other(aten.add.Tensor, args, out)

    def _matmul(self, x: torch.Tensor, other: torch.Tensor, out: torch.Tensor) -> None:
        if other.dim() == 1:  # a vector
            other = other[:, None]
        if self._is_weight(x) and not self._is_weight(other):
            x, other = other.mT, x.mT
        weighted = self._is_weight(other)
        macs = out.numel() * x.shape[-1]
        facts = {}
        if self.measure:
            rows = x if x.dim() == 3 else x.reshape(self._folded(x), -1, x.shape[-1])
            nonzero, total, kind = _look(rows.mT, None)
            facts = self._facts(x, nonzero / rows.shape[1], kind)
            facts["effective"] = total * other.shape[-1]
            if not weighted:
                both = (factor if factor.dim() == 3 else factor[None] for factor in (x, other))
                facts["effective"] = _products(*both, total)
        role = LAYER if weighted else ATTENTION
        weights = other.numel() if weighted else 0
        self._record("matmul", role, x, out, macs, macs, weights, facts)

    def _is_weight(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self._weights

    def _facts(self, x: torch.Tensor, rates: torch.Tensor, kind: str) -> dict[str, Any]:
        """Of an input and its rates [rows, channels]: what a record says about the values."""
        steps = self._folded(x)
        by_step = rates.reshape(steps, -1).mean(1)
        by_channel = rates.mean(0)
        constant = steps > 1 and all(torch.equal(x[t], x[0]) for t in range(1, steps))
        return {
            "input": kind,
            "constant": constant,
            "rate": float(rates.mean()),
            "step_rates": tuple(by_step.tolist()),
            "channel_std": float(by_channel.std(correction=0)),
        }

    def _folded(self, x: torch.Tensor) -> int:
        """Time steps in the first axis of an input."""
        return self._steps if x.shape[0] == self._steps else 1

    def _record(self, operation, role, x, out, macs, reach, weights, facts) -> None:
        layer, kind = self._path[-1]
        self.counts.append(
            LayerCount(
                layer=layer,
                type=kind,
                operation=operation,
                role=ATTENTION if self._attentions else role,
                input_shape=tuple(x.shape),
                output_shape=tuple(out.shape),
                steps=self._folded(x),
                macs=macs,
                reach=reach,
                weights=weights,
                **facts,
            )
        )

    def _other(self, func: Any, args: Sequence[Any], out: Any) -> None:
        if self.measure or self._neurons:
            return
        name, rule = _rule(func)
        if rule.category == MOVEMENT:
            return
        of = args[0] if rule.per == "input" else out
        while isinstance(of, list | tuple):  # several outputs: the first is the result
            of = of[0]
        self._add(name, rule, of.numel() if isinstance(of, torch.Tensor) else 0)

    def _add(self, operator: str, rule: Rule, elements: int) -> None:
        layer, kind = self._path[-1]
        category = rule.category
        if self._attentions and category not in (UNKNOWN, MEMBRANE):
            category = ATTENTION
        found = self._others.setdefault(
            (layer, operator), OtherCount(layer, kind, operator, category)
        )
        found.calls += 1
        found.elements += elements
        found.adds += rule.add * elements
        found.multiplies += rule.multiply * elements
        found.specials += rule.special * elements


# Matrix products and which argument is the first factor.
_FIRST_FACTOR = {
    aten.mm.default: 0,
    aten.bmm.default: 0,
    aten.mv.default: 0,
    aten.addmm.default: 1,
    aten.baddbmm.default: 1,
}


def _keeps_shape(func: Any, args: Sequence[Any]) -> bool:
    """Whether an operator makes a new tensor like its first argument, whatever its values."""
    if func in _NORMS:
        return True
    if func not in _ALIKE or not args[0].is_floating_point():
        return False
    shape = args[0].shape
    return all(not isinstance(a, torch.Tensor) or a.shape == shape for a in args[1:])


_ALIKE = {
    *(getattr(aten, name).Tensor for name in ("add", "sub", "mul", "div")),
    *(getattr(aten, name).default for name in ("relu", "gelu", "leaky_relu", "sigmoid", "tanh")),
    aten.clamp_min.default,
}
_NORMS = {aten.native_batch_norm.default, aten.native_layer_norm.default}


@lru_cache(maxsize=64)
def _reach(axes: tuple[tuple[int, ...], ...]) -> torch.Tensor | None:
    """How many outputs each input place of a convolution contributes to, flattened.

    Args:
        axes: arguments of :func:`_reached` for every axis.

    Returns:
        None if every place contributes to one.
    """
    places = np.ones(1)
    for axis in axes:
        places = np.multiply.outer(places, _reached(*axis)).reshape(-1)
    return None if (places == 1).all() else torch.from_numpy(places.astype(np.float32))


@lru_cache(maxsize=256)
def _reached(
    size: int, out: int, kernel: int, stride: int, padding: int, dilation: int, transposed: bool
) -> np.ndarray:
    """How many outputs along an axis each of its ``size`` inputs contributes to."""
    place, tap = np.arange(size)[:, None], np.arange(kernel)[None] * dilation
    if transposed:
        target = place * stride - padding + tap
        return ((target >= 0) & (target < out)).sum(1)
    shifted = place + padding - tap
    target = shifted // stride
    return ((shifted % stride == 0) & (target >= 0) & (target < out)).sum(1)


def _look(x: torch.Tensor, reach: torch.Tensor | None) -> tuple[torch.Tensor, float, str]:
    """Looks at the values [N,C,*], in pieces that take little memory.

    Args:
        reach: weights [L] of the L places of a channel; None for 1 everywhere.

    Returns:
        Non-zero elements [N,C]; all of them together, each times its place's weight; what the
        elements are.
    """
    last = x.stride(1) == 1 and x.shape[1] > 1  # channels lie side by side
    values = x.movedim(1, -1).flatten(1, -2) if last else x.flatten(2)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    length = values.shape[1 if last else 2]
    ones = torch.ones(length, dtype=dtype, device=x.device)
    reach = None if reach is None else reach.to(ones)
    columns = min(values.shape[2], _PIECE)
    rows = max(1, _PIECE // columns)
    scratch = ones.new_empty(min(rows, values.shape[1]) * columns)
    nonzero = torch.zeros(x.shape[:2], dtype=torch.float64, device=x.device)
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    binary = whole = True
    for n in range(values.shape[0]):
        for i, j in product(range(0, values.shape[1], rows), range(0, values.shape[2], columns)):
            first, second = slice(i, i + rows), slice(j, j + columns)
            places, channels = (first, second) if last else (second, first)
            piece = values[n, first, second].to(dtype)
            mask = scratch[: piece.numel()].view(piece.shape)
            torch.ne(piece, 0, out=mask)
            if binary:
                binary = torch.equal(mask, piece)
            if whole and not binary:
                whole = _is_whole(piece)
            by_channel = mask.T if last else mask
            nonzero[n, channels] += by_channel @ ones[places]
            if reach is not None:
                total += (by_channel @ reach[places]).sum(dtype=torch.float64)
    seen = nonzero.sum()
    kind = SILENT if seen == 0 else SPIKES if binary else INTEGER if whole else ANALOG
    return nonzero.cpu(), (seen if reach is None else total).item(), kind


def _products(x: torch.Tensor, other: torch.Tensor, nonzero: float) -> float:
    """Products of [B,M,K] and [B,K,N] without a zero on either side; ``nonzero`` are those of x."""
    others = _look(other, None)[1]
    if nonzero == x.numel():
        return others * x.shape[-2]
    if others == other.numel():
        return nonzero * other.shape[-1]
    return (x.ne(0).sum(-2, dtype=torch.float64) * other.ne(0).sum(-1)).sum().item()


def _is_whole(piece: torch.Tensor) -> bool:
    few = piece[0, :256]  # settles nearly every case
    return torch.equal(few.round(), few) and torch.equal(piece.round(), piece)


def is_spiking(model: nn.Module) -> bool:
    """Whether a model has spiking neurons."""
    return any(isinstance(module, BaseNode) for module in model.modules())


@torch.no_grad()
def count(model: nn.Module, image: torch.Tensor) -> list[LayerCount]:
    """Counts a forward pass on [1,3,H,W], measuring rates; the model is left in its mode."""
    with OperationCounter(model) as counter:
        model(image)
    return counter.counts


@torch.no_grad()
def count_structure(
    model: nn.Module, height: int, width: int
) -> tuple[list[LayerCount], list[OtherCount]]:
    """Dense counts for one image of a size, without computing anything (meta tensors).

    The model is moved to the meta device: build a fresh one for this.
    """
    model = model.to("meta").eval()
    with OperationCounter(model, measure=False) as counter, _nondeterministic():
        model(torch.empty(1, 3, height, width, device="meta"))
    return counter.counts, counter.others


@contextmanager
def _nondeterministic() -> Iterator[None]:
    """Where interpolation is one operator: deterministic algorithms compose it of others."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


@torch.no_grad()
def firing_rates(model: nn.Module, image: torch.Tensor) -> dict[str, float]:
    """Mean spikes per neuron and time step of every spiking layer, by module path."""
    rates: dict[str, float] = {}
    hooks = [
        module.register_forward_hook(
            lambda _, __, spikes, name=name: rates.__setitem__(name, spikes.mean().item())
        )
        for name, module in model.named_modules()
        if isinstance(module, BaseNode)
    ]
    try:
        model(image)
    finally:
        for hook in hooks:
            hook.remove()
    return rates


def parameters(model: nn.Module) -> int:
    """Number of parameters, shared ones once."""
    return sum(p.numel() for p in model.parameters())
