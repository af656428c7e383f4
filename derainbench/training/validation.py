"""How well a network in training restores crops that it is not trained on."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.utils.data import DataLoader

from derainbench.data.crops import Crops
from derainbench.training.parallel.group import Group
from derainbench.training.steps import moved, on_gpu


@torch.no_grad()
def selection_psnr(
    model: nn.Module,
    crops: Crops,
    batch_size: int,
    device: torch.device,
    group: Group | None = None,
) -> float:
    """Mean RGB PSNR (dB, peak 1, output clamped) over central crops.

    Crops restored perfectly are left out, as in every mean; infinity where all are. Several processes
    take whole batches in turn, which are those of one process.
    """
    group = group or Group()
    model.eval()
    starts = range(0, len(crops), batch_size)
    batches = [list(range(i, min(i + batch_size, len(crops)))) for i in starts]
    values = []
    own = batches[group.rank :: group.size]
    for rainy, clean in DataLoader(crops, batch_sampler=own, pin_memory=on_gpu(device)):
        restored = model(moved(rainy, device)).clamp(0, 1)
        mse = (restored - moved(clean, device)).double().square().mean(dim=(1, 2, 3))
        values.append(-10 * torch.log10(mse))
    if group.size > 1:
        parts = group.gathered([value.cpu() for value in values])
        values = [parts[i % group.size][i // group.size] for i in range(len(batches))]
    psnr = torch.cat(values)
    others = psnr[~psnr.isposinf()]
    return others.mean().item() if len(others) else math.inf
