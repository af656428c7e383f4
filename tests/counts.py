"""Counting as tests do it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from derainbench.energy.counter import OperationCounter
from derainbench.energy.forward_pass import nondeterministic_algorithms
from derainbench.energy.records import LayerCount, OtherCount


def only(records: Sequence[Any]) -> Any:
    """The one record that a count must give."""
    [record] = records
    return record


def counted_on_paper(model: nn.Module, *shape: int) -> tuple[list[LayerCount], list[OtherCount]]:
    """What a model's structure is for an input that need not be an image."""
    model = model.to("meta").eval()
    with (
        torch.no_grad(),
        nondeterministic_algorithms(),
        OperationCounter(model, measure=False) as counter,
    ):
        model(torch.empty(shape, device="meta"))
    return counter.counts, counter.others
