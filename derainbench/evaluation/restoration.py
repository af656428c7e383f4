"""Restoring images with a model and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from derainbench.catalog.card_format import Tiling
from derainbench.catalog.model_cards import model_card
from derainbench.evaluation.inference import describe, restore_levels, tiles_in_a_pass, to_uint8
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import size_multiple_of
from derainbench.models.layers import Layers, use_layers
from derainbench.models.weights import load_model


class Restorer:
    """A model with weights, ready to restore uint8 images.

    Args:
        model_name: name in the registry.
        weights: weight file.
        kwargs: constructor arguments, for weight files that do not carry them.
        mode: "tiled", "whole", or None for what the model's official evaluation does, except that
            images too large for one pass are tiled.
        quantise: "round", "truncate", or None likewise.
        device: torch device.
        tile: side of the tiles, pixels, instead of the card's; implies tiles.
        overlap: of neighbouring tiles, pixels, instead of the card's; implies tiles.
        layers: what computes the layers of networks that leave a choice; see
            :func:`~derainbench.models.layers.use_layers`.

    Raises:
        BenchError: for weights that do not fit, or tiles that the network does not take.
    """

    def __init__(
        self,
        model_name: str,
        weights: Path,
        *,
        kwargs: Mapping[str, Any] | None = None,
        mode: str | None = None,
        quantise: str | None = None,
        device: str = "auto",
        tile: int | None = None,
        overlap: int | None = None,
        layers: Layers = "exact",
    ) -> None:
        card = model_card(model_name)
        self.device = prepare(device)
        model, arguments = load_model(model_name, weights, kwargs)
        self.model: nn.Module = model.to(self.device)
        multiple = size_multiple_of(model, card)
        tiling = _tiling(card.network.tiling, tile, overlap, multiple)
        network = card.network.model_copy(update={"size_multiple": multiple, "tiling": tiling})
        self.card = card.model_copy(update={"network": network})
        in_force = use_layers(self.model, layers, training=False)
        self.tiles_per_pass = tiles_in_a_pass(self.device, in_force)
        self.mode = mode = "tiled" if tile or overlap is not None else mode
        self.settings = {
            "model": card.name,
            "kwargs": arguments,
            **describe(self.card, mode),
            "quantise": quantise or card.network.quantise,
            "layers": in_force,
        }
        self.weights = weights

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 [H,W,3] -> uint8 [H,W,3]."""
        return self.with_levels(image)[0]

    def with_levels(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 [H,W,3] -> the restored image as uint8, and before that as float32 from 0 to 255."""
        levels = restore_levels(
            self.model,
            image,
            card=self.card,
            mode=self.mode,
            device=self.device,
            tiles_per_pass=self.tiles_per_pass,
        )
        return to_uint8(levels, self.settings["quantise"]), levels


def _tiling(tiling: Tiling, side: int | None, overlap: int | None, multiple: int) -> Tiling:
    side = side or tiling.side
    if overlap is None:
        overlap = min(tiling.overlap, side // 2)
    if side % multiple:
        raise BenchError(f"tiles of {side} pixels: the network takes multiples of {multiple}")
    if not 0 <= overlap < side:
        raise BenchError(f"tiles of {side} pixels cannot overlap by {overlap}")
    return tiling.model_copy(update={"side": side, "overlap": overlap})
