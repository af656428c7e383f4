"""What reading a bit costs, by the size of the memory that it lies in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

ACCESS_BITS = 64  # of one access, in the source of the prices


@dataclass(frozen=True)
class MemoryLevel:
    """One memory of a hierarchy.

    Attributes:
        bytes: how many it holds; infinite for the last.
        low, high: picojoule of an access of 64 bits, the least and the most that the source gives.
    """

    bytes: float
    low: float
    high: float

    @property
    def access(self) -> float:
        """Picojoule of an access of 64 bits: the middle of what the source gives."""
        return (self.low + self.high) / 2


def bit_price(levels: Sequence[MemoryLevel], held: float) -> float:
    """Picojoule per bit of the smallest memory that holds so many bytes; NaN without any."""
    for level in levels:
        if held <= level.bytes:
            return level.access / ACCESS_BITS
    return math.nan


def with_last_cache(levels: Sequence[MemoryLevel], capacity: float) -> tuple[MemoryLevel, ...]:
    """The hierarchy whose largest cache has a capacity; behind it is the last memory.

    The cache's price lies on the power laws through neighbouring caches of the source, beyond the
    largest of them on that of the last two: an assumption, for no source goes further.

    Args:
        levels: two caches or more and the memory behind them, by size.
        capacity: bytes, no smaller than the smallest cache.
    """
    *caches, memory = levels
    pairs = list(pairwise(caches))
    smaller, larger = next((p for p in pairs if capacity <= p[1].bytes), pairs[-1])
    exponent = math.log(larger.access / smaller.access) / math.log(larger.bytes / smaller.bytes)
    access = smaller.access * (capacity / smaller.bytes) ** exponent
    kept = [cache for cache in caches if cache.bytes < capacity]
    return (*kept, MemoryLevel(capacity, access, access), memory)
