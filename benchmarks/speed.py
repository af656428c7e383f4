"""Measures how long the reference layers and the fast ones take, and what each road alone is worth.

python benchmarks/speed.py [--device cuda] [--quick] [--repeats 5]

Writes results/reference/speed/{speed,growth}.csv and, from them, docs/speed.md (see speed_page.py). With
--quick works and network are smaller, as the page says. Ratios are medians of pairs that were measured in turn. On
a GPU times are of CUDA events; on one core of a CPU they are processor time, so that other programs
count little; on several cores they are wall-clock time.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Collection
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skimage.data
import torch
from speed_page import HANDED_BACK, KEPT, document
from torch import nn
from torch.profiler import ProfilerActivity, profile

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.protocols import protocols
from derainbench.data.crops import to_tensor
from derainbench.evaluation.inference import TILE_BATCH, restore_tiled
from derainbench.foundation import provenance
from derainbench.foundation.device import prepare
from derainbench.foundation.files import write_text
from derainbench.foundation.freed_memory import SWITCH, keep_freed_memory
from derainbench.metrics.full_reference import score
from derainbench.metrics.scorer import score_all
from esdnet import ESDNet
from esdnet.fast import EXACT, INFERENCE, TRAINABLE, take_roads

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "reference" / "speed"
PAGE = ROOT / "docs" / "speed.md"
TILING = model_card("esdnet").network.tiling
Work = Callable[[], object]
# How operators are called that compute convolutions: the last one their weights' gradient.
CONVOLUTIONS = ("conv", "addmm_")
Blocks = dict[str, tuple[int, ...]]  # per level, as ESDNet takes them
FEW: Blocks = {"en_num_blocks": (1, 1, 2), "de_num_blocks": (1, 1, 1)}


@dataclass(frozen=True)
class Machine:
    """What measures: a device, and how often each work is done."""

    device: torch.device
    repeats: int

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

    def in_turn(self, works: dict[str, Work]) -> dict[str, list[float]]:
        """Seconds of each work, one of every kind after the other, ``repeats`` times."""
        taken: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(self.repeats):
            for name, work in works.items():
                taken[name].append(self.seconds(work))
        return taken

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


def convolution_peak(machine: Machine) -> float:
    """The most operations per second (10^9) that a forward convolution of the network's kind reaches."""
    best = 0.0
    for channels, side in ((48, 80), (96, 64), (96, 32), (192, 32)):
        layer = nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(machine.device)
        x = torch.rand(4, channels, side, side, device=machine.device)
        for order in (torch.contiguous_format, torch.channels_last):
            layer, x = layer.to(memory_format=order), x.contiguous(memory_format=order)
            with torch.no_grad():
                layer(x)
                taken = min(machine.seconds(lambda layer=layer, x=x: layer(x)) for _ in range(3))
            best = max(best, 2 * x.numel() * 9 * channels / taken / 1e9)
    return best


def compared(
    machine: Machine, work: str, works: dict[str, Work], operations: float, peak: float
) -> list[dict[str, Any]]:
    """Rows of the table: every work against the one called "reference"."""
    taken = machine.in_turn(works)
    rows = []
    for name, of_work in works.items():
        looked_into = operations and name in ("reference", "fast")
        share, memory = machine.profiled(of_work) if looked_into else (np.nan, np.nan)
        pairs = zip(taken["reference"], taken[name], strict=True)
        seconds = statistics.median(taken[name])
        rows.append(
            {
                "work": work,
                "layers": name,
                "seconds": seconds,
                "ratio": statistics.median(before / after for before, after in pairs),
                "in_convolutions": share,
                "of_peak": operations / seconds / 1e9 / peak if operations else np.nan,
                "memory_mb": memory,
            }
        )
        print(rows[-1], flush=True)
    return rows


def training_rows(
    machine: Machine, batch: int, blocks: Blocks, peak: float
) -> list[dict[str, Any]]:
    """The training step: reference, every road alone, all of them."""
    roads = {"reference": (), **{road: (road,) for road in TRAINABLE}, "fast": TRAINABLE}
    works = {}
    for name, taken in roads.items():
        model = network(machine, taken, **blocks)
        training_step(model, 1, machine.device)()  # what the first call alone costs
        works[name] = training_step(model, batch, machine.device)
    image = torch.rand(batch, 3, 64, 64, device=machine.device)
    operations = 3 * 2 * macs(network(machine, **blocks), image)
    return compared(machine, f"training step, {batch} of 64x64", works, operations, peak)


def image_rows(
    machine: Machine, side: tuple[int, int], blocks: Blocks, peak: float
) -> list[dict[str, Any]]:
    """An image by the authors' tiling: reference and fast, tile by tile and in batches."""
    rainy, clean = photograph(side)
    rainy = rainy.to(machine.device)
    roads = {"reference": (), **{road: (road,) for road in INFERENCE}, "fast": INFERENCE}
    models = {name: network(machine, taken, **blocks) for name, taken in roads.items()}
    one = torch.rand(1, 3, TILING.side, TILING.side, device=machine.device)
    with torch.no_grad():
        for model in models.values():
            model(one)
        operations = 2 * macs(models["reference"], one)
        tile = compared(
            machine,
            f"one tile of {TILING.side}x{TILING.side}",
            {name: lambda model=model: model(one) for name, model in models.items()},
            operations,
            peak,
        )
    restored = {}

    def restoring(name: str, tiles: int) -> Work:
        def work() -> None:
            restored[name] = restore_tiled(models[name], rainy, TILING, tiles_per_pass=tiles)

        return work

    works = {"reference": restoring("reference", 1), "fast": restoring("fast", 1)}
    works[f"reference, {TILE_BATCH} tiles a pass"] = restoring("reference", TILE_BATCH)
    rows = compared(machine, f"image of {side[0]}x{side[1]}, tiled", works, 0, peak)
    difference = psnr(restored["fast"], clean) - psnr(restored["reference"], clean)
    for row in rows:
        if row["layers"].startswith("fast"):
            row["psnr_difference_db"] = difference
    return tile + rows


def scoring_rows(machine: Machine, side: tuple[int, int]) -> list[dict[str, Any]]:
    """Scoring a pair under all protocols."""
    images = [(255 * t.permute(1, 2, 0)).byte().numpy() for t in photograph(side)]
    works: dict[str, Work] = {
        "reference": lambda: [score(*images, protocol) for protocol in protocols().values()],
        "fast": lambda: score_all(*images),
    }
    for work in works.values():
        work()
    name = f"scoring a pair of {side[0]}x{side[1]}, {len(protocols())} protocols"
    return compared(machine, name, works, 0, 1)


def memory_rows(machine: Machine, side: tuple[int, int], blocks: Blocks) -> list[dict[str, Any]]:
    """What keeping freed memory brings to the default layers: every work in two processes, in turn.

    That cannot be switched off again within a process.
    """
    works = {
        f"restoring {side[0]}x{side[1]}, exact layers, {TILE_BATCH} tiles a pass": "image",
        "training step, exact layers": "step",
    }
    settings = {HANDED_BACK: "0", KEPT: "1"}
    rows = []
    with ExitStack() as stack:
        pools = {}
        for name, value in settings.items():
            pools[name] = stack.enter_context(
                ProcessPoolExecutor(
                    1,
                    multiprocessing.get_context("spawn"),
                    initializer=_set_up,
                    initargs=(value, machine, side, blocks),
                )
            )
        for work, kind in works.items():
            taken = [
                {name: pool.submit(_seconds_of, kind).result() for name, pool in pools.items()}
                for _ in range(1 + machine.repeats)
            ][1:]  # the first is what the first call alone costs
            for name, pool in pools.items():
                rows.append(
                    {
                        "work": work,
                        "layers": name,
                        "seconds": statistics.median(pair[name] for pair in taken),
                        "ratio": statistics.median(
                            pair[HANDED_BACK] / pair[name] for pair in taken
                        ),
                        "process_mb": pool.submit(_most_memory).result(),
                    }
                )
                print(rows[-1], flush=True)
    return rows


_works: dict[str, tuple[Machine, Work]] = {}  # of a process that memory_rows starts


def _set_up(keep: str, machine: Machine, side: tuple[int, int], blocks: Blocks) -> None:
    os.environ[SWITCH] = keep
    keep_freed_memory()
    prepare(str(machine.device), 0)
    image = photograph(side)[0]
    restoring, training = (network(machine, EXACT, **blocks) for _ in range(2))
    _works["image"] = machine, lambda: restore_tiled(restoring, image, TILING)
    _works["step"] = machine, training_step(training, 1 if blocks else 4, machine.device)


def _seconds_of(kind: str) -> float:
    machine, work = _works[kind]
    return machine.seconds(work)


def _most_memory() -> float:
    """What this process held of the machine's memory at most (MB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def growth(machine: Machine, dim: int) -> pd.DataFrame:
    """Time and memory of a training step of a small network as one of its sizes grows."""
    base = {"T": 4, "width": dim, "side": 32, "images": 1}
    sizes = {
        "T": (1, 2, 4, 8),
        "width": (dim, 2 * dim, 4 * dim),
        "side": (32, 64, 128),
        "images": (1, 2, 4),
    }
    rows = []
    for grown, values in sizes.items():
        for layers, roads in (("reference", ()), ("fast", TRAINABLE)):
            for value in values:
                facts = base | {grown: value}
                model = network(
                    machine,
                    roads,
                    dim=facts["width"],
                    T=facts["T"],
                    **FEW,
                ).train()
                image = torch.rand(facts["images"], 3, facts["side"], facts["side"]).to(
                    machine.device
                )
                work = lambda model=model, image=image: model(image).mean().backward()  # noqa: E731
                work()
                taken = statistics.median(machine.seconds(work) for _ in range(machine.repeats))
                memory = machine.profiled(work)[1]
                rows.append(
                    {
                        "grown": grown,
                        "layers": layers,
                        **facts,
                        "seconds": taken,
                        "memory_mb": memory,
                    }
                )
    return pd.DataFrame(rows)


def main() -> None:
    """Measures, and writes tables and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    keep_freed_memory()  # as the command line does
    machine = Machine(prepare(options.device, 0), options.repeats)
    peak = convolution_peak(machine)
    rows = scoring_rows(machine, (321, 481))
    blocks = FEW if options.quick else {}
    rows += training_rows(machine, 1 if options.quick else 4, blocks, peak)
    rows += image_rows(machine, (152, 152) if options.quick else (321, 481), blocks, peak)
    if machine.device.type == "cpu":
        rows += memory_rows(machine, (152, 152) if options.quick else (161, 241), blocks)
    table = pd.DataFrame(rows).assign(peak_gflops=peak, device=str(machine.device))
    sizes = growth(machine, 16)
    for name, content in (("growth", sizes), ("speed", table)):
        write_text(OUT / f"{name}.csv", content.to_csv(index=False, float_format="%.4g"))
        provenance.write_record(
            OUT / f"{name}.csv",
            settings=vars(options),
            device=str(machine.device),
            seed=0,
            inputs={"source": provenance.code_version()["source_sha256"]},
        )
    write_text(PAGE, document(OUT))


if __name__ == "__main__":
    main()
