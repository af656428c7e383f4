"""The paper's Fig. 3, drawn from the model itself: what its modules are, what they take and cost."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from derainbench import models
from derainbench.energy.counting import ATTENTION, parameters

INPUT, RESULT = "input", "restored"


@dataclass(frozen=True)
class Block:
    """A top-level module of a network, as one image goes through it.

    Attributes:
        name: its attribute in the network.
        kinds: classes of its equal parts, or of its only one's children: ("SRB",).
        count: how many equal parts follow each other.
        path: module path of the first part.
        part: that part.
        input_shape, output_shape: [T,N,C,H,W] or [N,C,H,W].
        parameters: their number.
        spike_macs, analog_macs: dense MACs of layers on spikes and on analog input, all time
            steps; attention is in neither.
        sources: blocks, or :data:`INPUT`, whose outputs it takes.
    """

    name: str
    kinds: tuple[str, ...]
    count: int
    path: str
    part: nn.Module
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    spike_macs: float
    analog_macs: float
    sources: tuple[str, ...]

    @property
    def side(self) -> int:
        """Width of its output, pixels."""
        return self.output_shape[-1]


@dataclass(frozen=True)
class Architecture:
    """A network as it is drawn.

    Attributes:
        title: class and arguments.
        blocks: in the order of computation.
        result: what the network's output is put together from.
        parameters: their number, shared ones once.
        steps: time steps.
        size: side of the image, pixels.
        inputs: "spikes" or "analog" by path of every layer.
        joins: what puts several blocks' outputs together, by their names: "cat", "add".
    """

    title: str
    blocks: tuple[Block, ...]
    result: tuple[str, ...]
    parameters: int
    steps: int
    size: int
    inputs: Mapping[str, str]
    joins: Mapping[tuple[str, ...], str]


class _Origins(TorchFunctionMode):
    """Remembers of every tensor which blocks it comes from, by way of ordinary operations."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self._known = {id(image): (image, (INPUT,))}
        self.joins: dict[tuple[str, ...], str] = {}

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        made = function(*arguments, **(keywords or {}))
        if isinstance(made, torch.Tensor):
            sources = self.of((arguments, keywords))
            self.put(made, sources)
            if len(sources) > 1:
                self.joins.setdefault(sources, function.__name__.strip("_"))
        return made

    def of(self, values: Any) -> tuple[str, ...]:
        """The blocks that tensors somewhere inside ``values`` come from."""
        found = [self._known.get(id(v), (None, ()))[1] for v in tree_leaves(values)]
        return tuple(dict.fromkeys(name for names in found for name in names))

    def put(self, tensor: torch.Tensor, sources: tuple[str, ...]) -> None:
        """Notes where a tensor is from; the tensor is kept, so that its id stays its own."""
        self._known[id(tensor)] = (tensor, sources)


def architecture(
    model_name: str, kwargs: Mapping[str, Any], layers: pd.DataFrame, size: int
) -> Architecture:
    """Looks at a network while a small image goes through it; shapes are stated for ``size``.

    Args:
        model_name: in the registry.
        kwargs: constructor arguments.
        layers: its operations at that size, from :func:`derainbench.energy.account.structure`.
        size: side of the image, pixels.

    Raises:
        BenchError: for an unknown model or arguments that it does not take.
    """
    card = models.card(model_name)
    with torch.device("meta"):  # no weights are drawn: values do not matter
        model = models.build(model_name, **kwargs).eval()
    model = model.to_empty(device="cpu")
    side = card.fixed_size or 4 * card.size_multiple
    image = torch.zeros(1, 3, side, side)
    origins, seen = _Origins(image), {}

    def note(name: str):
        def hook(_, arguments, output):
            shapes = (_scaled(t.shape, size, side) for t in (arguments[0], output))
            seen[name] = (*shapes, origins.of(arguments))
            origins.put(output, (name,))

        return hook

    for module in model.modules():
        if isinstance(module, BaseNode | _BatchNorm):
            # They keep the shape, and importing spikingjelly's kernels takes seconds.
            module.forward = _same
    for name, child in model.named_children():
        if not isinstance(child, nn.Identity):
            child.register_forward_hook(note(name))
    with torch.no_grad(), origins:
        output = model(image)
    rows = layers.assign(block=layers["layer"].str.split(".").str[0])
    blocks = [
        _block(name, model.get_submodule(name), shapes, rows[rows["block"] == name])
        for name, shapes in seen.items()
    ]
    return Architecture(
        title=_call(type(model), kwargs),
        blocks=tuple(blocks),
        result=origins.of(output),
        parameters=parameters(model),
        steps=int(getattr(model, "T", 1)),
        size=size,
        inputs=layers.set_index("layer")["input"].to_dict(),
        joins=origins.joins,
    )


def _scaled(shape: torch.Size, size: int, side: int) -> tuple[int, ...]:
    """[..,H,W] of an image of a size, from that of a smaller one."""
    *others, height, width = shape
    return (*others, height * size // side, width * size // side)


def _same(x: torch.Tensor) -> torch.Tensor:
    return x


def _block(name: str, module: nn.Module, seen: tuple, rows: pd.DataFrame) -> Block:
    parts = list(module) if isinstance(module, nn.Sequential) else [module]
    path = f"{name}.0" if isinstance(module, nn.Sequential) else name
    equal = len({type(part) for part in parts}) == 1 and bool(list(parts[0].children()))
    rows = rows[rows["role"] != ATTENTION]
    analog = rows["input"] == "analog"
    return Block(
        name=name,
        kinds=(type(parts[0]).__name__,) if equal else tuple(map(label, parts)),
        count=len(parts) if equal else 1,
        path=path if equal else name,
        part=parts[0] if equal else module,
        input_shape=seen[0],
        output_shape=seen[1],
        parameters=parameters(module),
        spike_macs=float(rows.loc[~analog, "macs"].sum()),
        analog_macs=float(rows.loc[analog, "macs"].sum()),
        sources=seen[2],
    )


def label(module: nn.Module) -> str:
    """A module in a few characters: ``conv 3x3 48→96 /2``, ``LIF 0.15``, ``tdBN``."""
    kind = type(module).__name__
    if isinstance(module, nn.Conv2d):
        stride = f" /{module.stride[0]}" if module.stride[0] > 1 else ""
        kernel = "x".join(map(str, module.kernel_size))
        return f"conv {kernel} {module.in_channels}→{module.out_channels}{stride}"
    if hasattr(module, "v_threshold"):
        return f"{kind.removesuffix('Node')} {module.v_threshold:g}"
    known = {"ThresholdDependentBatchNorm2d": "tdBN", "AdaptiveAvgPool2d": "average"}
    return known.get(kind, kind.strip("_").removesuffix("2d"))


def lanes(part: nn.Module) -> dict[str, list[tuple[str, nn.Module]]]:
    """What a block consists of: for each of its children, the modules in it, by their paths."""
    found = {}
    for name, child in part.named_children():
        inner = [(f"{name}.{n}", c) for n, c in child.named_children()]
        found[name] = inner or [(name, child)]
    return found


def formula(part: nn.Module) -> str:
    """The first sentence of a block's own description."""
    text = (inspect.getdoc(type(part)) or "").split("\n\n")[0]
    return text.replace("\n", " ").replace("``", "")


def _call(of: type, kwargs: Mapping[str, Any]) -> str:
    """Class and arguments, defaults too: ``ESDNet(dim=48, T=4)``."""
    defaults = {
        name: p.default
        for name, p in inspect.signature(of).parameters.items()
        if p.default is not inspect.Parameter.empty
    }
    given = ", ".join(f"{name}={_plain(v)}" for name, v in (defaults | dict(kwargs)).items())
    return f"{of.__name__}({given})"


def _plain(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)
