"""Looking at a network for its drawing: what its modules are, what they take and cost."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd
import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from derainbench.catalog.model_cards import model_card
from derainbench.energy.networks import parameter_count
from derainbench.energy.records import ATTENTION, SILENT, SPIKES
from derainbench.models.construction import build
from derainbench.results.architecture import INPUT, Architecture, Block, Inner, Join

# Of a module that ran: shapes of its input and output, and the blocks that its input is from.
_Seen = tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...]]


class _Origins(TorchFunctionMode):
    """Remembers of every tensor which blocks it comes from, by way of ordinary operations."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        # By id, with the tensor itself: while it is kept, its id stays its own.
        self._known: dict[int, tuple[torch.Tensor, tuple[str, ...]]] = {}
        self.put(image, (INPUT,))
        self.joins: dict[tuple[str, ...], str] = {}

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
    ) -> Any:
        result = function(*arguments, **(keywords or {}))
        if isinstance(result, torch.Tensor):
            sources = self.sources_of((arguments, keywords))
            self.put(result, sources)
            if len(sources) > 1:
                self.joins.setdefault(sources, function.__name__.strip("_"))
        return result

    def sources_of(self, values: Any) -> tuple[str, ...]:
        """The blocks that tensors somewhere inside ``values`` come from."""
        names = [self._known[id(v)][1] for v in tree_leaves(values) if id(v) in self._known]
        return tuple(dict.fromkeys(name for of_tensor in names for name in of_tensor))

    def put(self, tensor: torch.Tensor, sources: tuple[str, ...]) -> None:
        """Notes where a tensor is from."""
        self._known[id(tensor)] = (tensor, sources)


def architecture(
    model_name: str, kwargs: Mapping[str, Any], layers: pd.DataFrame, size: int
) -> Architecture:
    """Looks at a network while an image without values goes through it.

    Args:
        model_name: in the registry.
        kwargs: constructor arguments.
        layers: its operations at that size, from :func:`derainbench.energy.structure.structure`.
        size: side of the image, pixels.

    Raises:
        BenchError: for an unknown model or arguments that it does not take.
    """
    card = model_card(model_name)
    side = card.network.fixed_size or size
    with torch.device("meta"):  # no weights are drawn, nothing is computed: shapes are enough
        model = build(model_name, **kwargs).eval()
        image = torch.zeros(1, 3, side, side)
    origins = _Origins(image)
    seen: dict[str, _Seen] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, *taken_and_given: Any) -> None:
            *taken, given = taken_and_given
            first, last = _tensors(taken)[0], _tensors(given)[-1]
            shapes = _scaled(first.shape, size, side), _scaled(last.shape, size, side)
            seen[name] = (*shapes, origins.sources_of(taken))
            origins.put(last, (name,))

        return hook

    for module in model.modules():
        if isinstance(module, BaseNode | _BatchNorm):
            # They keep the shape, and importing spikingjelly's kernels takes seconds.
            module.forward = _same  # type: ignore[method-assign]  # of this instance alone
    for name, child in _blocks(model):
        if not isinstance(child, nn.Identity):
            child.register_forward_hook(note(name), with_kwargs=True)
    with torch.no_grad(), origins:
        output = model(image)
    blocks = [
        _block(name, model.get_submodule(name), taken, layers[_below(layers["layer"], name)])
        for name, taken in seen.items()
    ]
    return Architecture(
        title=_call(type(model), kwargs),
        blocks=tuple(blocks),
        result=origins.sources_of(output),
        parameters=parameter_count(model),
        steps=int(getattr(model, "T", 1)),
        size=size,
        joins=tuple(Join(sources, name) for sources, name in origins.joins.items()),
    )


def _blocks(network: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The children of a network, those in lists of modules one by one, by their paths."""
    for name, child in network.named_children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from _blocks(child, f"{path}{name}.")
        else:
            yield f"{path}{name}", child


def _below(layers: pd.Series, block: str) -> pd.Series:
    """Which layers belong to a block."""
    return (layers == block) | layers.str.startswith(f"{block}.")


def _tensors(values: Any) -> list[torch.Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


def _scaled(shape: torch.Size, size: int, side: int) -> tuple[int, ...]:
    """[..,H,W] of an image of a size, from that of the squares that a network takes."""
    *others, height, width = shape
    return (*others, height * size // side, width * size // side)


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _block(name: str, module: nn.Module, seen: _Seen, rows: pd.DataFrame) -> Block:
    parts = list(module) if isinstance(module, nn.Sequential) else [module]
    equal = len({type(part) for part in parts}) == 1 and bool(list(parts[0].children()))
    part = parts[0] if equal else module
    path = f"{name}.0" if equal and isinstance(module, nn.Sequential) else name
    inputs = rows.set_index("layer")["input"].to_dict()
    rows = rows[rows["role"] != ATTENTION]
    spikes, silent = (rows["input"] == kind for kind in (SPIKES, SILENT))
    input_shape, output_shape, sources = seen
    return Block(
        name=name,
        kinds=(type(part).__name__,) if equal else tuple(map(label, parts)),
        count=len(parts) if equal else 1,
        path=path,
        formula=_formula(part),
        inside={
            child: tuple(
                _inner(module, below, inputs.get(f"{path}.{below}")) for below, module in m
            )
            for child, m in _lanes(part).items()
        },
        input_shape=input_shape,
        output_shape=output_shape,
        parameters=parameter_count(module),
        spike_macs=float(rows.loc[spikes, "macs"].sum()),
        analog_macs=float(rows.loc[~spikes & ~silent, "macs"].sum()),
        sources=sources,
        undetermined_macs=float(rows.loc[silent, "macs"].sum()),
    )


def _lanes(part: nn.Module) -> dict[str, list[tuple[str, nn.Module]]]:
    """What a block consists of: for each of its children, the modules in it, by their paths."""
    lanes = {}
    for name, child in part.named_children():
        inner = [(f"{name}.{n}", c) for n, c in child.named_children()]
        # A neuron is one module, whatever its surrogate function is made of.
        lanes[name] = [(name, child)] if hasattr(child, "v_threshold") else inner or [(name, child)]
    return lanes


def _inner(module: nn.Module, path: str, takes: str | None) -> Inner:
    if isinstance(module, nn.Conv2d):
        return Inner(path, label(module), "convolution", takes)
    if hasattr(module, "v_threshold"):
        return Inner(path, label(module), "neurons", takes)
    if list(module.children()):
        return Inner(path, label(module), "compound", takes)
    return Inner(path, label(module), "other", takes)


def label(module: nn.Module) -> str:
    """A module in a few characters: ``conv 3x3 48→96 /2``, ``LIF 0.15``, ``tdBN``.

    A neuron goes by its threshold; one that says how many levels it gives, silence among them
    (``levels``), goes by these, for it fires below a threshold of 1 already.
    """
    kind = type(module).__name__
    if isinstance(module, nn.Conv2d):
        stride = f" /{module.stride[0]}" if module.stride[0] > 1 else ""
        kernel = "x".join(map(str, module.kernel_size))
        return f"conv {kernel} {module.in_channels}→{module.out_channels}{stride}"
    if hasattr(module, "v_threshold"):
        neuron, levels = kind.removesuffix("Node"), getattr(module, "levels", None)
        return f"{neuron}, {levels} levels" if levels else f"{neuron} {module.v_threshold:g}"
    known = {"ThresholdDependentBatchNorm2d": "tdBN", "AdaptiveAvgPool2d": "average"}
    return known.get(kind, kind.strip("_").removesuffix("2d"))


def _formula(part: nn.Module) -> str:
    """The first sentence of a block's own description."""
    text = (inspect.getdoc(type(part)) or "").split("\n\n")[0]
    return text.replace("\n", " ").replace("``", "")


def _call(network: type, kwargs: Mapping[str, Any]) -> str:
    """Class and arguments, defaults too: ``Network(dim=48, T=4)``."""
    defaults = {
        name: p.default
        for name, p in inspect.signature(network).parameters.items()
        if p.default is not inspect.Parameter.empty
    }
    given = ", ".join(f"{name}={_plain(v)}" for name, v in (defaults | dict(kwargs)).items())
    return f"{network.__name__}({given})"


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)
