"""Energy really drawn during inference, above idle.

This is what present hardware draws. It says nothing about neuromorphic hardware and is kept apart
from the arithmetic account (:mod:`derainbench.energy.measurement`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import nn

from derainbench.catalog.model_cards import model_card
from derainbench.energy.hardware.meters import Meter, Reading, Unavailable, open_meter
from derainbench.foundation import provenance
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256, write_json
from derainbench.models.weights import load_model

MEASURED, NOT_AVAILABLE = "measured", "not available on this machine"
IDLE_SECONDS = 5.0
WINDOW_SECONDS = 2.0  # NVML renews its counter some ten times a second: 5 % at most
WARM_UP = 3  # passes
SEED = 0

ASSUMPTIONS = (
    "Idle power is measured with the model loaded, right before, and subtracted: nothing else may "
    "run meanwhile. A value near or below 0 says that idle power varied more than the work drew.",
    "The meters see whole parts: the graphics board, all CPU packages, and memory where the "
    "processor reports it. Fans, disks and losses of the power supply are not seen.",
    "One image at a time, of uniform random values, not a photograph.",
    "The convolutions are dense: they compute every operation, whether a spike came or not. This "
    "says nothing about neuromorphic hardware.",
)


def above_idle(
    readings: Sequence[Reading], idle: Reading, images: int
) -> dict[str, dict[str, Any]]:
    """Energy per image of every part and of all together (``total``), idle power subtracted.

    Args:
        readings: one per repetition, each of ``images`` images.
        idle: of a stretch without work.

    Returns:
        By part: ``idle_watts``; ``joules_per_image``, the median over repetitions, with the
        ``lowest``, the ``highest`` and every value (``repetitions``).
    """
    parts = [part for part in idle.joules if all(part in r.joules for r in readings)]
    groups = {part: [part] for part in parts} | {"total": parts}
    result = {}
    for name, members in groups.items():
        watts = sum(idle.joules[part] for part in members) / idle.seconds
        values = [
            (sum(r.joules[part] for part in members) - watts * r.seconds) / images for r in readings
        ]
        result[name] = {
            "idle_watts": watts,
            "joules_per_image": median(values),
            "lowest": min(values),
            "highest": max(values),
            "repetitions": values,
        }
    return result


@torch.no_grad()
def energy_drawn(
    model: nn.Module, image: torch.Tensor, meter: Meter, repetitions: int
) -> dict[str, Any]:
    """Measures a model on an image [1,3,H,W], after a rest and a warm-up.

    Returns:
        ``images_per_repetition`` (as many as fill the stretch that meters need),
        ``seconds_per_image`` (median) and ``parts`` (:func:`above_idle`).
    """

    def stretch(images: int) -> Reading:
        meter.begin()
        for _ in range(images):
            model(image)
        return meter.end()

    meter.begin()
    time.sleep(IDLE_SECONDS)
    idle = meter.end()
    for _ in range(WARM_UP):
        model(image)
    images = math.ceil(WINDOW_SECONDS / stretch(1).seconds)
    readings = [stretch(images) for _ in range(repetitions)]
    return {
        "images_per_repetition": images,
        "seconds_per_image": median(r.seconds / images for r in readings),
        "parts": above_idle(readings, idle, images),
    }


def measure(
    *,
    model_name: str,
    weights: Path,
    out: Path,
    kwargs: dict[str, Any] | None = None,
    size: int = 256,
    repetitions: int = 5,
    device: str = "auto",
) -> dict[str, Any]:
    """Writes what a model draws per image of a size; a machine that cannot tell is a result too.

    Raises:
        BenchError: for unusable weights, or a size that the network does not take.
    """
    card = model_card(model_name)
    if size % card.network.size_multiple or card.network.fixed_size not in (None, size):
        needs = card.network.fixed_size or f"a multiple of {card.network.size_multiple}"
        raise BenchError(f"--size {size}: {card.name} needs {needs}")
    chosen = prepare(device)
    model, arguments = load_model(model_name, weights, kwargs)
    model = model.to(chosen)
    image = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(SEED)).to(chosen)
    try:
        drawn = energy_drawn(model, image, open_meter(chosen), repetitions)
        outcome = {"status": MEASURED, **drawn}
    except Unavailable as reason:
        outcome = {"status": NOT_AVAILABLE, "reason": str(reason)}
    is_gpu = chosen.type == "cuda"
    result = {
        "model": card.name,
        "kwargs": arguments,
        "size": [size, size],
        "device": torch.cuda.get_device_name(chosen) if is_gpu else provenance.processor(),
        **outcome,
        "assumptions": list(ASSUMPTIONS),
    }
    write_json(Path(out), result)
    provenance.write_record(
        Path(out),
        settings={"model": card.name, "size": size, "repetitions": repetitions},
        inputs={"weights": sha256(Path(weights))},
        device=str(chosen),
        seed=SEED,
    )
    return result


def joule_sentences(result: dict[str, Any]) -> list[str]:
    """A result of :func:`measure`, one line per part."""
    if result["status"] != MEASURED:
        return [f"{result['status']}: {result['reason']}"]
    return [
        f"{part}: {energy['joules_per_image']:.4g} J per image above idle "
        f"({energy['lowest']:.4g} to {energy['highest']:.4g}; idle {energy['idle_watts']:.3g} W)"
        for part, energy in result["parts"].items()
    ]
