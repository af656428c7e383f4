"""What happens when a process is asked to stop: one line, whenever that is.

Imported before anything that takes time to import.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

LINE = "derainbench: stopped"


def stop_at_once() -> None:
    """Until :func:`stop_orderly`, an interrupt ends the process at once, with a line.

    In a process that is to ignore interrupts, such as a background job of a shell, they stay ignored.
    """
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:
        signal.signal(signal.SIGINT, _at_once)


def stop_orderly() -> None:
    """From now on an interrupt raises KeyboardInterrupt, and a request to end SystemExit."""
    if signal.getsignal(signal.SIGINT) == _at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _orderly)


def _at_once(*_: object) -> NoReturn:
    os.write(2, f"{LINE}\n".encode())
    os._exit(128 + signal.SIGINT)


def _orderly(number: int, _: FrameType | None) -> NoReturn:
    for other in (signal.SIGTERM, signal.SIGHUP):  # the first is enough: what follows clears up
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)
