"""``python -m derainbench.workflow``: Snakemake for people, a bar per stage instead of its log.

Arguments are Snakemake's own. A run may be killed whenever and however: the next one clears up and goes
on (:mod:`derainbench.workflow.recovery`). Its whole log stays in a file, which the last line names; of a failure
Snakemake's own words are shown.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import pinned
from derainbench.workflow import failures, fork_server, recovery, supervision
from derainbench.workflow.verdict_summary import SUMMARY

RULES = Path(__file__).resolve().parent.parent.parent / "workflow" / "rules"
_HEADER = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):$")
_JOB = re.compile(r"^ +jobid: (\d+)$")
_FINISHED = re.compile(r"^Finished jobid: (\d+) \(Rule: (\w+)\)$")
_COUNT = re.compile(r"^(\w+) +(\d+)$")
_ERROR = re.compile(
    r"^(Error in |Error:|RuleException|WorkflowError|MissingInput|MissingOutput|LockException|"
    r"IncompleteFiles|AmbiguousRule|CyclicGraph|SyntaxError|snakemake: error|\S*Exception in )"
)
_LOG = re.compile(r"^Complete log\(s\): (.+)$")
_SHOWN_OF_AN_ERROR = 60  # lines


def stages(folder: Path = RULES) -> dict[str, str]:
    """The stage of every rule: the file that it is in, in the order of the Snakefile."""
    found = {}
    for name in ("data", "train", "evaluate", "energy", "report", "check"):
        for line in (folder / f"{name}.smk").read_text(encoding="utf-8").splitlines():
            if match := re.match(r"^(?:rule|checkpoint) (\w+):", line):
                found[match[1]] = name
    return found


@dataclass
class Followed:
    """What Snakemake's output says, line by line.

    Attributes:
        stage_of: stages by rule; rules without one are left out.
        total: jobs to do, by stage.
        done: jobs that ended well, by stage.
        waiting: jobs that have not ended, by rule.
        seconds: that jobs which ended took, by rule.
        begun: rule and second of the jobs that run, by Snakemake's number.
        running: rule of the job that began last.
        error: what Snakemake says of a failure, its first lines.
        log: where its whole log is.
        nothing: whether there was nothing to do.
    """

    stage_of: dict[str, str]
    total: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    begun: dict[str, tuple[str, float]] = field(default_factory=dict)
    running: str = ""
    error: list[str] = field(default_factory=list)
    log: str = ""
    nothing: bool = False
    _in_statistics: bool = False

    @property
    def locked(self) -> bool:
        """Whether Snakemake refused because another one holds its lock."""
        return any(line.startswith("LockException") for line in self.error)

    def read(self, line: str, now: float) -> bool:
        """Takes one line that came at a second; gives whether a job ended or the plan is known."""
        if self.error or _ERROR.match(line):
            self.error.append(line)
        if line.startswith("Job stats:"):
            self._in_statistics = True
            self.total.clear()
            self.waiting.clear()
        elif self._in_statistics and (match := _COUNT.match(line)):
            if match[1] == "total":
                self._in_statistics = False
                return True
            if match[1] in self.stage_of:
                self.total[self.stage_of[match[1]]] += int(match[2])
                self.waiting[match[1]] += int(match[2])
        elif match := _HEADER.match(line):
            self.running = match[1]
        elif (match := _JOB.match(line)) and self.running in self.stage_of:
            self.begun[match[1]] = self.running, now
        elif match := _FINISHED.match(line):
            rule, since = self.begun.pop(match[1], (match[2], now))
            if rule in self.stage_of:
                self.done[self.stage_of[rule]] += 1
                self.waiting[rule] -= 1
                self.seconds.setdefault(rule, []).append(now - since)
                return True
        elif match := _LOG.match(line):
            self.log = match[1]
        elif line.startswith("Nothing to be done"):
            self.nothing = True
        return False


def time_left(followed: Followed, now: float) -> str:
    """About how long the rest takes: jobs of a rule take as long as those before, as many at once.

    Args:
        followed: what is known of the run.
        now: seconds since it began.

    Returns:
        ``about N min left``, or ``at least`` where no job of some rule has ended yet; "" if nothing
        is known or left.
    """
    spent = sum(map(sum, followed.seconds.values()))
    waiting = +followed.waiting
    if not waiting or not spent:
        return ""
    means = {rule: sum(taken) / len(taken) for rule, taken in followed.seconds.items()}
    left = sum(means.get(rule, 0) * jobs for rule, jobs in waiting.items())
    for rule, since in followed.begun.values():
        left -= min(now - since, means.get(rule, 0))
    minutes = round(left * now / spent / 60)
    kind = "about" if waiting.keys() <= means.keys() else "at least"
    return f"{kind} {minutes} min left" if minutes >= 2 else f"{kind} a minute left"


def main(arguments: list[str] | None = None) -> int:
    """Runs Snakemake and shows how far it is; gives its exit status.

    What a killed run left is cleared first. Where trainings diverge, the rest of the configuration
    is computed without them, and the status is that of a failure.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    folder = recovery.folder_of(arguments)
    without: dict[str, str] = {}
    try:
        with supervision.stoppable():
            recovery.clear(folder)
            with fork_server.serving() as forks, pinned(folder) as is_there:
                while True:
                    status, lines = _run(arguments, folder, without, forks)
                    failed = failures.diverged(lines, folder) if status else {}
                    if not failed.keys() - without.keys():
                        break
                    without |= failed
                if not is_there():
                    raise BenchError(
                        f"{folder.absolute()}: was deleted or its disk taken away while the run worked in it"
                    )
    except BenchError as error:
        print(f"derainbench: error: {error}", file=sys.stderr)
        return 1
    except supervision.Stopped as stopped:
        recovery.clear(folder)
        print(f"derainbench: {stopped}; the next run goes on from here", file=sys.stderr)
        return stopped.status
    for run, reason in without.items():
        print(f"derainbench: missing in all results: {run}: {reason}", file=sys.stderr)
    return status or int(bool(without))


def _run(
    arguments: list[str], folder: Path, without: dict[str, str], forks: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Snakemake once; gives its exit status and its output."""
    environment = {failures.WITHOUT: json.dumps(without)} if without else {}
    before = failures.kills_for_memory()
    with supervision.snakemake(arguments, {**environment, **forks}) as process:
        assert process.stdout is not None
        followed, lines = follow(process.stdout)
        status = process.wait()
    if status and followed.locked:
        for other in recovery.living(folder):
            print(f"derainbench: error: another run works here: {other}", file=sys.stderr)
    elif status:
        reasons = failures.reasons(lines, folder, failures.since(before))
        if not reasons and not followed.error and (ended := failures.end_of_snakemake(status)):
            reasons = [ended]
        if not reasons:
            shown = followed.error or lines[-_SHOWN_OF_AN_ERROR:]
            print("\n".join(shown[:_SHOWN_OF_AN_ERROR]), file=sys.stderr)
        for reason in reasons:
            print(f"derainbench: error: {reason}", file=sys.stderr)
    elif followed.nothing:
        print("Nothing to be done: all results are there.")
    summary = [line.removeprefix(SUMMARY) for line in lines if line.startswith(SUMMARY)]
    print("\n".join(summary), end="\n" if summary else "")
    if followed.log:
        print(f"Whole log: {followed.log}")
    return status, lines


def follow(lines: Iterable[str], out: TextIO | None = None) -> tuple[Followed, list[str]]:
    """Shows progress until the lines end; gives what they said, and all of them."""
    followed, seen, started = Followed(stages()), [], time.monotonic()
    with _display(out or sys.stderr) as display:
        for line in _stripped(lines):
            seen.append(line)
            now = time.monotonic() - started
            if followed.read(line, now):
                display.show(followed, now)
    return followed, seen


def _stripped(lines: Iterable[str]) -> Iterator[str]:
    return (line.rstrip("\n") for line in lines)


class _Bars:
    """A bar per stage, on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self.progress = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(file=out),
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def show(self, followed: Followed, now: float) -> None:
        names = dict.fromkeys(followed.stage_of.values())
        for stage in (s for s in names if followed.total[s]):
            if stage not in self.tasks:
                self.tasks[stage] = self.progress.add_task(stage, total=None, note="")
            self.progress.update(
                self.tasks[stage], total=followed.total[stage], completed=followed.done[stage]
            )
            if followed.done[stage] == followed.total[stage]:
                self.progress.stop_task(self.tasks[stage])
        left = time_left(followed, now)
        for task in self.tasks.values():
            self.progress.update(task, note="")
        if self.tasks:
            self.progress.update(list(self.tasks.values())[-1], note=left)


class _Lines:
    """A line per job, where there is no terminal."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, followed: Followed, now: float) -> None:
        parts = [
            f"{stage} {followed.done[stage]}/{total}"
            for stage, total in followed.total.items()
            if total
        ]
        order = list(dict.fromkeys(followed.stage_of.values()))
        parts.sort(key=lambda part: order.index(part.split()[0]))
        left = time_left(followed, now)
        print(", ".join([*parts, *([left] if left else [])]), file=self.out, flush=True)


def _display(out: TextIO) -> _Bars | _Lines:
    return _Bars(out) if out.isatty() else _Lines(out)


if __name__ == "__main__":
    sys.exit(main())
