"""Measures how long the reference layers and the fast ones take, and what each road alone is worth.

python benchmarks/speed.py [--device cuda] [--quick] [--repeats 5]

Writes results/reference/speed/{speed,growth}.csv and, from them, docs/speed.md (see speed_page.py). With
--quick works and network are smaller, as the page says. Ratios are medians of pairs that were measured in turn. On
a GPU times are of CUDA events; on one core of a CPU they are processor time, so that other programs
count little; on several cores they are wall-clock time.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
import torch
from speed_page import document
from speed_processes import Measuring
from speed_works import FEW, TILING, Machine, macs, network
from torch import nn

from derainbench.catalog.protocols import protocols
from derainbench.evaluation.inference import TILE_BATCH
from derainbench.foundation import provenance
from derainbench.foundation.device import prepare
from derainbench.foundation.files import write_text
from derainbench.foundation.freed_memory import keep_freed_memory
from esdnet.fast import TRAINABLE

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "reference" / "speed"
PAGE = ROOT / "docs" / "speed.md"


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


def tables(machine: Machine, repeats: int, peak: float) -> pd.DataFrame:
    """All works, compared."""
    model = network(machine, **machine.blocks)
    crops = torch.rand(machine.batch, 3, 64, 64, device=machine.device)
    tile = torch.rand(1, 3, TILING.side, TILING.side, device=machine.device)
    of_step, of_tile = 3 * 2 * macs(model, crops), 2 * macs(model, tile)
    side, image = TILING.side, "x".join(map(str, machine.sides))
    half = "x".join(str(length // 2) for length in machine.sides)
    kinds: list[tuple[str, str, float]] = [
        ("scoring", f"scoring a pair of 321x481, {len(protocols())} protocols", 0),
        ("training", f"training step, {machine.batch} of 64x64", of_step),
        ("tile", f"one tile of {side}x{side}", of_tile),
        ("image", f"image of {image}, tile by tile", 0),
        ("several", f"image of {half}, {TILE_BATCH} tiles a pass", 0),
    ]
    rows = []
    for kind, work, operations in kinds:
        with ExitStack() as stack:
            rows += Measuring(machine, stack).compared(kind, work, repeats, operations, peak)
    table = pd.DataFrame(rows)
    reference = table.loc[table["layers"] == "reference"].set_index("work")["psnr"]
    table["psnr_difference_db"] = table["psnr"] - table["work"].map(reference)
    return table.drop(columns="psnr")


def growth(machine: Machine, dim: int, repeats: int) -> pd.DataFrame:
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
                taken = statistics.median(machine.seconds(work) for _ in range(repeats))
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
    machine = Machine(prepare(options.device, 0), options.quick)
    peak = convolution_peak(machine)
    table = tables(machine, options.repeats, peak)
    table = table.assign(peak_gflops=peak, device=str(machine.device))
    keep_freed_memory()  # as the command line does
    sizes = growth(machine, 16, options.repeats)
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
