"""What is read of another project's counter: its totals, and which module they belong to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any

import torch
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

    def noting(
        self, model_name: str, notes: MutableMapping[tuple[str, str, int], Reading | None]
    ) -> OtherCounter:
        """The same counter, which notes under :func:`reading_key` what it gives of one model.

        Args:
            model_name: of the only network that it is then asked about, on square images.
            notes: filled in place; None stands for a failure.
        """

        def read(model: nn.Module, image: torch.Tensor) -> Reading:
            key = reading_key(model_name, self, image.shape[-1])
            notes[key] = None
            notes[key] = reading = self.read(model, image)
            return reading

        return replace(self, read=read)


def reading_key(model_name: str, counter: OtherCounter, side: int) -> tuple[str, str, int]:
    """What a reading is noted under: model, counter and side of the image in pixels."""
    return model_name, counter.name, side


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
