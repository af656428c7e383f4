"""Trainings that diverged, by Snakemake's output: the rest of a configuration goes on without them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

WITHOUT = "DERAINBENCH_WITHOUT"  # environment variable: runs to leave out, as JSON
_LOG = re.compile(r"^    log: (.*/logs/train/([^/]+)/(seed-\d+)\.log)(?: \(check log|$)")
_DIVERGED = "derainbench: error: training diverged"


def diverged(lines: Iterable[str], folder: Path) -> dict[str, str]:
    """Why trainings failed that diverged, in a line each, by ``RUN/seed-SEED``.

    Args:
        lines: Snakemake's output, which names the logs of jobs that failed.
        folder: that it ran in.
    """
    found = {}
    for line in lines:
        if match := _LOG.match(line):
            try:
                log = (folder / match[1]).read_text(encoding="utf-8", errors="replace")
            except OSError:
                continue
            last = log.strip().rpartition("\n")[2]
            if last.startswith(_DIVERGED):
                found[f"{match[2]}/{match[3]}"] = last.removeprefix("derainbench: error: ")
    return found
