"""Compiled loops over tensors in memory, for a CPU: one pass over memory each.

Arrays are C-contiguous float32 unless a docstring says otherwise. Sums keep the order that they are
written in: nothing is contracted or reassociated, so that results can equal those of torch's
operators bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

BLOCK = 1024  # elements whose membrane potential stays in the first-level cache


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles at the first call, and keeps the result for later processes where that is possible.

    Numba writes into ``NUMBA_CACHE_DIR``, beside this file, or into the user's cache; where it may
    write to none of them every process compiles for itself.
    """
    return _compiled(function, False)


def compiled_reordering(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, but sums may be taken in any order: several at a time."""
    return _compiled(function, {"reassoc", "nsz"})


def compiled_for_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, and what comes out where something is not a number is undefined."""
    return _compiled(function, {"reassoc", "nsz", "nnan"})


def _compiled(function: Callable[..., Any], fastmath: Any) -> Callable[..., Any]:
    compiler = partial(numba.njit, nogil=True, fastmath=fastmath, error_model="numpy")
    try:
        return compiler(cache=True)(function)
    except RuntimeError:  # numba: "no locator available"
        return compiler()(function)


@compiled
def lif_forward(
    x: np.ndarray, spikes: np.ndarray, first: int, last: int, decay: float, threshold: float
) -> None:
    """Spikes of leaky integrate-and-fire neurons with hard reset to 0, from rest.

    h_t = v_{t-1} - v_{t-1} decay + x_t; s_t = 1 where h_t >= threshold, else 0; v_t = (1 - s_t) h_t.

    Args:
        x: input [T,M], M neurons.
        spikes: is written, [T,M].
        first, last: the neurons from ``first`` up to ``last``, exclusive.
        decay: share of the potential that is lost in a step.
        threshold: firing threshold.
    """
    steps = x.shape[0]
    lost, limit = np.float32(decay), np.float32(threshold)
    v = np.empty(BLOCK, np.float32)
    for start in range(first, last, BLOCK):
        size = min(BLOCK, last - start)
        v[:] = np.float32(0)
        for t in range(steps):
            row, fired = x[t, start : start + size], spikes[t, start : start + size]
            for i in range(size):
                h = v[i] - v[i] * lost + row[i]
                s = np.float32(1) if h >= limit else np.float32(0)
                fired[i] = s
                v[i] = (np.float32(1) - s) * h


@compiled
def lif_potentials(
    x: np.ndarray, scaled: np.ndarray, first: int, decay: float, threshold: float, alpha: float
) -> None:
    """``alpha (h_t - threshold)`` of some neurons, what the surrogate gradient is a function of.

    Args:
        x: input [T,M].
        scaled: is written, [T,B]: of the B neurons from ``first``.
        first: index of the first neuron.
        decay, threshold: see :func:`lif_forward`.
        alpha: steepness of the surrogate.
    """
    steps, size = scaled.shape
    lost, limit, steep = np.float32(decay), np.float32(threshold), np.float32(alpha)
    v = np.empty(size, np.float32)
    v[:] = np.float32(0)
    for t in range(steps):
        row, result = x[t, first : first + size], scaled[t]
        for i in range(size):
            h = v[i] - v[i] * lost + row[i]
            s = np.float32(1) if h >= limit else np.float32(0)
            result[i] = steep * (h - limit)
            v[i] = (np.float32(1) - s) * h


@compiled
def lif_backward(
    x: np.ndarray,
    sigmoid: np.ndarray,
    of_spikes: np.ndarray,
    of_x: np.ndarray,
    first: int,
    decay: float,
    threshold: float,
    alpha: float,
) -> None:
    """Gradient of :func:`lif_forward`, reset not detached, through the surrogate of a sigmoid.

    ds_t = g_t - dv_t h_t; dh_t = ds_t alpha sigmoid (1 - sigmoid) + dv_t (1 - s_t); dx_t = dh_t;
    dv_{t-1} = dh_t - dh_t decay.

    Args:
        x: input [T,M].
        sigmoid: of :func:`lif_potentials`, [T,B].
        of_spikes: gradient of the spikes, [T,M].
        of_x: is written, [T,M].
        first: index of the first of the B neurons.
        decay, threshold, alpha: as there.
    """
    steps, size = sigmoid.shape
    lost, limit, steep = np.float32(decay), np.float32(threshold), np.float32(alpha)
    v = np.empty(size, np.float32)
    potentials = np.empty((steps, size), np.float32)
    v[:] = np.float32(0)
    for t in range(steps):
        row, potential = x[t, first : first + size], potentials[t]
        for i in range(size):
            h = v[i] - v[i] * lost + row[i]
            s = np.float32(1) if h >= limit else np.float32(0)
            potential[i] = h
            v[i] = (np.float32(1) - s) * h
    v[:] = np.float32(0)  # from here on the gradient of the potential after the reset
    for t in range(steps - 1, -1, -1):
        potential, share = potentials[t], sigmoid[t]
        given, result = of_spikes[t, first : first + size], of_x[t, first : first + size]
        for i in range(size):
            h, p = potential[i], share[i]
            silent = np.float32(0) if h >= limit else np.float32(1)
            slope = (np.float32(1) - p) * p * steep
            of_h = (given[i] - v[i] * h) * slope + v[i] * silent
            result[i] = of_h
            v[i] = of_h - of_h * lost
