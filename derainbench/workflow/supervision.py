"""Snakemake as a process that never outlives its caller, and how it is stopped with all its jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from derainbench.foundation.owner import OWNER, this_process

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_GRACE = 5.0  # seconds that Snakemake and its jobs get to clear up


class Stopped(Exception):
    """This process was asked to stop, by an interrupt or otherwise."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """In the block a request to stop raises :class:`Stopped`; ignored ones stay ignored."""

    def stop(number: int, _: FrameType | None) -> NoReturn:
        for other in _SIGNALS:  # the first request is enough: what follows clears up
            signal.signal(other, signal.SIG_IGN)
        raise Stopped(number)

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number in _SIGNALS:
        if before[number] != signal.SIG_IGN:
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def snakemake(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Starts Snakemake with its whole output in a pipe; ends it and its jobs with the block.

    Args:
        arguments: Snakemake's own.
        environment: further variables.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "derainbench.workflow.owned", "snakemake", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="backslashreplace",
        env=os.environ | {OWNER: this_process()} | dict(environment or {}),
        process_group=0,  # what a terminal sends comes to this process alone, which hands it on
    )
    try:
        yield process
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[str]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_GRACE)  # and nobody waits because the pipe is full
            return
