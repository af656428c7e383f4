"""Counting the arithmetic of one forward pass, operation by operation, whatever the layers' types.

The counter watches tensor operations, not module classes, so subclassed layers (spikingjelly's)
cannot escape it. Whether a layer's input is spikes is measured on the values, never read off
a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from spikingjelly.activation_based.layer import MultiDimensionalAttention
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from derainbench.catalog.operators import Rule, operator_rules
from derainbench.energy.inspection import (
    inspect_values,
    products_without_zero,
    reach_of_places,
    reached_outputs,
)
from derainbench.energy.known_shapes import has_known_shape, of_known_shape
from derainbench.energy.levels import graded_facts
from derainbench.energy.networks import is_spiking
from derainbench.energy.products import (
    FIRST_FACTOR,
    FUSED_ATTENTION,
    NO_RULE,
    attention_shapes,
    factors,
    is_composite,
    refuse_products,
    rule_of,
)
from derainbench.energy.records import (
    ANALOG,
    ATTENTION,
    LAYER,
    MEMBRANE,
    MOVEMENT,
    UNKNOWN,
    LayerCount,
    OtherCount,
)
from derainbench.energy.unwatched_neurons import UnwatchedNeurons, watching

aten = torch.ops.aten


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
        self._unwatched = UnwatchedNeurons(model, self, self.counts, compute=measure)
        self._hooks: list[Any] = []
        self._fastpath = True  # of torch's attention modules, as it was before

    @property
    def others(self) -> list[OtherCount]:
        """All other operations by module and operator, of structural counts only."""
        return list(self._others.values())

    def __enter__(self) -> OperationCounter:
        for name, module in self.model.named_modules():
            self._hooks += [
                module.register_forward_pre_hook(self._entering(name, module)),
                module.register_forward_hook(self._leave),
            ]
        self._unwatched.install()
        # Its kernels hide whole layers; without it they call what is counted.
        self._fastpath = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
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
                self._add("membrane update", operator_rules()["membrane_update"], inputs[0].numel())

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
        torch.backends.mha.set_fastpath_enabled(self._fastpath)
        while self._hooks:
            self._hooks.pop().remove()
        self._unwatched.restore()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if is_composite(func):
            with watching(self):
                return func.decompose(*args, **(kwargs or {}))
        if not self.measure and has_known_shape(func, args):
            out = of_known_shape(func, args)
        else:
            out = func(*args, **(kwargs or {}))
        if func is aten.convolution.default:
            self._convolution(args, out)
        elif func in FIRST_FACTOR:
            self._matmul(*factors(func, args, out))
            if FIRST_FACTOR[func]:  # the summand
                self._other(aten.add.Tensor, args, out)
            if func is aten._addmm_activation.default:
                gelu = (kwargs or {}).get("use_gelu")
                self._other(aten.gelu.default if gelu else aten.relu.default, args, out)
        elif func in FUSED_ATTENTION:
            self._attention(args[0], args[1], args[2], out[0])
        elif not self._neurons:
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
        reach = math.prod(int(reached_outputs(*axis).sum()) for axis in axes)
        reach *= x.shape[0] * x.shape[1] * fan_out
        facts: dict[str, Any] = {}
        if self.measure:
            places = reach_of_places(axes)
            seen = inspect_values(x, places)
            facts = self._facts(x, seen.nonzero / math.prod(x.shape[2:]), seen.kind)
            facts["effective_operations"] = seen.reaching * fan_out
            facts |= graded_facts(x, seen.levels, places, fan_out)
        self._record("convolution", LAYER, x, out, macs, reach, weight.numel(), facts)
        if bias is not None:
            self._other(aten.add.Tensor, args, out)

    def _matmul(self, x: torch.Tensor, other: torch.Tensor, out: torch.Tensor) -> None:
        if self._is_weight(x) and not self._is_weight(other):
            x, other = other.mT, x.mT
        weighted = self._is_weight(other)
        macs = out.numel() * x.shape[-1]
        facts: dict[str, Any] = {}
        if self.measure:
            rows = x if x.dim() == 3 else x.reshape(self._folded(x), -1, x.shape[-1])
            seen = inspect_values(rows.mT, None)
            facts = self._facts(x, seen.nonzero / rows.shape[1], seen.kind)
            facts["effective_operations"] = seen.reaching * other.shape[-1]
            facts |= graded_facts(rows.mT, seen.levels, None, other.shape[-1])
            if not weighted:
                first, second = (f if f.dim() == 3 else f[None] for f in (x, other))
                facts["effective_operations"] = products_without_zero(first, second, seen.reaching)
        role = LAYER if weighted else ATTENTION
        weights = other.numel() if weighted else 0
        self._record("matmul", role, x, out, macs, macs, weights, facts)

    def _attention(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, out: torch.Tensor
    ) -> None:
        """The two products that one kernel computes, as if they were two; masked places count.

        Nobody sees the weights between them. A softmax gives no zeros: they count as dense.
        """
        query, key, value = (x.flatten(0, -3) for x in (query, key, value))
        scores, result = attention_shapes(query, key, out)
        self._matmul(query, key.mT, scores)
        facts: dict[str, Any] = {}
        if self.measure:
            steps = self._folded(scores)
            facts = {"input": ANALOG, "activation_density": 1.0, "channel_std": 0.0}
            facts["step_densities"] = (1.0,) * steps
            facts["effective_operations"] = inspect_values(value, None).reaching * scores.shape[1]
        else:
            self._other(aten._softmax.default, (), scores)
        macs = result.numel() * scores.shape[-1]
        self._record("matmul", ATTENTION, scores, result, macs, macs, 0, facts)

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
            "activation_density": float(rates.mean()),
            "step_densities": tuple(by_step.tolist()),
            "channel_std": float(by_channel.std(correction=0)),
        }

    def _folded(self, x: torch.Tensor) -> int:
        """Time steps in the first axis of an input."""
        return self._steps if x.shape[0] == self._steps else 1

    def _record(
        self,
        operation: str,
        role: str,
        x: torch.Tensor,
        out: torch.Tensor,
        macs: int,
        reach: int,
        weights: int,
        facts: Mapping[str, Any],
    ) -> None:
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
        name, rule = rule_of(func)
        if rule is NO_RULE:
            refuse_products(func, args, *self._path[-1])
        if self.measure or self._neurons:
            return
        if rule.category == MOVEMENT:
            return
        costly = args[0] if rule.per == "input" else out
        while isinstance(costly, list | tuple):  # several outputs: the first is the result
            costly = costly[0]
        self._add(name, rule, costly.numel() if isinstance(costly, torch.Tensor) else 0)

    def _add(self, operator: str, rule: Rule, elements: int) -> None:
        layer, kind = self._path[-1]
        category = rule.category
        if self._attentions and category not in (UNKNOWN, MEMBRANE):
            category = ATTENTION
        record = self._others.setdefault(
            (layer, operator), OtherCount(layer, kind, operator, category)
        )
        record.calls += 1
        record.elements += elements
        record.adds += rule.add * elements
        record.multiplies += rule.multiply * elements
        record.specials += rule.special * elements
