"""Restoring images with a model and its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from derainbench.catalog.model_cards import model_card
from derainbench.data.images import read_rgb, write_png
from derainbench.evaluation.inference import describe, restore_image
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import staged_folder
from derainbench.foundation.progress import Reporter
from derainbench.models.construction import size_multiple_of
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
    ) -> None:
        card = model_card(model_name)
        self.device = prepare(device)
        model, arguments = load_model(model_name, weights, kwargs)
        self.model: nn.Module = model.to(self.device)
        multiple = size_multiple_of(model, card)
        network = card.network.model_copy(update={"size_multiple": multiple})
        self.card = card.model_copy(update={"network": network})
        self.mode = mode
        self.settings = {
            "model": card.name,
            "kwargs": arguments,
            **describe(card, mode),
            "quantise": quantise or card.network.quantise,
        }
        self.weights = weights

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 [H,W,3] -> uint8 [H,W,3]."""
        return restore_image(
            self.model,
            image,
            card=self.card,
            mode=self.mode,
            quantise=self.settings["quantise"],
            device=self.device,
        )


def derain(files: Sequence[Path], restorer: Restorer, out: Path) -> list[Path]:
    """Restores single images into ``out`` as PNG files of the same stem.

    Raises:
        BenchError: if two images would get one name, or an image cannot be read.
    """
    names = [f"{f.stem}.png" for f in files]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise BenchError(f"two of the images would be written as {twice}; derain them apart")
    with staged_folder(out) as stage, Reporter("derain", len(files)) as reporter:
        for file, name in zip(files, names, strict=True):
            write_png(stage / name, restorer(read_rgb(file)))
            reporter.advance(file.name)
    return [out / name for name in names]
