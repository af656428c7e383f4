"""Measures how much memory models need per pixel, which is behind ``max_pixels`` on their cards.

python tools/memory.py restormer idt
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from derainbench.catalog.model_cards import all_cards

ROOT = Path(__file__).resolve().parent.parent
SIDES = (256, 384, 512)
BUDGET = 16e9  # bytes of activations: two thirds of 24 GB, the rest for weights, image and others

# Runs in a process of its own, whose peak (VmHWM) the kernel keeps; writing 5 to clear_refs
# resets it to what is resident, so that only the forward pass counts.
CHILD = """
import sys, torch
from derainbench.models import build

def kilobytes(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))

name, side = sys.argv[1], int(sys.argv[2])
model, image = build(name).eval(), torch.rand(1, 3, side, side)
with torch.no_grad():
    model(torch.rand(1, 3, 128, 128))  # what is set up once, at the first call
    open("/proc/self/clear_refs", "w").write("5")
    before = kilobytes("VmRSS")
    model(image)
print(1024 * (kilobytes("VmHWM") - before))
"""


def peak(name: str, side: int) -> int:
    """Bytes that restoring one square image takes on the CPU, weights and image not counted."""
    command = [sys.executable, "-c", CHILD, name, str(side)]
    # Every tensor in pages of its own: freed ones go back at once and leave no holes.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def main(names: list[str]) -> None:
    """Prints peaks, bytes per additional pixel and the pixels that the budget holds."""
    for name in names:
        peaks = {side: peak(name, side) for side in SIDES}
        small, large = SIDES[0], SIDES[-1]
        per_pixel = (peaks[large] - peaks[small]) / (large**2 - small**2)
        shown = ", ".join(f"{side}: {size / 1e6:.0f} MB" for side, size in peaks.items())
        pixels = BUDGET / per_pixel / 1e6
        print(f"{name}: {shown}; {per_pixel:.0f} bytes per pixel, {pixels:.2f} Mpx", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="+", metavar="MODEL", choices=all_cards())
    main(parser.parse_args().models)
