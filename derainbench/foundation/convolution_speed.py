"""How fast a device convolves: what other devices are compared with."""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F

CHANNELS, SIDE, KERNEL = 64, 128, 3
REPEATS, PASSES = 5, 8


def convolution_speed(device: torch.device) -> float:
    """Floating point operations per second of 3x3 convolutions, 64 to 64 channels, 128x128, float32.

    The best of several repeats. On a CPU by the time of its cores, so that other programs on them
    count little.
    """
    image = torch.rand(PASSES, CHANNELS, SIDE, SIDE, device=device)
    weight = torch.rand(CHANNELS, CHANNELS, KERNEL, KERNEL, device=device)
    on_cpu = device.type == "cpu"

    def seconds() -> float:
        started = time.process_time() if on_cpu else time.perf_counter()
        F.conv2d(image, weight, padding=KERNEL // 2)
        if not on_cpu:
            torch.cuda.synchronize(device)
            return time.perf_counter() - started
        return (time.process_time() - started) / torch.get_num_threads()

    with torch.no_grad():
        seconds()  # sets kernels up
        best = min(seconds() for _ in range(REPEATS))
    return 2 * PASSES * CHANNELS**2 * KERNEL**2 * SIDE**2 / best
