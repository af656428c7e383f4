"""How tensors lie in memory, and how threads share them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch


def suits_loops(x: torch.Tensor) -> bool:
    """Whether a tensor is one that the compiled loops take: float32 on a CPU, and meant to stay so."""
    return (
        x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    )


def channels_last(x: torch.Tensor) -> torch.Tensor:
    """[T,N,C,H,W] with its channels beside each other in memory: itself if they are, else a copy."""
    images = x.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    return images.unflatten(0, x.shape[:2])


def dense(x: torch.Tensor) -> torch.Tensor:
    """A tensor [T,...] whose steps follow each other in memory without gaps; a copy if need be."""
    if x.is_contiguous():
        return x
    return channels_last(x) if x.dim() == 5 and x.stride(2) == 1 else x.contiguous()


def like(x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    """``given`` in the memory order of ``x``, itself or a copy."""
    return given if given.stride() == x.stride() else torch.empty_like(x).copy_(given)


def steps_in_memory(x: torch.Tensor) -> np.ndarray:
    """The numbers of a :func:`dense` tensor as they lie in memory, [T,M]; shared with it."""
    steps = x.shape[0]
    return x.detach().as_strided((steps, x.numel() // steps), (x.stride(0), 1)).numpy()


def pixels_in_memory(x: torch.Tensor) -> np.ndarray:
    """[T,N,C,H,W] with channels last -> [T,N,H*W,C], shared with it."""
    return x.detach().permute(0, 1, 3, 4, 2).flatten(2, 3).numpy()


def in_parts(length: int, call: Callable[[int, int, int], object]) -> int:
    """Calls ``call(part, first, last)`` for as many equal parts of a range as torch uses threads.

    Returns:
        The number of parts.
    """
    parts = min(torch.get_num_threads(), length)
    if parts == 1:
        call(0, 0, length)
        return 1
    edges = [length * part // parts for part in range(parts + 1)]
    list(_workers(parts).map(call, range(parts), edges[:-1], edges[1:]))
    return parts


@cache
def _workers(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count)
