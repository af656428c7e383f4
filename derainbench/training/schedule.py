"""The learning rate of every epoch, as the authors' scheduler really acts."""

from __future__ import annotations

import math

from derainbench.training.recipe import Recipe


def rate_in_epoch(recipe: Recipe, epoch: int) -> float:
    """The rate that the optimiser uses in ``epoch`` (from 0).

    The authors wrap PyTorch's recursive cosine annealing in a warm-up scheduler. What comes out
    is: a linear ramp; one epoch at the base rate; then a cosine over ``epochs - warmup_epochs``
    steps that starts one step early, so that the epoch after warm-up exceeds the base rate by
    the inverse of the cosine's first factor. With ``zero_first_epoch`` the ramp starts at 0, as
    theirs does; without, it starts one step above 0.
    """
    warmup = recipe.warmup_epochs
    if epoch < warmup:
        if recipe.zero_first_epoch:
            return recipe.lr * epoch / warmup
        return recipe.lr * (epoch + 1) / (warmup + 1)
    if epoch == warmup:
        return recipe.lr
    steps = recipe.epochs - warmup
    overshoot = (recipe.lr - recipe.min_lr) / _half_cosine(1, steps)
    return recipe.min_lr + overshoot * _half_cosine(epoch - warmup - 1, steps)


def _half_cosine(step: int, steps: int) -> float:
    return (1 + math.cos(math.pi * step / steps)) / 2
