"""The optimiser that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from derainbench.catalog.recipes import Recipe


def build_optimiser(
    recipe: Recipe, parameters: Iterable[torch.nn.Parameter]
) -> torch.optim.Optimizer:
    """The recipe's optimiser at its base rate."""
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay
        )
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[recipe.optimiser]
    return kind(parameters, recipe.lr, recipe.betas, recipe.eps, recipe.weight_decay)
