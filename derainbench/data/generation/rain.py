"""A deterministic generator of synthetic rain: O = clip(B + R, 0, 255).

R, the rain layer, is achromatic and non-negative, as in Rain100L/H and Rain200L/H (measured on
their test sets). It is a sum of streaks in several depth layers.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from derainbench.catalog.rain import RainSettings

STREAK_GROUPS = 5  # streaks of one layer that share length, width and angle


def streak_kernel(length: float, width: float, angle: float) -> np.ndarray:
    """One streak, peak near 1: Gaussian across, flat with soft ends along.

    Args:
        length: pixels along the streak.
        width: standard deviation across it, pixels.
        angle: degrees from vertical.

    Returns:
        float64 [K,K], K odd.
    """
    radius = int(np.ceil(length / 2 + 3 * width)) + 1
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    theta = np.deg2rad(angle)
    along = x * np.sin(theta) + y * np.cos(theta)
    across = x * np.cos(theta) - y * np.sin(theta)
    ends = 1 / (1 + np.exp((np.abs(along) - length / 2) / max(0.15 * length, 0.5)))
    return ends * np.exp(-0.5 * (across / width) ** 2)


def rain_layer(
    shape: tuple[int, int], settings: RainSettings, rng: np.random.Generator
) -> np.ndarray:
    """Draws a rain layer.

    Args:
        shape: (height, width).
        settings: streak statistics.
        rng: source of all randomness.

    Returns:
        float64 [H,W], non-negative, in grey levels of an 8-bit image.
    """
    angle = rng.uniform(*settings.angle)
    density = rng.uniform(*settings.density) / 1000
    total = np.zeros(shape)
    for depth in range(settings.layers):
        scale = settings.depth_scale**depth
        for _ in range(STREAK_GROUPS):
            kernel = streak_kernel(
                length=rng.uniform(*settings.length) * scale,
                width=rng.uniform(*settings.width) * scale,
                angle=angle + rng.normal(0, settings.angle_spread),
            )
            # Seeds also fall outside the frame, so that streaks enter it from the border.
            margin = kernel.shape[0] // 2
            padded = (shape[0] + 2 * margin, shape[1] + 2 * margin)
            seeds = rng.random(padded) < density / scale / STREAK_GROUPS
            brightness = rng.uniform(*settings.brightness, size=padded) * scale
            total += convolved(seeds * brightness, kernel)
    return np.maximum(total, 0)


def convolved(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The convolution of two float64 arrays where the kernel lies inside the image.

    It is ``scipy.signal.fftconvolve(image, kernel, mode="valid")`` to the last digit: a test
    compares. To import that module takes a second.

    Args:
        image: [H,W].
        kernel: [K,K], K at most H and W.

    Returns:
        [H-K+1, W-K+1].
    """
    axes = (0, 1)
    whole = tuple(i + k - 1 for i, k in zip(image.shape, kernel.shape, strict=True))
    fast = [scipy.fft.next_fast_len(length, True) for length in whole]
    product = scipy.fft.rfftn(image, fast, axes=axes) * scipy.fft.rfftn(kernel, fast, axes=axes)
    found = scipy.fft.irfftn(product, fast, axes=axes)
    rows, columns = (slice(k - 1, i) for i, k in zip(image.shape, kernel.shape, strict=True))
    return found[rows, columns].copy()


def add_rain(clean: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """O = clip(B + R, 0, 255): uint8 [H,W,3] and float [H,W] -> uint8 [H,W,3]."""
    rounded = np.rint(layer).astype(np.int64)[..., None]
    return np.clip(clean.astype(np.int64) + rounded, 0, 255).astype(np.uint8)
