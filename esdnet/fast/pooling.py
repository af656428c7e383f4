"""Compiled loops of the mixed attention unit, for a CPU; see :mod:`esdnet.fast.attention`.

Arrays are float32 in the order of memory that torch calls channels-last: x is [T,N,P,C], T time steps,
N images, P pixels, C channels. Every loop works on a range from ``first`` up to ``last``, exclusive, of
pixels if nothing else is said, so that several threads can share a tensor.
"""

from __future__ import annotations

import numpy as np

from esdnet.fast.kernels import compiled, compiled_for_numbers, compiled_reordering


@compiled
def pool_pixels(
    x: np.ndarray, sums: np.ndarray, maxima: np.ndarray, where: np.ndarray, first: int, last: int
) -> None:
    """Sums, maxima and places of the maxima over pixels, each [S,C], of x [S,P,C]; a range of S."""
    _, pixels, channels = x.shape
    for s in range(first, last):
        of_sum, of_max, of_place = sums[s], maxima[s], where[s]
        of_sum[:] = np.float32(0)
        of_max[:] = np.float32(-np.inf)
        of_place[:] = np.int32(0)
        for p in range(pixels):
            row, place = x[s, p], np.int32(p)
            for c in range(channels):
                value = row[c]
                of_sum[c] += value
                higher = value > of_max[c]
                of_max[c] = value if higher else of_max[c]
                of_place[c] = place if higher else of_place[c]


@compiled
def pool_pixels_backward(
    of_x: np.ndarray,
    of_sums: np.ndarray,
    of_maxima: np.ndarray,
    where: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Adds the gradient of :func:`pool_pixels` to ``of_x`` [S,P,C]; a range of S."""
    _, pixels, channels = of_x.shape
    for s in range(first, last):
        gradient = of_sums[s]
        for p in range(pixels):
            row = of_x[s, p]
            for c in range(channels):
                row[c] += gradient[c]
        for c in range(channels):
            of_x[s, where[s, c], c] += of_maxima[s, c]


@compiled_for_numbers
def _highest(row: np.ndarray, weight: np.ndarray) -> np.float32:
    highest = np.float32(-np.inf)
    for c in range(len(row)):
        highest = max(highest, row[c] * weight[c])
    return highest


@compiled_reordering
def pool_channels(
    x: np.ndarray, weights: np.ndarray, means: np.ndarray, maxima: np.ndarray, first: int, last: int
) -> None:
    """Means and maxima over time steps and channels of x times weights [T,N,C]: [N,P] each.

    Where something is not a number the mean is not either; the maximum is undefined.
    """
    steps, images, _, channels = x.shape
    for n in range(images):
        for p in range(first, last):
            total, highest = np.float32(0), np.float32(-np.inf)
            for t in range(steps):
                row, weight = x[t, n, p], weights[t, n]
                for c in range(channels):
                    total += row[c] * weight[c]
                highest = max(highest, _highest(row, weight))
            means[n, p] = total / np.float32(steps * channels)
            maxima[n, p] = highest


@compiled
def pool_channels_backward(
    x: np.ndarray,
    weights: np.ndarray,
    maxima: np.ndarray,
    of_means: np.ndarray,
    of_maxima: np.ndarray,
    of_x: np.ndarray,
    of_weights: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Adds the gradient of :func:`pool_channels` to ``of_x``, and to ``of_weights`` [T,N,C]."""
    steps, images, _, channels = x.shape
    for n in range(images):
        for p in range(first, last):
            gradient = of_means[n, p] / np.float32(steps * channels)
            for t in range(steps):
                row, result = x[t, n, p], of_x[t, n, p]
                weight, of_weight = weights[t, n], of_weights[t, n]
                for c in range(channels):
                    result[c] += gradient * weight[c]
                    of_weight[c] += gradient * row[c]
            t, c = _first_equal(x, weights, maxima[n, p], n, p)
            of_x[t, n, p, c] += of_maxima[n, p] * weights[t, n, c]
            of_weights[t, n, c] += of_maxima[n, p] * x[t, n, p, c]


@compiled
def _first_equal(
    x: np.ndarray, weights: np.ndarray, value: float, n: int, p: int
) -> tuple[int, int]:
    """The first time step and channel of a pixel where x times weights is a value."""
    for t in range(x.shape[0]):
        row, weight = x[t, n, p], weights[t, n]
        for c in range(x.shape[3]):
            if row[c] * weight[c] == value:
                return t, c
    return 0, 0  # not a number: there is no maximum


@compiled
def gate(
    x: np.ndarray,
    weights: np.ndarray,
    pixels: np.ndarray,
    beside: np.ndarray,
    add: bool,
    y: np.ndarray,
    first: int,
    last: int,
) -> None:
    """``y = relu(x weights pixels)``, weights [T,N,C], pixels [N,P]; plus ``beside`` with ``add``."""
    steps, images, _, channels = x.shape
    for t in range(steps):
        for n in range(images):
            weight = weights[t, n]
            for p in range(first, last):
                row, added, result = x[t, n, p], beside[t, n, p], y[t, n, p]
                factor = pixels[n, p]
                for c in range(channels):
                    value = row[c] * weight[c] * factor
                    result[c] = np.float32(0) if value <= 0 else value  # what is no number stays so
                if add:
                    for c in range(channels):
                        result[c] += added[c]


@compiled_reordering
def gate_backward(
    x: np.ndarray,
    weights: np.ndarray,
    pixels: np.ndarray,
    of_y: np.ndarray,
    of_x: np.ndarray,
    of_weights: np.ndarray,
    of_pixels: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Gradient of :func:`gate`; ``of_x`` and ``of_pixels`` are written, ``of_weights`` is added to.

    The factors are positive, so that x alone decides where the ReLU passes.
    """
    steps, images, _, channels = x.shape
    for n in range(images):
        for p in range(first, last):
            factor, total = pixels[n, p], np.float32(0)
            for t in range(steps):
                row, given, result = x[t, n, p], of_y[t, n, p], of_x[t, n, p]
                weight, of_weight = weights[t, n], of_weights[t, n]
                for c in range(channels):
                    passed = given[c] if row[c] > 0 else np.float32(0)
                    result[c] = passed * weight[c] * factor
                    of_weight[c] += passed * row[c] * factor
                    total += passed * row[c] * weight[c]
            of_pixels[n, p] = total
