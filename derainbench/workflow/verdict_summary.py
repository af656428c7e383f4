"""What a run found, in a few lines for a terminal."""

from __future__ import annotations

import csv
import json
import textwrap
from pathlib import Path

from derainbench.catalog.verdicts import Outcome

SUMMARY = "| "  # begins the lines in Snakemake's output
_WIDTH = 100  # characters of a line


def verdict_summary(page: Path, claims: Path, equal_quality: Path | None = None) -> list[str]:
    """Where the page is, one line per word of the verdicts, and how much of each paper is decided; at
    last a line per spiking run on its energy at equal quality.

    The line of a word says how many claims, and which; a claim whose verdict depends on the reading
    is on several lines. Coverage is read beside the verdicts, where it is there.

    Args:
        page: ``report/index.html``.
        claims: ``audit/claims.csv``.
        equal_quality: ``tables/equal_quality.csv``; without it nothing is said of energy.
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
    if equal_quality and equal_quality.is_file():
        lines += _energy_lines(equal_quality)
    return lines


def _energy_lines(table: Path) -> list[str]:
    """Every spiking run's energy over that of the cheapest equal ANN, with both qualities."""
    import pandas as pd  # takes a second, and a workflow that starts has nothing to sum up

    from derainbench.report.tables.equal_quality import headline_sentences
    from derainbench.results.scenarios import plain_rows

    rows = plain_rows(pd.read_csv(table))
    return [
        line
        for _, of_run in rows.groupby(["run", "dataset"], sort=False)
        for sentence in headline_sentences(of_run)
        for line in textwrap.wrap(
            f"  energy at equal quality, {of_run['title'].iloc[0]}: {sentence}",
            _WIDTH,
            subsequent_indent="    ",
        )
    ]
