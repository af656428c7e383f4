"""The optimiser's steps of an epoch, and how crops get to the device that computes them.

Nothing in a step asks the device for a number, which would wait for all that it still has to do:
losses stay there and are read once, when the epoch is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import torch
from torch import nn
from torch.utils.data import DataLoader, Sampler

from derainbench.catalog.recipes import Recipe
from derainbench.data.crops import CropKey, Crops
from derainbench.foundation.errors import BenchError
from derainbench.foundation.stop_requests import ignore_stop_requests
from derainbench.training.interruption import Interruptions, StepsDone
from derainbench.training.losses import total_loss
from derainbench.training.parallel.group import Group
from derainbench.training.parallel.sharing import shared
from derainbench.training.schedule import Epoch, rate_in_step

# [N,3,H,W] -> the restored image, or all of a network's outputs.
Forward = Callable[[torch.Tensor], Any]
# An epoch and its first step that is to be done -> (rainy, clean), float [N,3,H,W] each, by step.
Batches = Callable[[Epoch, int], Iterable[tuple[torch.Tensor, torch.Tensor]]]


def seed_of(seed: int, epoch: Epoch) -> int:
    """What the order of an epoch and all that is random inside the network follow from."""
    return seed * 1_000_003 + epoch.number


class EpochBatches(Sampler[list[CropKey]]):
    """The crops of every step of an epoch, whatever process cuts them.

    Args:
        crops: how many crops an epoch can have.
        seed: the run's.
        group: processes that share every batch; this one cuts its part alone.

    Attributes:
        epoch: set before every pass.
        first_step: of the pass; those before it are left out.
    """

    epoch: Epoch
    first_step: int = 0

    def __init__(self, crops: int, seed: int, group: Group | None = None) -> None:
        self.crops = crops
        self.seed = seed
        self.group = group or Group()

    def __iter__(self) -> Iterator[list[CropKey]]:
        epoch = self.epoch
        generator = torch.Generator().manual_seed(seed_of(self.seed, epoch))
        # torch's shuffling loader draws a seed for its workers first: the order is the one that
        # runs through it had.
        torch.empty((), dtype=torch.int64).random_(generator=generator)
        order = torch.randperm(self.crops, generator=generator).tolist()
        for step in range(self.first_step, epoch.steps):
            start = step * epoch.batch_size
            batch = order[start : start + epoch.batch_size]
            yield [CropKey(i, epoch.number, epoch.crop) for i in self.group.part_of(batch)]


def crop_loader(
    crops: Crops, batches: EpochBatches, workers: int, device: torch.device
) -> DataLoader:
    """Batches of crops for all epochs of a run, cut by processes that stay alive between them."""
    return DataLoader(
        crops,
        batch_sampler=batches,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=on_gpu(device),
        worker_init_fn=ignore_stop_requests,
        generator=torch.Generator(),  # else it draws from the one that networks draw from
    )


def loaded(loader: DataLoader) -> Batches:
    """The batches of a :func:`crop_loader`, from any step of any epoch on."""
    sampler = cast(EpochBatches, loader.batch_sampler)

    def batches(epoch: Epoch, first_step: int) -> DataLoader:
        sampler.epoch, sampler.first_step = epoch, first_step
        return loader

    return batches


def on_gpu(device: torch.device) -> bool:
    """Whether copies from pinned memory can go on beside computation."""
    return device.type == "cuda"


def moved(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Images on the device; copies to a GPU are not waited for."""
    return images.to(device, non_blocking=on_gpu(device))


def keep_channels_last(model: nn.Module) -> None:
    """Lays the weights of convolutions out with the channels of a pixel together.

    Not ``model.to(memory_format=..)``, which refuses networks that hold weights of five axes.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)


def training_forward(model: nn.Module, recipe: Recipe, group: Group | None = None) -> Forward:
    """What a step calls: the network, or its ``stages``, compiled if the recipe says so.

    In a group gradients become the mean of those of all processes.
    """
    if group and group.size > 1:
        return shared(_Stages(model) if recipe.stage_weight else model)
    forward: Forward = model.stages if recipe.stage_weight else model  # type: ignore[assignment]
    return compiled(forward) if recipe.compile else forward


class _Stages(nn.Module):
    """A network's ``stages`` as a module, whose parameters are the network's."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> Any:
        return self.network.stages(images)  # type: ignore[operator]


def compiled(forward: Forward) -> Forward:
    """A function through ``torch.compile``, whose failures are one line."""
    quick = torch.compile(forward)

    def call(images: torch.Tensor) -> Any:
        from torch._dynamo.exc import TorchDynamoException

        try:
            return quick(images)
        except TorchDynamoException as error:
            line = str(error).strip().partition("\n")[0]
            raise BenchError(
                f"recipe: compile: torch cannot compile the network: {line}"
            ) from error

    return call


def run_epoch(
    model: nn.Module,
    forward: Forward,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
    recipe: Recipe,
    seed: int,
    epoch: Epoch,
    device: torch.device,
    place: Interruptions,
) -> StepsDone:
    """The steps of one epoch, those apart that an interrupted run has done; what they came to."""
    # Stochastic depth draws alike in a run that was resumed.
    torch.manual_seed(seed_of(seed, epoch))
    model.train()
    done = place.first_steps(device)
    for rainy, clean in batches(epoch, done.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_in_step(recipe, epoch, done.steps)
        optimiser.zero_grad(set_to_none=True)
        outputs = outputs_of(forward, moved(rainy, device), recipe)
        loss = total_loss(outputs, moved(clean, device), recipe.loss, recipe.stage_weight)
        loss.backward()
        if recipe.clip_norm:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip_norm)
        optimiser.step()
        done.add(loss.detach(), len(rainy))
        place.after_step(done, device)
    done.read_losses(place.group)
    return done


def outputs_of(forward: Forward, rainy: torch.Tensor, recipe: Recipe) -> list[torch.Tensor]:
    """What the recipe's loss is applied to, float32 [N,3,H,W] each, the restored image last."""
    if recipe.channels_last:
        rainy = rainy.contiguous(memory_format=torch.channels_last)
    kind = rainy.device.type.replace("meta", "cpu")  # torch has no mixed precision of bare shapes
    with torch.autocast(kind, torch.bfloat16, enabled=recipe.amp == "bf16"):
        try:
            outputs = forward(rainy) if recipe.stage_weight else [forward(rainy)]
        except ValueError as error:  # a side that is a multiple but still unsuitable
            raise BenchError(f"recipe: crop {rainy.shape[-1]}: {error}") from error
    return [image.float() for image in outputs]
