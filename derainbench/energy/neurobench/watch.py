"""What NeuroBench's metrics need to know of a forward pass beside our counts."""

from __future__ import annotations

import copy
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import nn

from derainbench.energy.neurobench.definitions import ACTIVATIONS, connections, weight_of
from derainbench.energy.records import GRADED, SILENT, SPIKES


class NeuroBenchWatch:
    """Context in which a model's images are watched; what each showed is kept per image.

    Reads tensors and changes none.

    Attributes:
        images: of each image that :meth:`add` closed: a dictionary with ``activations`` and
            ``nonzero_activations``, ``updates`` (None if a neuron's potentials cannot be seen),
            ``Effective_MACs``, ``Effective_ACs`` and ``Dense``.
    """

    def __init__(self, model: nn.Module) -> None:
        self.images: list[dict[str, float | None]] = []
        self._model = model
        self._layers = connections(model)
        self._hooks: list[Any] = []
        # Masks of the inputs of layers with zero weights, which our counts do not look at.
        self._masks: defaultdict[str, list[torch.Tensor]] = defaultdict(list)
        self._before: dict[nn.Module, Any] = {}
        self._clear()

    def _clear(self) -> None:
        self._activations = self._nonzero = 0
        self._updates: int | None = 0
        self._fired: set[nn.Module] = set()
        self._masks.clear()

    def __enter__(self) -> NeuroBenchWatch:
        inside_neurons = {
            part for m in self._model.modules() if isinstance(m, BaseNode) for part in m.modules()
        }
        for module in self._model.modules():
            if isinstance(module, BaseNode):
                self._hooks += [
                    module.register_forward_pre_hook(self._remember),
                    module.register_forward_hook(self._see_neuron),
                ]
            if isinstance(module, ACTIVATIONS) and (
                isinstance(module, BaseNode) or module not in inside_neurons
            ):
                self._hooks.append(module.register_forward_hook(self._see_activation))
        for name, layer in self._layers.items():
            if not weight_of(layer).all():
                self._hooks.append(
                    layer.register_forward_pre_hook(
                        lambda _, inputs, name=name: self._masks[name].append(inputs[0] != 0)
                    )
                )
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _see_activation(self, _: nn.Module, __: Any, output: torch.Tensor) -> None:
        self._activations += output.numel()
        self._nonzero += int((output != 0).sum())

    def _remember(self, neuron: BaseNode, _: Any) -> None:
        stored = getattr(neuron, "store_v_seq", None)
        self._before[neuron] = (getattr(neuron, "v", None), stored)
        if stored is not None and neuron.step_mode == "m":
            neuron.store_v_seq = True

    def _see_neuron(self, neuron: BaseNode, *_: object) -> None:
        potential, stored = self._before.pop(neuron)
        after = getattr(neuron, "v", None)
        if neuron.step_mode == "m":
            sequence = getattr(neuron, "v_seq", None)
            if stored is not None:
                neuron.store_v_seq = stored
        else:
            sequence = after[None] if isinstance(after, torch.Tensor) else None
        if sequence is None or self._updates is None:
            self._updates = None  # it has no potential, or hides it
            return
        for step, current in enumerate(sequence):
            if step == 0 and neuron not in self._fired:
                self._updates += current.numel()
            else:
                self._updates += int((current != potential).sum())
            potential = current
        self._fired.add(neuron)

    def add(self, layers: pd.DataFrame) -> None:
        """Closes an image.

        Args:
            layers: our counts of it as they were seen, columns of
                :class:`~derainbench.energy.records.LayerCount`.
        """
        rows = layers[layers["layer"].isin(self._layers)]
        signs = pd.Series(False, index=rows.index)  # -1, 0 and 1
        if "levels" in rows:
            signs = (
                (rows["input"] == GRADED) & (rows["level_step"] == 1) & (rows["unit_spikes"] == 1)
            )
        spiking = rows["input"].isin([SPIKES, SILENT]) | signs
        effective = rows["effective_operations"].astype(float).copy()
        for name, masks in self._masks.items():
            of_layer = rows.index[rows["layer"] == name]
            products = [_without_zeros(self._layers[name], mask) for mask in masks]
            if len(products) != len(of_layer):  # one call, several products
                products = [sum(products), *[0.0] * (len(of_layer) - 1)]
            effective.loc[of_layer] = np.array(products)
        self.images.append(
            {
                "activations": self._activations,
                "nonzero_activations": self._nonzero,
                "updates": self._updates,
                "Effective_MACs": float(effective[~spiking].sum()),
                "Effective_ACs": float(effective[spiking].sum()),
                "Dense": float(rows["reach"].sum()),
            }
        )
        self._clear()


@torch.no_grad()
def _without_zeros(layer: nn.Module, mask: torch.Tensor) -> float:
    """Products of a non-zero input and a non-zero weight: the layer of both their masks."""
    binary = copy.deepcopy(layer)
    for hooks in (binary._forward_hooks, binary._forward_pre_hooks):
        hooks.clear()
    binary = binary.double()
    for name, parameter in binary.named_parameters():
        parameter.copy_((parameter != 0) & (name == "weight"))
    return float(binary(mask.double()).sum())
