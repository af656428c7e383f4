"""What speed.py measures: training steps, tiles, images and scoring, by the reference layers and others."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import skimage.data
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.protocols import protocols
from derainbench.data.crops import to_tensor
from derainbench.evaluation.inference import TILE_BATCH, restore_tiled
from derainbench.metrics.full_reference import score
from derainbench.metrics.scorer import score_all
from esdnet import ESDNet
from esdnet.fast import EXACT, INFERENCE, TRAINABLE, take_roads

TILING = model_card("esdnet").network.tiling
Work = Callable[[], object]
# How operators are called that compute convolutions: the last one their weights' gradient.
CONVOLUTIONS = ("conv", "addmm_")
Blocks = dict[str, Any]  # per level, as ESDNet takes them
FEW: Blocks = {"en_num_blocks": (1, 1, 2), "de_num_blocks": (1, 1, 1)}
RESTORED: dict[str, torch.Tensor] = {}  # by the work that did so last


@dataclass(frozen=True)
class Machine:
    """What measures: a device, and how large works are."""

    device: torch.device
    quick: bool

    @property
    def blocks(self) -> Blocks:
        """Of the network."""
        return FEW if self.quick else {}

    @property
    def batch(self) -> int:
        """Crops of a training step."""
        return 1 if self.quick else 4

    @property
    def sides(self) -> tuple[int, int]:
        """Of the image that is restored."""
        return (152, 152) if self.quick else (321, 481)

    def seconds(self, work: Work) -> float:
        """How long a work takes."""
        if self.device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            work()
            end.record()
            torch.cuda.synchronize(self.device)
            return start.elapsed_time(end) / 1000
        clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
        started = clock()
        work()
        return clock() - started

    def profiled(self, work: Work) -> tuple[float, float]:
        """The share of a work's time that convolutions take, and the most memory it holds (MB).

        Memory is what torch allocates during the work, without what was there before.
        """
        activities = [ProfilerActivity.CPU]
        if self.device.type == "cuda":
            activities.append(ProfilerActivity.CUDA)
        with profile(activities=activities, profile_memory=True) as seen:
            work()
        key = "self_device_time_total" if self.device.type == "cuda" else "self_cpu_time_total"
        rows = [(row.key, getattr(row, key)) for row in seen.key_averages()]
        total = sum(spent for _, spent in rows)
        convolutions = sum(
            spent for name, spent in rows if any(part in name for part in CONVOLUTIONS)
        )
        held = most = 0
        events = seen.profiler.kineto_results.events()
        for event in sorted(events, key=lambda event: event.start_ns()):
            if event.name() == "[memory]":
                held += event.nbytes()
                most = max(most, held)
        return convolutions / total, most / 1e6


def network(machine: Machine, roads: Collection[str] = (), **arguments: Any) -> nn.Module:
    """A freshly initialised network in eval mode; the same numbers at every call."""
    torch.manual_seed(0)
    made = ESDNet(**arguments).eval()
    take_roads(made, roads)
    return made.to(machine.device)


def training_step(model: nn.Module, batch: int, device: torch.device) -> Work:
    """Forward and backward pass over random crops of 64x64."""
    torch.manual_seed(1)
    rainy, clean = torch.rand(2, batch, 3, 64, 64, device=device)
    model.train()

    def work() -> None:
        model.zero_grad(set_to_none=True)
        (model(rainy) - clean).square().mean().backward()

    return work


def photograph(side: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A photograph with streaks in it and without, float [3,H,W]."""
    clean = skimage.data.astronaut()[: side[0], : side[1]]
    streaks = np.random.default_rng(0).random(side)[..., None] > 0.97
    return to_tensor(np.where(streaks, 230, clean).astype(np.uint8)), to_tensor(clean)


def psnr(restored: torch.Tensor, clean: torch.Tensor) -> float:
    """RGB PSNR in dB, peak 1."""
    return -10 * (restored.cpu() - clean).double().square().mean().log10().item()


def macs(model: nn.Module, image: torch.Tensor) -> int:
    """Multiplications and additions of one pass's two-dimensional convolutions."""
    total = 0

    def count(module: nn.Module, _inputs: object, y: torch.Tensor) -> None:
        nonlocal total
        total += y.numel() * module.weight[0].numel()

    handles = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        model(image)
    for handle in handles:
        handle.remove()
    return total


def training_works(machine: Machine) -> dict[str, Work]:
    """The training step: reference, every road alone, all of them."""
    roads = {"reference": (), **{road: (road,) for road in TRAINABLE}, "fast": TRAINABLE}
    models = {name: network(machine, taken, **machine.blocks) for name, taken in roads.items()}
    return {n: training_step(m, machine.batch, machine.device) for n, m in models.items()}


def tile_works(machine: Machine) -> dict[str, Work]:
    """One tile of an image, likewise."""
    roads = {"reference": (), **{road: (road,) for road in INFERENCE}, "fast": INFERENCE}
    models = {name: network(machine, taken, **machine.blocks) for name, taken in roads.items()}
    one = torch.rand(1, 3, TILING.side, TILING.side, device=machine.device)

    def computing(model: nn.Module) -> Work:
        def work() -> None:
            with torch.no_grad():
                model(one)

        return work

    return {name: computing(model) for name, model in models.items()}


def image_works(machine: Machine) -> dict[str, Work]:
    """An image by the authors' tiling: reference and fast, tile by tile and in batches."""
    rainy = photograph(machine.sides)[0].to(machine.device)

    ways: dict[str, tuple[Collection[str], int]] = {
        "reference": ((), 1),
        "exact": (EXACT, 1),
        "fast": (INFERENCE, 1),
        f"fast, {TILE_BATCH} tiles a pass": (INFERENCE, TILE_BATCH),
    }

    def restoring(name: str, roads: Collection[str], tiles: int) -> Work:
        model = network(machine, roads, **machine.blocks)

        def work() -> None:
            RESTORED[name] = restore_tiled(model, rainy, TILING, tiles_per_pass=tiles)

        return work

    return {name: restoring(name, *way) for name, way in ways.items()}


def several_works(machine: Machine) -> dict[str, Work]:
    """An image of half the sides as the command line does it by default: several tiles a pass."""
    height, width = machine.sides
    rainy = photograph((height // 2, width // 2))[0].to(machine.device)
    model = network(machine, EXACT, **machine.blocks)
    return {"exact": lambda: restore_tiled(model, rainy, TILING, tiles_per_pass=TILE_BATCH)}


def scoring_works(_: Machine) -> dict[str, Work]:
    """Scoring a pair under all protocols."""
    rainy, clean = ((255 * t.permute(1, 2, 0)).byte().numpy() for t in photograph((321, 481)))
    return {
        "reference": lambda: [score(rainy, clean, way) for way in protocols().values()],
        "fast": lambda: score_all(rainy, clean),
    }


WORKS: dict[str, Callable[[Machine], dict[str, Work]]] = {
    "scoring": scoring_works,
    "training": training_works,
    "tile": tile_works,
    "image": image_works,
    "several": several_works,
}
