"""What a run found, in a few lines for a terminal."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from derainbench.catalog.verdicts import Outcome

SUMMARY = "| "  # begins the lines in Snakemake's output
_WIDTH = 100  # characters of a line


def verdict_summary(page: Path, claims: Path) -> list[str]:
    """Where the page is, one line per word of the verdicts, and how much of each paper is decided.

    The line of a word says how many claims, and which; a claim whose verdict depends on the reading
    is on several lines. Coverage is read beside the verdicts, where it is there.

    Args:
        page: ``report/index.html``.
        claims: ``audit/claims.csv``.
    """
    by_outcome: dict[str, list[str]] = {str(outcome): [] for outcome in Outcome}
    with open(claims, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            names = by_outcome.setdefault(row["verdict"], [])
            if row["claim"] not in names:
                names.append(row["claim"])
    longest = max(map(len, by_outcome))
    lines = [f"Report: {page}"]
    for outcome, names in by_outcome.items():
        line = f"  {outcome:<{longest}}  {len(names):>3}  {', '.join(names)}".rstrip()
        lines.append(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1].rstrip(', ')}…")
    coverage = claims.with_name("coverage.json")
    if coverage.is_file():
        for paper in json.loads(coverage.read_text("utf-8"))["papers"]:
            lines.append(
                f"Decided of {paper['paper']}: {paper['decided']} of {paper['claims']} claims, "
                f"{paper['decided_share']:.0%} by weight; {paper['could_be_decided']} more could be: "
                "tables/coverage.md"
            )
    return lines
