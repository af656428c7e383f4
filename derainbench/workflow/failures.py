"""Why a workflow failed, in plain lines, by Snakemake's output and the logs that it names."""

from __future__ import annotations

import re
import shutil
import signal
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

WITHOUT = "DERAINBENCH_WITHOUT"  # environment variable: runs to leave out, as JSON
GOES_ON = "the same command goes on"
LARGER = (
    f"{GOES_ON}; --cores 1 has one job at a time in memory, and attempts after the first ask a "
    "scheduler for more"
)
_JOB = re.compile(r"^Error in (?:local)?rule (\w+):$")
_LOG = re.compile(r"^    log: (.+?)(?: \(check log|$)")
_TRAINING = re.compile(r"/logs/train/([^/]+)/(seed-\d+)\.log$")
_ERROR = "derainbench: error: "
_DIVERGED = "training diverged"
# How Snakemake tells of a job's end: by the shell's status, or by the signal where no shell is between.
_ENDED = re.compile(r"returned non-zero exit status (\d+)|died with <Signals\.\w+: (\d+)>")
# What the system says of a disk that takes no more, as Python and the shell hand it on.
_DISK = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system")


def diverged(lines: Iterable[str], folder: Path) -> dict[str, str]:
    """Why trainings failed that diverged, in a line each, by ``RUN/seed-SEED``.

    Args:
        lines: Snakemake's output, which names the logs of jobs that failed.
        folder: that it ran in.
    """
    found = {}
    for _, log, _ in _failed_jobs(lines):
        match, said = _TRAINING.search(log), _last_words(folder / log)
        if match and said.startswith(_DIVERGED):
            found[f"{match[1]}/{match[2]}"] = said
    return found


def reasons(lines: list[str], folder: Path, memory: int | None = None) -> list[str]:
    """Why a workflow failed: a line for the disk, if it is that, and one for every job that failed.

    Args:
        lines: Snakemake's output.
        folder: that it ran in.
        memory: processes that the machine killed for want of memory meanwhile; None: unknown.
    """
    found = []
    if full := next((m for line in lines if (m := _DISK.search(line))), None):
        free = shutil.disk_usage(folder).free / 1e6
        found.append(
            f"{folder.resolve()}: {full[0]} ({free:.0f} MB free); "
            "once there is room, the same command goes on"
        )
    for rule, log, ended in _failed_jobs(lines):
        found.append(
            f"{rule} ({log}): {_last_words(folder / log) or _without_a_word(ended, memory)}"
        )
    return list(dict.fromkeys(found))


def said_by_check(status: int, said: str) -> str:
    """Why the check of a configuration failed: its error, or how it ended if it was not by itself.

    Args:
        status: of its process.
        said: its standard error; of one that a signal ended, perhaps what Python says of its place.
    """
    _, found, error = said.partition(_ERROR)
    if found:
        return error.strip()
    last = said.strip().rpartition("\n")[2]
    return f"the check of it ended with status {status}{last and f' ({last})'}; {GOES_ON}"


def end_of_snakemake(status: int) -> str:
    """What ended Snakemake before it could say anything of a failure; "" if it ended by itself.

    Args:
        status: of its process; negative where a signal ended it, as :mod:`subprocess` tells it.
    """
    number = -status if status < 0 else status - 128
    if number not in {*signal.Signals}:
        return ""
    return f"Snakemake was ended by signal {number} ({signal.Signals(number).name}); {GOES_ON}"


def kills_for_memory() -> int | None:
    """How many processes this machine has killed for want of memory since it started; None: unknown."""
    try:
        match = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) if match else None


def since(before: int | None) -> int | None:
    """How many processes this machine has killed for want of memory since it had killed so many."""
    now = kills_for_memory()
    return None if before is None or now is None else now - before


def _without_a_word(number: int, memory: int | None) -> str:
    """Why a job left no error in its log.

    Args:
        number: of the signal that ended it; 0 if none is known.
        memory: processes that the machine killed for want of memory meanwhile; None: unknown.
    """
    if number not in (0, signal.SIGKILL):
        name = signal.Signals(number).name if number in {*signal.Signals} else "unknown"
        return f"ended by signal {number} ({name}); {GOES_ON}"
    if not number:
        return f"ended without a word: killed, perhaps for want of memory; {LARGER}"
    if memory == 0:
        return f"killed (signal 9) by hand or by a scheduler, not by this machine; {GOES_ON}"
    known = ", as the machine's count of such kills says" if memory else ", probably"
    return f"killed (signal 9) for want of memory{known}; {LARGER}"


def _failed_jobs(lines: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    """Rule and log of every job that failed, and the signal that ended it; 0 if none is known."""
    rule, ends = "", deque[int]()
    for line in lines:
        if match := _ENDED.search(line):
            status = int(match[1] or 0)
            ends.append(int(match[2] or 0) or max(0, status - 128))
        elif match := _JOB.match(line):
            rule = match[1]
        elif rule and (match := _LOG.match(line)):
            yield rule, match[1], ends.popleft() if ends else 0
            rule = ""


def _last_words(log: Path) -> str:
    """The error that a job ended with; "" if it said none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    last = text.strip().rpartition("\n")[2]
    return last.removeprefix(_ERROR) if last.startswith(_ERROR) else ""
