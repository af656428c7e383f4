"""Progress for people (a bar with ETA) and for logs (a line now and then)."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
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

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()
