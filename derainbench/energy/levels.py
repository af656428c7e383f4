"""Graded spikes: inputs on a few equally spaced levels, found on the values.

Spikes need not be 0 or 1. Neurons that emit one of several levels (0, 1/4, .., 1), whole numbers of
spikes (0, 1, 2) or signed ones (-1, 0, 1) are in use, and so are sums and means of a few spikes. The
field calls spikes with a value graded (Intel's Loihi 2).

The levels looked for are k/D with whole k and D, of at most 16 each, as a profiler
of this literature does (https://github.com/tanvirnwu, ``model_complexity.py``). So 8-bit images (k/255) are none, nor
are values quantised with a scale that is no such fraction. Values quantised to 4 bits on such a grid
cannot be told from spikes by their values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch

MOST = 16  # of D, and of k to either side of 0
_SETTLES = 256  # elements that tell nearly every tensor of values from spikes


@dataclass(frozen=True)
class Levels:
    """The grid that values lie on, and how far they reach on it.

    Attributes:
        parts: the levels are 1 / ``parts`` apart.
        lowest, highest: the outermost levels that were seen, in steps from 0; 0 is always one.
    """

    parts: int
    lowest: int
    highest: int

    @property
    def number(self) -> int:
        """Levels from the lowest to the highest."""
        return self.highest - self.lowest + 1

    @property
    def unit_spikes(self) -> int:
        """Unit spikes (or their negatives) that the level farthest from 0 stands for."""
        return max(self.highest, -self.lowest)

    def __or__(self, other: Levels) -> Levels | None:
        """The levels of both together; None if their common grid has too many."""
        parts = math.lcm(self.parts, other.parts)
        mine, others = parts // self.parts, parts // other.parts
        both = Levels(
            parts,
            min(self.lowest * mine, other.lowest * others),
            max(self.highest * mine, other.highest * others),
        )
        return both if max(parts, both.unit_spikes) <= MOST else None


BINARY = Levels(1, 0, 1)


class LevelFinder:
    """Looks at pieces of a tensor until they have more values than graded spikes can have."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._values: set[float] | None = set()

    def look(self, piece: torch.Tensor, *, of_two: bool) -> None:
        """Notes the values of a piece [rows, columns]; ``of_two`` says that it has 0 and 1 only."""
        if self._values is None:
            return
        if of_two:
            self._values.update((0.0, 1.0))
            return
        few = piece[0, :_SETTLES]
        for part in (few, piece):
            if not _may_be_levels(part):
                self._values = None
                return
        self._values.update(torch.unique(piece).tolist())
        if len(self._values) > 2 * MOST + 1:
            self._values = None

    @property
    def levels(self) -> Levels | None:
        """The coarsest grid that all values lie on; None if there is none."""
        return None if self._values is None else levels_of(self._values, self._dtype)


def _may_be_levels(values: torch.Tensor) -> bool:
    """Whether none of the values is outside of what levels can be: between -16 and 16."""
    return bool((values.abs() <= MOST).all()) and (
        values.numel() > _SETTLES or len(torch.unique(values)) <= 2 * MOST + 1
    )


def levels_of(values: set[float], dtype: torch.dtype) -> Levels | None:
    """The coarsest grid k/D that values of a number format lie on; None if there is none."""
    for parts in range(1, MOST + 1):
        grid = _grid(parts, dtype)
        if values <= grid.keys():
            steps = [0, *(grid[value] for value in values)]
            return Levels(parts, min(steps), max(steps))
    return None


@cache
def _grid(parts: int, dtype: torch.dtype) -> dict[float, int]:
    """Level in steps by its value, as a format holds it: divided by D, or times 1/D."""
    steps = torch.arange(-MOST, MOST + 1)
    exact = steps.double()
    divided = (exact / parts).to(dtype)
    times = exact.to(dtype) * torch.tensor(1 / parts, dtype=dtype)
    return {
        value: step
        for of in (divided, times)
        for value, step in zip(of.double().tolist(), steps.tolist(), strict=True)
    }


def unit_operations(x: torch.Tensor, levels: Levels, reach: torch.Tensor | None) -> float:
    """Accumulates if every level came as that many unit spikes, for one output channel.

    Args:
        x: [N,C,*], on these levels. A negative level is that many subtractions.
        levels: the grid.
        reach: outputs [L] that each of the L places of a channel contributes to; None for 1.
    """
    total = 0.0
    for image in x.flatten(2):
        places = image.abs().sum(0, dtype=torch.float64)
        total += (places if reach is None else places * reach.to(places)).sum().item()
    return float(round(total * levels.parts))


def graded_facts(
    x: torch.Tensor, levels: Levels | None, reach: torch.Tensor | None, fan_out: int
) -> dict[str, float]:
    """What a :class:`~derainbench.energy.records.LayerCount` says of graded spikes.

    Args:
        x, reach: see :func:`unit_operations`.
        levels: its levels; nothing is said without.
        fan_out: output channels that an input element contributes to at each of its places.
    """
    if levels is None:
        return {}
    return {
        "levels": levels.number,
        "level_step": 1 / levels.parts,
        "unit_spikes": levels.unit_spikes,
        "unit_operations": unit_operations(x, levels, reach) * fan_out,
    }
