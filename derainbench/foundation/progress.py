"""Progress for people (a bar with ETA) and for logs (a line now and then)."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

LOG_INTERVAL = 5.0  # seconds between lines where there is no terminal


class Reporter:
    """Shows steps of a long job on standard error: a bar on a terminal, else a line
    every few seconds.

    Args:
        what: name of the job.
        total: number of steps.
        done: steps done before this process started.
    """

    def __init__(self, what: str, total: int, done: int = 0) -> None:
        self.what, self.total, self.done = what, total, done
        self._started, self._start_done = time.monotonic(), done
        self._last_line = float("-inf")
        self._bar: Progress | None = None

    def __enter__(self) -> Reporter:
        _open.append(self)
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("ETA"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task(
                self.what, total=self.total, completed=self.done, note=""
            )
        elif self.done:
            print(f"{self.what}: resumed after {self.done} of {self.total}", file=sys.stderr)
        return self

    def advance(self, note: str = "") -> None:
        """One more step is done; ``note`` says how it went."""
        self.done += 1
        if self._bar:
            self._bar.update(self._task, completed=self.done, note=note)
            return
        now = time.monotonic()
        if now - self._last_line < LOG_INTERVAL and self.done < self.total:
            return
        self._last_line = now
        per_step = (now - self._started) / (self.done - self._start_done)
        remaining = per_step * (self.total - self.done)
        print(
            f"{self.what}: {self.done}/{self.total}, {remaining:.0f} s to go"
            + (f", {note}" if note else ""),
            file=sys.stderr,
            flush=True,
        )

    def part(self, done: int, total: int, what: str) -> None:
        """So much of the step that is being done is done, where a step takes long."""
        now = time.monotonic()
        if now - max(self._started, self._last_line) < LOG_INTERVAL:
            return
        self._last_line = now
        note = f"{what} {done}/{total}"
        if self._bar:
            self._bar.update(self._task, completed=self.done + done / total, note=note)
            return
        gone = self.done - self._start_done + done / total
        remaining = (now - self._started) / gone * (self.total - self.done - done / total)
        print(
            f"{self.what}: {self.done}/{self.total}, {note}, {remaining:.0f} s to go",
            file=sys.stderr,
            flush=True,
        )

    def __exit__(self, *exception: object) -> None:
        _open.remove(self)
        if self._bar:
            self._bar.stop()


_open: list[Reporter] = []  # the innermost one last


def show_part(done: int, total: int, what: str) -> None:
    """Says how much of the present step is done to whichever reporter is there, if any."""
    if _open and done:
        _open[-1].part(done, total, what)


class TransferReporter:
    """Shows the bytes of a download on standard error: a bar on a terminal, else a line every few
    seconds.

    Args:
        what: name of the transfer.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._last_line = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> TransferReporter:
        if sys.stderr.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._bar.start()
            self._task = self._bar.add_task(self.what, total=None)
        return self

    def update(self, done: int, total: int | None) -> None:
        """``done`` of ``total`` bytes are here; the total may be unknown."""
        if self._bar:
            self._bar.update(self._task, completed=done, total=total)
            return
        now = time.monotonic()
        if now - self._last_line < LOG_INTERVAL and done != total:
            return
        self._last_line = now
        of_total = f" of {total / 1e6:.1f}" if total else ""
        print(f"{self.what}: {done / 1e6:.1f}{of_total} MB", file=sys.stderr, flush=True)

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()
