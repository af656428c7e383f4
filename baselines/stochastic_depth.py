"""Stochastic depth, which several transformers are trained with."""

from __future__ import annotations

import torch
from torch import nn


class DropPath(nn.Module):
    """In training, drops a branch for whole samples with probability ``rate``; [N,..] of four axes."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.draw_part(0, 1)

    def draw_part(self, part: int, parts: int) -> None:
        """From now on the samples are one of so many equal parts of a batch.

        Numbers are drawn for the whole batch: with equal generators the parts are treated as they would
        be in one process that has them all.
        """
        self.part, self.parts = part, parts

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.rate == 0:
            return x
        drawn = x.new_empty(self.parts * len(x), 1, 1, 1).bernoulli_(1 - self.rate)
        return x * drawn.chunk(self.parts)[self.part] / (1 - self.rate)
