"""Whether a GPU computes what a CPU computes, what it does not wait for, and how fast: one table.

python benchmarks/gpu.py [--required] [--device cpu]      or: make test-gpu

Without a GPU it says so in one line and ends with 0: there was nothing to test, and nothing failed.
With ``--required`` that is an error (1), for machines that are meant to have one. ``--device cpu`` runs
the same checks, at small sizes, on the CPU: a rehearsal of this script, and no statement on a GPU.
Ends with 1 if a check fails.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate

from derainbench.catalog.recipes import Recipe, load_recipe
from derainbench.data.images import write_png
from derainbench.energy.forward_pass import count_on_image
from derainbench.energy.hardware.joules import energy_drawn
from derainbench.energy.hardware.meters import Unavailable, open_meter
from derainbench.foundation.accelerator import accelerator, neuron_kernels
from derainbench.foundation.device import prepare
from derainbench.models.construction import build
from derainbench.models.weights import load_weights
from derainbench.training import loop, steps
from derainbench.training.interruption import Interruptions
from derainbench.training.optimisers import build_optimiser
from derainbench.training.schedule import Epoch
from esdnet import ESDNet
from esdnet.operators import SpikingOperators

GOLDEN = Path(__file__).resolve().parent.parent / "tests" / "golden" / "esdnet" / "open"
SMALL = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1], "T": 4}
TRAINING = {"epochs": 2, "warmup_epochs": 1, "batch_size": 2, "crop": 32, "val_crop": 32}
# The settings whose price is measured, against none of them.
SETTINGS: dict[str, dict[str, Any]] = {
    "float32": {},
    "float32, determinism: fast": {"determinism": "fast"},
    "float32, determinism: strict": {"determinism": "strict"},
    "tf32": {"tf32": True},
    "bf16": {"amp": "bf16"},
    "bf16, channels last": {"amp": "bf16", "channels_last": True},
    "bf16, channels last, fast": {"amp": "bf16", "channels_last": True, "determinism": "fast"},
    "bf16, compiled": {"amp": "bf16", "compile": True},
}


@dataclass(frozen=True)
class Row:
    """One line of the table; ``passed`` is None for what is only told."""

    check: str
    found: str
    expected: str = ""
    passed: bool | None = None


def share_within(actual: torch.Tensor, expected: np.ndarray, tolerance: float) -> float:
    """Share of elements that differ by no more than ``tolerance``."""
    return float((np.abs(actual.detach().float().cpu().numpy() - expected) <= tolerance).mean())


def golden_network(device: torch.device) -> tuple[ESDNet, dict[str, Any], torch.Tensor, Any]:
    """The official small ESDNet, facts of its case, its input on the device, and its arrays."""
    case, arrays = json.loads((GOLDEN / "case.json").read_text()), np.load(GOLDEN / "case.npz")
    model = ESDNet(**case["constructor"])
    load_weights(model, GOLDEN / "weights.safetensors")
    return model.to(device), case, torch.from_numpy(arrays["x"]).to(device), arrays


def golden_values(device: torch.device) -> Iterator[Row]:
    """Output and gradients of the official network, by the criteria of the tests on a CPU."""
    model, case, x, arrays = golden_network(device)
    for mode in ("eval", "train"):
        with torch.no_grad():
            share = share_within(model.train(mode == "train")(x), arrays[f"y_{mode}"], 1e-5)
        yield Row(f"golden output, {mode}", f"{share:.2%} within 1e-5", ">= 99.9 %", share >= 0.999)
    model.load_state_dict(golden_network(device)[0].state_dict())
    model.train()(x).square().mean().backward()
    norms = {name: p.grad.double().norm().item() for name, p in model.named_parameters()}
    # Some are 0: behind a ReLU that is dead.
    worst = max(abs(norms[n] - norm) / (norm or 1) for n, norm in case["grad_norms"].items())
    yield Row("golden gradient norms", f"off by {worst:.1e} at most", "<= 1e-3", worst <= 1e-3)


@torch.no_grad()
def mixed_precision(device: torch.device) -> Iterator[Row]:
    """How far bf16 is from the golden output; 60.9 dB on a CPU."""
    model, _, x, arrays = golden_network(device)
    with torch.autocast(device.type, torch.bfloat16):
        restored = model.eval()(x).float().cpu().numpy()
    psnr = -10 * math.log10(np.square(restored - arrays["y_eval"]).mean())
    yield Row("bf16 against golden output", f"PSNR {psnr:.1f} dB", ">= 45 dB", psnr >= 45)


def neurons(device: torch.device) -> Iterator[Row]:
    """Spikes and gradients of a layer of LIF neurons, against the reference on the CPU."""
    torch.manual_seed(0)
    x = 0.2 * torch.randn(4, 2, 16, 32, 32)
    for kind in (torch.float32, torch.bfloat16):
        found = []
        for place in (torch.device("cpu"), device):
            current = x.to(place, kind, copy=True).requires_grad_()
            spikes = SpikingOperators().activation()(current)
            spikes.float().square().sum().backward()
            found.append((spikes.detach().float().cpu(), current.grad.float().cpu()))
        (spikes, gradient), (others, other_gradient) = found
        differ = (spikes != others).float().mean().item()
        off = ((gradient - other_gradient).norm() / gradient.norm()).item()
        text = f"{differ:.1e} of spikes differ, gradient off by {off:.1e}"
        limit = 1e-2 if kind == torch.bfloat16 else 1e-4
        passed = differ <= 1e-4 and off <= limit
        yield Row(f"LIF neurons, {str(kind)[6:]}", text, f"<= 1e-4, {limit:g}", passed)
    for operator, kernels in neuron_kernels().items():
        yield Row(f"kernels of {operator}", "; ".join(kernels))


def counting(device: torch.device) -> Iterator[Row]:
    """Operations of one image, counted on the device and on the CPU."""
    torch.manual_seed(0)
    model, image = build("esdnet", **SMALL).eval(), torch.rand(1, 3, 64, 64)
    here = count_on_image(model, image)
    there = count_on_image(model.to(device), image.to(device))
    macs = [sum(c.macs for c in counts) for counts in (here, there)]
    yield Row("MACs of the structure", f"{macs[1]:,.0f}", f"{macs[0]:,.0f}", macs[0] == macs[1])
    effective = [sum(c.effective_operations for c in counts) for counts in (here, there)]
    off = abs(effective[1] / effective[0] - 1)
    yield Row("effective operations", f"off by {off:.1e}", "<= 1e-3", off <= 1e-3)


def training(device: torch.device) -> Iterator[Row]:
    """Trainings repeated on the device, and the first epoch's loss against the CPU's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random = np.random.default_rng(0)
        for split, kind in ((s, k) for s in ("train", "val") for k in ("input", "target")):
            (folder / split / kind).mkdir(parents=True)
            for i in range(4):
                pixels = random.integers(0, 256, (48, 48, 3), np.uint8)
                write_png(folder / split / kind / f"{i}.png", pixels)

        def run(out: str, where: torch.device, **fields: Any) -> tuple[bytes, float]:
            weights = loop.train(
                model_name="esdnet",
                model_kwargs=SMALL,
                data=folder,
                recipe=load_recipe("esdnet", {**TRAINING, **fields}),
                seed=1,
                out=folder / out,
                device=str(where),
                checkpoint_folder=str(folder / "checkpoints"),
            )
            loss = (folder / out / "history.csv").read_text().splitlines()[1].split(",")[2]
            return weights.read_bytes(), float(loss)

        cpu = run("cpu", torch.device("cpu"))[1]
        one, two = (run(out, device) for out in ("one", "two"))
        yield _alike("two trainings, determinism: repeatable", one[0], two[0])
        off = abs(one[1] / cpu - 1)
        yield Row("loss of the first epoch", f"off the CPU's by {off:.1e}", "<= 1e-3", off <= 1e-3)
        try:
            three = run("three", device, determinism="strict")
            yield _alike("two trainings, determinism: strict", one[0], three[0])
        except RuntimeError as error:  # torch refuses a kernel; that is what strict is for
            yield Row("determinism: strict", f"refused: {str(error).splitlines()[0][:100]}")


def _alike(check: str, one: bytes, two: bytes) -> Row:
    found = "equal bytes" if one == two else "other weights"
    return Row(check, found, "equal bytes", one == two)


def stepper(
    device: torch.device, recipe: Recipe, kwargs: dict[str, Any], repeats: int
) -> Callable[[], float]:
    """What runs an epoch of ``repeats`` steps on one batch."""
    prepare(str(device), 0, determinism=recipe.determinism, tf32=recipe.tf32)
    model = build("esdnet", **kwargs).to(device)
    if recipe.channels_last:
        steps.keep_channels_last(model)
    forward, optimiser = (
        steps.training_forward(model, recipe),
        build_optimiser(recipe, model.parameters()),
    )
    shape = (recipe.batch_size, 3, recipe.crop, recipe.crop)
    batch = tuple(torch.rand(shape) for _ in range(2))
    if steps.on_gpu(device):
        batch = tuple(images.pin_memory() for images in batch)
    epoch = Epoch(0, 0, repeats, recipe.crop, recipe.batch_size)
    return lambda: steps.run_epoch(
        model,
        forward,
        optimiser,
        lambda *_: [batch] * repeats,
        recipe,
        0,
        epoch,
        device,
        Interruptions(),
    )


def waiting(device: torch.device) -> Iterator[Row]:
    """How often the steps of an epoch wait for the GPU: once, for the losses at its end."""
    if not steps.on_gpu(device):
        yield Row("waits in 8 steps", "not told on a CPU")
        return
    epoch = stepper(device, load_recipe("esdnet", {**TRAINING, "clip_norm": 1.0}), SMALL, 8)
    epoch()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    waits = sum("synchroniz" in str(warning.message) for warning in caught)
    yield Row("waits in 8 steps", str(waits), "1, for the losses", waits == 1)


def speed(device: torch.device) -> Iterator[Row]:
    """Training steps of ESDNet at the paper's size and batch, under every setting."""
    gpu = steps.on_gpu(device)
    kwargs, repeats = ({}, 20) if gpu else (SMALL, 1)
    first = math.nan
    for name, fields in SETTINGS.items():
        if not gpu and (fields.get("compile") or fields.get("amp")):
            continue  # minutes of a compiler; most CPUs have no arithmetic in bf16
        recipe = load_recipe("esdnet", {**({} if gpu else TRAINING), **fields})
        try:
            epoch = stepper(device, recipe, kwargs, repeats)
            epoch()  # cuDNN tries its kernels, torch compiles
            if gpu:
                torch.cuda.reset_peak_memory_stats(device)
            started = time.perf_counter()
            epoch()  # ends with reading the losses: all work is done
            seconds = (time.perf_counter() - started) / repeats
        except Exception as error:  # told for each setting by itself
            yield failed(f"step, {name}", error)
            continue
        finally:
            prepare(str(device))
        first = seconds if not fields else first
        memory = f", {torch.cuda.max_memory_allocated(device) / 2**20:,.0f} MiB" if gpu else ""
        text = f"{1000 * seconds:.1f} ms{memory}, {first / seconds:.2f}x of float32"
        yield Row(f"step, {name}", text)


def joules(device: torch.device) -> Iterator[Row]:
    """What the board draws per image (NVML)."""
    gpu = steps.on_gpu(device)
    try:
        meter = open_meter(device)
    except Unavailable as reason:
        yield Row("joules per image", f"not available: {reason}")
        return
    model = build("esdnet", **({} if gpu else SMALL)).eval().to(device)
    drawn = energy_drawn(model, torch.rand(1, 3, 256, 256, device=device), meter, repetitions=3)
    for part, energy in drawn["parts"].items():
        yield Row(f"joules per image, {part}", f"{energy['joules_per_image']:.4g} J above idle")


CHECKS = (golden_values, mixed_precision, neurons, counting, training, waiting, speed, joules)


def failed(check: str, error: Exception) -> Row:
    """A check that ended in an error."""
    first_line = (str(error).splitlines() or [""])[0]
    return Row(check, f"{type(error).__name__}: {first_line[:100]}", passed=False)


def rows_of(check: Callable[[torch.device], Iterator[Row]], device: torch.device) -> list[Row]:
    """The rows of a check, the last one an error if it ended in one."""
    prepare(str(device), 0)
    rows: list[Row] = []
    try:
        rows.extend(check(device))
    except Exception as error:  # whatever it is, the other checks go on
        rows.append(failed(check.__name__, error))
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--required", action="store_true", help="fail where there is no GPU")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here (torch finds none): nothing was tested")
        return int(options.required)
    device = torch.device(options.device)
    rows = [row for check in CHECKS for row in rows_of(check, device)]
    about = accelerator(str(device)) or {"name": "the CPU: a rehearsal"}
    print(f"{about['name']}, torch {torch.__version__}")
    words = {True: "ok", False: "FAILED", None: ""}
    table = [(row.check, row.found, row.expected, words[row.passed]) for row in rows]
    print(tabulate(table, headers=("check", "found", "expected", ""), tablefmt="github"))
    return int(any(row.passed is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
