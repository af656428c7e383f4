"""The values of tensors: which are zero, spikes, graded or whole, and what they reach."""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from derainbench.energy.levels import LevelFinder, Levels
from derainbench.energy.records import ANALOG, GRADED, INTEGER, SILENT, SPIKES

# Elements looked at in one go: they stay in the processor's cache, and their weighted sums whole
# numbers that float32 holds (2**24) for kernels of up to 64 taps per place.
PIECE_ELEMENTS = 1 << 18


@lru_cache(maxsize=64)
def reach_of_places(axes: tuple[tuple[int, ...], ...]) -> torch.Tensor | None:
    """How many outputs each input place of a convolution contributes to, flattened.

    Args:
        axes: arguments of :func:`reached_outputs` for every axis.

    Returns:
        None if every place contributes to one.
    """
    places = np.ones(1)
    for axis in axes:
        places = np.multiply.outer(places, reached_outputs(*axis)).reshape(-1)
    return None if (places == 1).all() else torch.from_numpy(places.astype(np.float32))


@lru_cache(maxsize=256)
def reached_outputs(
    size: int, out: int, kernel: int, stride: int, padding: int, dilation: int, transposed: bool
) -> np.ndarray:
    """How many outputs along an axis each of its ``size`` inputs contributes to."""
    place, tap = np.arange(size)[:, None], np.arange(kernel)[None] * dilation
    if transposed:
        target = place * stride - padding + tap
        return ((target >= 0) & (target < out)).sum(1)
    shifted = place + padding - tap
    target = shifted // stride
    return ((shifted % stride == 0) & (target >= 0) & (target < out)).sum(1)


class Values(NamedTuple):
    """What the elements of a tensor [N,C,*] are.

    Attributes:
        nonzero: non-zero elements [N,C].
        reaching: all of them together, each times its place's weight.
        kind: what they are.
        levels: of graded spikes; else None.
    """

    nonzero: torch.Tensor
    reaching: float
    kind: str
    levels: Levels | None


def inspect_values(x: torch.Tensor, reach: torch.Tensor | None) -> Values:
    """Looks at the values [N,C,*], in pieces that take little memory.

    Args:
        x: the tensor.
        reach: weights [L] of the L places of a channel; None for 1 everywhere.
    """
    last = x.stride(1) == 1 and x.shape[1] > 1  # channels lie side by side
    values = x.movedim(1, -1).flatten(1, -2) if last else x.flatten(2)
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    length = values.shape[1 if last else 2]
    ones = torch.ones(length, dtype=dtype, device=x.device)
    reach = None if reach is None else reach.to(ones)
    columns = min(values.shape[2], PIECE_ELEMENTS)
    rows = max(1, PIECE_ELEMENTS // columns)
    scratch = ones.new_empty(min(rows, values.shape[1]) * columns)
    nonzero = torch.zeros(x.shape[:2], dtype=torch.float64, device=x.device)
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    binary = whole = True
    finder = LevelFinder(x.dtype)
    for n in range(values.shape[0]):
        for i, j in product(range(0, values.shape[1], rows), range(0, values.shape[2], columns)):
            first, second = slice(i, i + rows), slice(j, j + columns)
            places, channels = (first, second) if last else (second, first)
            piece = values[n, first, second].to(dtype)
            mask = scratch[: piece.numel()].view(piece.shape)
            torch.ne(piece, 0, out=mask)
            if binary:
                binary = torch.equal(mask, piece)
            if whole and not binary:
                whole = _is_whole(piece)
            finder.look(piece, of_two=binary)
            by_channel = mask.T if last else mask
            nonzero[n, channels] += by_channel @ ones[places]
            if reach is not None:
                total += (by_channel @ reach[places]).sum(dtype=torch.float64)
    seen = nonzero.sum()
    levels = None if binary else finder.levels
    kind = SILENT if seen == 0 else SPIKES if binary else GRADED if levels else ANALOG
    if kind == ANALOG and whole:
        kind = INTEGER
    return Values(nonzero.cpu(), (seen if reach is None else total).item(), kind, levels)


def products_without_zero(x: torch.Tensor, other: torch.Tensor, nonzero: float) -> float:
    """Products of [B,M,K] and [B,K,N] without a zero on either side; ``nonzero`` are those of x."""
    others = inspect_values(other, None).reaching
    if nonzero == x.numel():
        return others * x.shape[-2]
    if others == other.numel():
        return nonzero * other.shape[-1]
    return (x.ne(0).sum(-2, dtype=torch.float64) * other.ne(0).sum(-1)).sum().item()


def _is_whole(piece: torch.Tensor) -> bool:
    few = piece[0, :256]  # settles nearly every case
    return torch.equal(few.round(), few) and torch.equal(piece.round(), piece)
