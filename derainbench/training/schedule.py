"""What every epoch of a run consists of, and the learning rate of every step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

from derainbench.catalog.recipes import Recipe


@dataclass(frozen=True)
class Epoch:
    """One pass over the crops of the training images, or the beginning of one.

    Attributes:
        number: from 0.
        first_step: steps of the run before this epoch.
        steps: steps of this epoch.
        crop: side of the crops, pixels.
        batch_size: crops per step.
    """

    number: int
    first_step: int
    steps: int
    crop: int
    batch_size: int


def plan_epochs(recipe: Recipe, images: int) -> list[Epoch]:
    """All epochs of a run on this many training images."""
    crops = images * recipe.crops_per_image
    if recipe.epochs:
        # A recipe whose length is in epochs says both, or it would have been refused.
        batch_size, crop = cast(int, recipe.batch_size), cast(int, recipe.crop)
        steps = math.ceil(crops / batch_size)
        return [
            Epoch(number, number * steps, steps, crop, batch_size)
            for number in range(recipe.epochs)
        ]
    epochs: list[Epoch] = []
    done = 0
    for phase in recipe.phases:
        end = done + phase.steps
        whole = math.ceil(crops / phase.batch_size)
        while done < end:
            steps = min(whole, end - done)
            epochs.append(Epoch(len(epochs), done, steps, phase.crop, phase.batch_size))
            done += steps
    return epochs


def rate_in_step(recipe: Recipe, epoch: Epoch, step: int) -> float:
    """The rate of a step (from 0) of an epoch; it only changes inside epochs if steps count."""
    return rate_at(recipe, epoch.number if recipe.epochs else epoch.first_step + step)


def rate_at(recipe: Recipe, position: int) -> float:
    """The rate after ``position`` epochs or, if the recipe's length is in steps, steps."""
    match recipe.schedule:
        case "warmup-cosine":
            return _warmup_cosine(recipe, position)
        case "multistep":
            return recipe.lr * recipe.gamma ** sum(mark <= position for mark in recipe.milestones)
        case "constant":
            return recipe.lr
    if position < recipe.hold:
        return recipe.lr
    gone, whole = position - recipe.hold, recipe.length - recipe.hold
    share = _half_cosine(gone, whole) if recipe.schedule == "cosine" else 1 - gone / whole
    return recipe.min_lr + (recipe.lr - recipe.min_lr) * share


def _warmup_cosine(recipe: Recipe, epoch: int) -> float:
    """The warm-up and cosine of released code that several papers share, as it really acts.

    They wrap PyTorch's recursive cosine annealing in a warm-up scheduler. What comes out is: a
    linear ramp; one epoch at the base rate; then a cosine over ``epochs - warmup_epochs`` steps
    that starts one step early, so that the epoch after warm-up exceeds the base rate by the
    inverse of the cosine's first factor. With ``zero_first_epoch`` the ramp starts at 0, as theirs
    does; without, it starts one step above 0.
    """
    warmup = recipe.warmup_epochs
    if epoch < warmup:
        if recipe.zero_first_epoch:
            return recipe.lr * epoch / warmup
        return recipe.lr * (epoch + 1) / (warmup + 1)
    if epoch == warmup:
        return recipe.lr
    steps = recipe.length - warmup
    overshoot = (recipe.lr - recipe.min_lr) / _half_cosine(1, steps)
    return recipe.min_lr + overshoot * _half_cosine(epoch - warmup - 1, steps)


def _half_cosine(step: int, steps: int) -> float:
    return (1 + math.cos(math.pi * step / steps)) / 2
