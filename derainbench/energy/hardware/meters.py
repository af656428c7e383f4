"""The meters of this machine, behind the two calls that measuring needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

WINDOW = "derainbench"


class Unavailable(Exception):
    """This machine does not tell what it draws; the message says why, in one line."""


@dataclass(frozen=True)
class Reading:
    """What was drawn between two moments: ``seconds``, and ``joules`` by part.

    Parts: ``gpu`` (the board), ``cpu`` (all packages), ``dram``.
    """

    seconds: float
    joules: dict[str, float]


class Meter(Protocol):
    """Measures one stretch of time after the other."""

    def begin(self) -> None:
        """Waits for the device's work and starts a stretch."""
        ...

    def end(self) -> Reading:
        """Waits for the device's work and ends the stretch."""
        ...


class ZeusMeter:
    """NVML (or AMD SMI) and RAPL through ``zeus.monitor.ZeusMonitor``.

    Args:
        device: whose energy counts: a GPU and the CPU that feeds it, or the CPU alone.

    Raises:
        Unavailable: if the device that computes has no readable meter.
    """

    def __init__(self, device: torch.device) -> None:
        # Imported here: no other stage needs zeus.
        from zeus.exception import ZeusBaseError
        from zeus.monitor import ZeusMonitor

        gpus = [device.index or 0] if device.type == "cuda" else []
        try:
            self._monitor = ZeusMonitor(gpu_indices=gpus)
            self.begin()
            self._monitor.end_window(WINDOW, cancel=True)
        except (ZeusBaseError, OSError, ValueError) as error:
            raise Unavailable(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error
        if not gpus and not self._monitor.cpu_indices:
            raise Unavailable(
                "no RAPL counters that this user may read in /sys/class/powercap/intel-rapl"
            )

    def begin(self) -> None:
        """See :class:`Meter`."""
        self._monitor.begin_window(WINDOW, restart=True)

    def end(self) -> Reading:
        """See :class:`Meter`."""
        window = self._monitor.end_window(WINDOW)
        parts = {"gpu": window.gpu_energy, "cpu": window.cpu_energy, "dram": window.dram_energy}
        return Reading(window.time, {part: sum(e.values()) for part, e in parts.items() if e})


def open_meter(device: torch.device) -> Meter:
    """The meter of a device.

    Raises:
        Unavailable: if there is none.
    """
    return ZeusMeter(device)
