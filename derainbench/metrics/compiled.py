"""What scores need of two images, in compiled loops: one pass over memory each.

Images are C-contiguous [H,W*C], the channels of a pixel beside each other, both uint8 or both float64; all
is computed in float64 and every sum keeps the order that it is written in, so that processors agree.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # K1, K2 of Wang et al. 2004, peak 255


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles at the first call, and keeps the result for later processes where numba may write."""
    compiler = partial(numba.njit, nogil=True, error_model="numpy")
    try:
        return compiler(cache=True)(function)
    except RuntimeError:  # numba: "no locator available"
        return compiler()(function)


@_compiled
def squared_error(x: np.ndarray, y: np.ndarray, rows: int, columns: int) -> float:
    """Sum of squared differences, without so many rows and columns at every side."""
    total = 0.0
    for i in range(rows, x.shape[0] - rows):
        for j in range(columns, x.shape[1] - columns):
            difference = np.float64(x[i, j]) - np.float64(y[i, j])
            total += difference * difference
    return total


@_compiled
def ssim_sums(
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray,
    channels: int,
    bias: float,
    borders: np.ndarray,
) -> np.ndarray:
    """Sums of SSIM (Wang et al. 2004, eq. 13) over all windows, for several borders at once.

    Args:
        x, y: from 0 to 255.
        weights: float64, of a window's rows and of its columns: an odd number, symmetric, of sum 1.
        channels: C.
        bias: what variances are multiplied by: n / (n - 1) for sample covariance over n pixels.
        borders: pixels [B] that are left out at every side; windows lie inside what is left.

    Returns:
        float64 [B].
    """
    taps = len(weights)
    half = taps // 2
    height, length = x.shape[0] - taps + 1, x.shape[1]
    width = length - (taps - 1) * channels
    # Of a row of windows, averages down their columns, then over the windows, of x, y, x^2 + y^2 (of
    # the sum of both variances only one mean is needed) and xy.
    down_x, down_y, down_s, down_p = [np.empty(length) for _ in range(4)]
    mean_x, mean_y, mean_s, mean_p = [np.empty(width) for _ in range(4)]
    ssim = np.empty(width)
    sums = np.zeros(len(borders))
    for i in range(height):
        w, x0, y0 = weights[half], x[i + half], y[i + half]
        for j in range(length):
            a, b = np.float64(x0[j]), np.float64(y0[j])
            down_x[j] = w * a
            down_y[j] = w * b
            down_s[j] = w * (a * a + b * b)
            down_p[j] = w * (a * b)
        for k in range(half):
            w = weights[k]
            x0, y0, x1, y1 = x[i + k], y[i + k], x[i + taps - 1 - k], y[i + taps - 1 - k]
            for j in range(length):
                a, b = np.float64(x0[j]), np.float64(y0[j])
                c, d = np.float64(x1[j]), np.float64(y1[j])
                down_x[j] += w * (a + c)
                down_y[j] += w * (b + d)
                down_s[j] += w * ((a * a + b * b) + (c * c + d * d))
                down_p[j] += w * (a * b + c * d)
        w, q = weights[half], half * channels
        for j in range(width):
            mean_x[j] = w * down_x[j + q]
            mean_y[j] = w * down_y[j + q]
            mean_s[j] = w * down_s[j + q]
            mean_p[j] = w * down_p[j + q]
        for k in range(half):
            w, p, q = weights[k], k * channels, (taps - 1 - k) * channels
            for j in range(width):
                mean_x[j] += w * (down_x[j + p] + down_x[j + q])
                mean_y[j] += w * (down_y[j + p] + down_y[j + q])
                mean_s[j] += w * (down_s[j + p] + down_s[j + q])
                mean_p[j] += w * (down_p[j + p] + down_p[j + q])
        for j in range(width):
            a, b, c, d = mean_x[j], mean_y[j], mean_s[j], mean_p[j]
            product, square = a * b, a * a + b * b
            luminance = (2 * product + C1) / (square + C1)
            ssim[j] = luminance * (2 * bias * (d - product) + C2) / (bias * (c - square) + C2)
        for n in range(len(borders)):
            border = borders[n]
            if border <= i < height - border:
                for j in range(border * channels, width - border * channels):
                    sums[n] += ssim[j]
    return sums
