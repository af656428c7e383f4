"""The optimiser that a recipe asks for."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from derainbench.catalog.recipes import Recipe


def build_optimiser(
    recipe: Recipe, parameters: Iterable[torch.nn.Parameter]
) -> torch.optim.Optimizer:
    """The recipe's optimiser at its base rate.

    On a GPU all parameters are updated by one fused kernel. A CPU has one too, but it rounds otherwise
    than the loop over parameters by which runs on CPUs have always been trained.
    """
    parameters = list(parameters)
    fused = True if all(p.is_cuda for p in parameters) else None  # None: what torch takes by itself
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(
            parameters,
            recipe.lr,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            fused=fused,
        )
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam}[recipe.optimiser]
    return kind(parameters, recipe.lr, recipe.betas, recipe.eps, recipe.weight_decay, fused=fused)
