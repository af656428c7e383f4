"""Being told to stop by a scheduler whose time is up or who needs the machine for others.

SLURM sends SIGTERM before it ends a job, or whatever signal it was asked for. Work that can go on
later takes that as a request (:func:`stop_requests`), comes to a place where it can go on, keeps what
that takes, and raises :class:`Stopped`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
EXIT_STATUS = 75  # EX_TEMPFAIL of sysexits.h: the same call goes on where this one stopped


class Stopped(Exception):
    """Work was told to stop and can go on later. The message is one line: where it stopped."""


@dataclass
class StopRequest:
    """Whether the process was told to stop.

    Attributes:
        signal: the name of the last signal that said so; empty until one came.
    """

    signal: str = ""

    def note(self, number: int, _frame: object = None) -> None:
        """The handler of a signal."""
        self.signal = signal.Signals(number).name


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """In the block SIGTERM and SIGUSR1 end nothing: they are noted in the request that it gives.

    Outside of the main thread, which alone is told of signals, nothing is ever noted.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.note) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_stop_requests(*_: object) -> None:
    """For processes that work for one that was told to stop, and end with it: they go on until then.

    A scheduler tells all processes of a job. A data loader's worker that obeyed would take the step
    with it for which it loads.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
