"""The steps of one epoch of a training."""

from __future__ import annotations

import itertools
from typing import Any, cast

import torch
from torch import nn
from torch.utils.data import DataLoader

from derainbench.catalog.recipes import Recipe
from derainbench.data.crops import Crops
from derainbench.foundation.errors import BenchError
from derainbench.foundation.stop_requests import ignore_stop_requests
from derainbench.training.interruption import Interruptions, StepsDone
from derainbench.training.losses import total_loss
from derainbench.training.schedule import Epoch, rate_in_step


def run_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    crops: Crops,
    recipe: Recipe,
    seed: int,
    epoch: Epoch,
    workers: int,
    device: torch.device,
    place: Interruptions,
) -> StepsDone:
    """The steps of one epoch, those apart that an interrupted run has done; what they came to."""
    crops.epoch, crops.size = epoch.number, epoch.crop
    epoch_seed = seed * 1_000_003 + epoch.number
    order = torch.Generator().manual_seed(epoch_seed)
    torch.manual_seed(epoch_seed)  # stochastic depth draws alike in a run that was resumed
    loader = DataLoader(
        crops,
        epoch.batch_size,
        shuffle=True,
        generator=order,
        num_workers=workers,
        worker_init_fn=ignore_stop_requests,
    )
    model.train()
    done = place.first_steps(device)
    for rainy, clean in itertools.islice(loader, done.steps, epoch.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_in_step(recipe, epoch, done.steps)
        optimiser.zero_grad(set_to_none=True)
        outputs = _outputs(model, rainy.to(device), recipe)
        loss = total_loss(outputs, clean.to(device), recipe.loss, recipe.stage_weight)
        loss.backward()
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimiser.step()
        done.add(loss.item(), len(rainy))
        place.after_step(done, device)
    return done


def _outputs(model: nn.Module, rainy: torch.Tensor, recipe: Recipe) -> list[torch.Tensor]:
    """What the recipe's loss is applied to, float32 [N,3,H,W] each, the restored image last."""
    with torch.autocast(rainy.device.type, torch.bfloat16, enabled=recipe.amp == "bf16"):
        try:
            outputs = cast(Any, model).stages(rainy) if recipe.stage_weight else [model(rainy)]
        except ValueError as error:  # a side that is a multiple but still unsuitable
            raise BenchError(f"recipe: crop {rainy.shape[-1]}: {error}") from error
    return [image.float() for image in outputs]
