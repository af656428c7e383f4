"""Counts of one forward pass: measured on an image, or of the structure alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from derainbench.energy.counter import OperationCounter
from derainbench.energy.records import LayerCount, OtherCount


@torch.no_grad()
def count_on_image(model: nn.Module, image: torch.Tensor) -> list[LayerCount]:
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
    with OperationCounter(model, measure=False) as counter, nondeterministic_algorithms():
        model(torch.empty(1, 3, height, width, device="meta"))
    return counter.counts, counter.others


@contextmanager
def nondeterministic_algorithms() -> Iterator[None]:
    """Where interpolation is one operator: deterministic algorithms compose it of others."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("default")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
