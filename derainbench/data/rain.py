"""A deterministic generator of synthetic rain: O = clip(B + R, 0, 255).

R, the rain layer, is achromatic and non-negative, as in Rain100L/H and Rain200L/H (measured on
their test sets). It is a sum of streaks in several depth layers.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Annotated

import numpy as np
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from scipy.signal import fftconvolve

STREAK_GROUPS = 5  # streaks of one layer that share length, width and angle


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the range's low end is above its high end")
    return bounds


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]


class RainSettings(BaseModel):
    """Parameters of the generator; their meaning stands in ``catalog/rain.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int = Field(ge=1, le=10)
    depth_scale: float = Field(gt=0, le=1)
    density: Range
    length: Range
    width: Range
    angle: Range
    angle_spread: float = Field(ge=0)
    brightness: Range
    reference: dict[str, str | float] = {}


@cache
def presets() -> dict[str, RainSettings]:
    """The named settings of the catalogue."""
    text = resources.files("derainbench.catalog").joinpath("rain.yaml").read_text()
    return {name: RainSettings(**values) for name, values in yaml.safe_load(text).items()}


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
            total += fftconvolve(seeds * brightness, kernel, mode="valid")
    return np.maximum(total, 0)


def add_rain(clean: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """O = clip(B + R, 0, 255): uint8 [H,W,3] and float [H,W] -> uint8 [H,W,3]."""
    rounded = np.rint(layer).astype(np.int64)[..., None]
    return np.clip(clean.astype(np.int64) + rounded, 0, 255).astype(np.uint8)
