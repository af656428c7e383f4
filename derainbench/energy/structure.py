"""What a network computes for one image of a size, weights and images apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from derainbench.catalog.model_cards import model_card
from derainbench.energy.count_tables import layer_table, other_table
from derainbench.energy.forward_pass import count_structure
from derainbench.energy.input_classes import CLASS_COLUMNS, UNITS
from derainbench.energy.networks import parameter_count
from derainbench.energy.probing import probed_layers
from derainbench.energy.records import GRADED, LAYER, SILENT, TABLE_SIZE
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build

PROBE_SIZE = 32  # pixels; what a layer's input is does not depend on the image's size


@dataclass(frozen=True)
class Structure:
    """What a network is, weights and images apart.

    Attributes:
        parameters: their number, shared ones once.
        layers: columns of :class:`LayerCount` and ``input_elements``, ``output_elements``; those
            of graded spikes only where there are any.
        others: all other operators, columns of :class:`OtherCount`.
    """

    parameters: int
    layers: pd.DataFrame
    others: pd.DataFrame

    def totals(self, size: int) -> dict[str, Any]:
        """In short, for records; the size is that it was counted at."""
        silent = (self.layers["input"] == SILENT) & (self.layers["role"] == LAYER)
        undetermined = float(self.layers.loc[silent, "macs"].sum())
        return {
            "parameters": self.parameters,
            "size": [size, size],
            "macs_dense": float(self.layers["macs"].sum()),
            **({"macs_undetermined": undetermined} if undetermined else {}),
        }


def structure(
    model_name: str,
    kwargs: dict[str, Any],
    size: int = TABLE_SIZE,
    *,
    at_other_size: Structure | None = None,
) -> Structure:
    """What a network computes for one image of a size, weights and images apart.

    A network that is stepped T times counts T times; one that takes squares of a single size only
    counts as often as these fill the image, overlaps apart. What the inputs of a spiking
    network's layers are is seen on untrained ones that are given noise
    (:mod:`derainbench.energy.probing`); "silent" is what could not be told.

    Args:
        model_name: in the registry.
        kwargs: constructor arguments.
        size: side of the image, pixels.
        at_other_size: the same network, seen before: what its layers' inputs are is not looked at
            again.

    Raises:
        BenchError: for a size that the model does not take.
    """
    card = model_card(model_name)
    if size % card.network.size_multiple:
        raise BenchError(
            f"{model_name} takes multiples of {card.network.size_multiple} pixels only, not {size}"
        )
    side = card.network.fixed_size or size
    with torch.device("meta"):  # no weights are drawn: only shapes count
        model = build(model_name, **kwargs)
    counts, others = count_structure(model, side, side)
    layers, other_operators = layer_table(counts), other_table(others)
    if card.spiking:
        multiples = -(-PROBE_SIZE // card.network.size_multiple)
        seen = (
            at_other_size.layers
            if at_other_size
            else probed_layers(
                lambda: build(model_name, **kwargs), multiples * card.network.size_multiple
            )
        )
        if not seen["layer"].equals(layers["layer"]):
            raise BenchError(f"{model_name}: its layers differ between two sizes of image")
        classes = [column for column in CLASS_COLUMNS if column in seen]
        layers[classes] = seen[classes]
        if "levels" in seen:
            # How many unit spikes there are is seen on images alone.
            layers[UNITS] = np.where(seen["input"] == GRADED, np.nan, 0.0)
    if side != size:
        squares = (size / side) ** 2
        amounts = ["macs", "reach", "weights", "input_elements", "output_elements"]
        layers[amounts] *= squares
        other_operators[["elements", "adds", "multiplies", "specials"]] *= squares
    return Structure(parameter_count(model), layers, other_operators)
