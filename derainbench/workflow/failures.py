"""Why a workflow failed, in plain lines, by Snakemake's output and the logs that it names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

WITHOUT = "DERAINBENCH_WITHOUT"  # environment variable: runs to leave out, as JSON
_JOB = re.compile(r"^Error in (?:local)?rule (\w+):$")
_LOG = re.compile(r"^    log: (.+?)(?: \(check log|$)")
_TRAINING = re.compile(r"/logs/train/([^/]+)/(seed-\d+)\.log$")
_ERROR = "derainbench: error: "
_DIVERGED = "training diverged"
# What the system says of a disk that takes no more, as Python and the shell hand it on.
_DISK = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system")


def diverged(lines: Iterable[str], folder: Path) -> dict[str, str]:
    """Why trainings failed that diverged, in a line each, by ``RUN/seed-SEED``.

    Args:
        lines: Snakemake's output, which names the logs of jobs that failed.
        folder: that it ran in.
    """
    found = {}
    for _, log in _failed_jobs(lines):
        match, said = _TRAINING.search(log), _last_words(folder / log)
        if match and said.startswith(_DIVERGED):
            found[f"{match[1]}/{match[2]}"] = said
    return found


def reasons(lines: list[str], folder: Path) -> list[str]:
    """Why a workflow failed: a line for the disk, if it is that, and one for every job that failed.

    Args:
        lines: Snakemake's output.
        folder: that it ran in.
    """
    found = []
    if full := next((m for line in lines if (m := _DISK.search(line))), None):
        free = shutil.disk_usage(folder).free / 1e6
        found.append(
            f"{folder.resolve()}: {full[0]} ({free:.0f} MB free); "
            "once there is room, the same command goes on"
        )
    for rule, log in _failed_jobs(lines):
        said = _last_words(folder / log) or (
            "ended without a word: killed, perhaps for want of memory; the same command goes on"
        )
        found.append(f"{rule} ({log}): {said}")
    return list(dict.fromkeys(found))


def _failed_jobs(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Rule and log of every job that failed."""
    rule = ""
    for line in lines:
        if match := _JOB.match(line):
            rule = match[1]
        elif rule and (match := _LOG.match(line)):
            yield rule, match[1]
            rule = ""


def _last_words(log: Path) -> str:
    """The error that a job ended with; "" if it said none."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    last = text.strip().rpartition("\n")[2]
    return last.removeprefix(_ERROR) if last.startswith(_ERROR) else ""
