"""The processes that speed.py measures in, and what they are asked."""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import lru_cache
from typing import Any

import numpy as np
from speed_page import HANDED_BACK, KEPT
from speed_works import RESTORED, WORKS, Machine, Work, photograph, psnr

from derainbench.foundation.device import prepare
from derainbench.foundation.freed_memory import SWITCH, keep_freed_memory
from esdnet.fast import ROADS

_machine: list[Machine] = []  # of a process that measures


class Measuring:
    """Processes that measure: one that hands freed memory back as the C library does, one that keeps it.

    A process cannot go from one to the other; and both are fresh for every kind of work, for what a process
    has freed before decides what the C library does. On a GPU there is one: its memory is no matter of the
    C library's.
    """

    def __init__(self, machine: Machine, stack: ExitStack) -> None:
        context = multiprocessing.get_context("spawn")
        self._of = {}
        for keep in (False, True) if machine.device.type == "cpu" else (True,):
            pool = ProcessPoolExecutor(
                1, context, initializer=_set_up, initargs=(str(machine.device), machine.quick, keep)
            )
            self._of[keep] = stack.enter_context(pool)

    def _process(self, layers: str) -> tuple[ProcessPoolExecutor, str]:
        """Which one does a work, and what the work is called there."""
        if layers == KEPT:
            return self._of[True], "reference"
        name = layers.removesuffix(HANDED_BACK)
        hands_back = name != layers or name in ("reference", *ROADS)
        return self._of[not (hands_back and False in self._of)], name

    def works(self, kind: str) -> list[str]:
        """The works of a kind, the yardstick first, and what the memory alone makes of it."""
        first, *others = self._of[True].submit(_names, kind).result()
        if False not in self._of:
            return [first, *others]
        return [first, KEPT, *others] if first == "reference" else [first + HANDED_BACK, first]

    def in_turn(self, kind: str, repeats: int) -> dict[str, list[float]]:
        """Seconds of each work, one of every kind after the other, ``repeats`` times.

        Before, each is done once, which takes what a first call alone does; but images, whose tiles were.
        """
        taken: dict[str, list[float]] = {layers: [] for layers in self.works(kind)}
        warm_up = int(kind != "image")
        for _ in range(repeats + warm_up):
            for layers, found in taken.items():
                pool, work = self._process(layers)
                found.append(pool.submit(_seconds, kind, work).result())
        return {layers: found[warm_up:] for layers, found in taken.items()}

    def compared(
        self, kind: str, work: str, repeats: int, operations: float = 0, peak: float = 1
    ) -> list[dict[str, Any]]:
        """Rows of the table: every work of a kind against the first."""
        taken = self.in_turn(kind, repeats)
        yardstick = next(iter(taken.values()))
        rows = []
        for layers, found in taken.items():
            pool, name = self._process(layers)
            looked_into = operations and layers in ("reference", "fast")
            share, memory = np.nan, np.nan
            if looked_into:
                share, memory = pool.submit(_profiled, kind, name).result()
            seconds = statistics.median(found)
            pairs = zip(yardstick, found, strict=True)
            rows.append(
                {
                    "work": work,
                    "layers": layers,
                    "seconds": seconds,
                    "ratio": statistics.median(before / after for before, after in pairs),
                    "in_convolutions": share,
                    "of_peak": operations / seconds / 1e9 / peak if operations else np.nan,
                    "memory_mb": memory,
                    "process_mb": pool.submit(_most_memory).result(),
                }
            )
            if kind == "image":
                rows[-1]["psnr"] = pool.submit(_psnr, name).result()
            print(rows[-1], flush=True)
        return rows


def _set_up(device: str, quick: bool, keep: bool) -> None:
    os.environ[SWITCH] = "1" if keep else "0"
    keep_freed_memory()
    _machine.append(Machine(prepare(device, 0), quick))


@lru_cache(maxsize=1)
def _works(kind: str) -> dict[str, Work]:
    return WORKS[kind](_machine[0])


def _names(kind: str) -> list[str]:
    return list(_works(kind))


def _seconds(kind: str, name: str) -> float:
    return _machine[0].seconds(_works(kind)[name])


def _profiled(kind: str, name: str) -> tuple[float, float]:
    return _machine[0].profiled(_works(kind)[name])


def _most_memory() -> float:
    """What this process held of the machine's memory at most (MB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _psnr(name: str) -> float:
    return psnr(RESTORED[name], photograph(_machine[0].sides)[1])
