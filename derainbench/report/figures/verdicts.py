"""The verdicts on one paper on one slide: a row per claim, a cell per reading."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.claim_kinds import BRANCHES, Branch
from derainbench.catalog.ledger import Claim
from derainbench.catalog.papers import called
from derainbench.catalog.verdicts import Outcome

SLIDE = (13.333, 7.5)  # inches: 16:9, as slides are
CAPTION = (
    "A row per claim, by branch; the cells of one table of the paper share a row. A cell per reading "
    "of a claim: scenario, run, seed or protocol, where the answer depends on it; readings with the "
    "same verdict stand together. With a dagger: of a smaller network or a shorter training than the "
    "paper's, which decides nothing about the paper's own."
)
# Okabe and Ito's colours (2008), told apart with every kind of colour vision and in grey; the word or
# its symbol stands in every cell as well.
LOOKS: dict[Outcome, tuple[str, str, str]] = {  # fill, text, symbol
    Outcome.REPRODUCED: ("#009e73", "white", "✓"),
    Outcome.DEVIATES: ("#f0e442", "black", "≈"),
    Outcome.CONTRADICTED: ("#b34700", "white", "✗"),
    Outcome.UNDECIDED: ("#a6d4f2", "black", "?"),
    Outcome.NOT_TESTABLE: ("#e6e6e6", "black", "–"),
}
SCALED = "scaled down: "  # how the reason of a verdict on a smaller network begins, or goes on
DAGGER = "†"
TEXT_SHARE = 0.47  # of the width, for the claims
LARGEST = 13.0  # points
SMALLER = 0.85  # wordings, which may take two lines, than words
CHARACTER = 0.0086  # its mean width at that size, bold, as a share of the figure's width
TITLE, WIDEST_TITLE = 17.0, 0.9  # points; share of the figure's width, with room for hinting
MARGIN = 0.1  # inches that saving adds around what is drawn


@dataclass(frozen=True)
class Segment:
    """Readings of one row that have the same verdict.

    Attributes:
        outcome: the word.
        scaled: whether they are of a smaller network, or a shorter training, than the paper's.
        readings: how many.
    """

    outcome: Outcome
    scaled: bool
    readings: int

    def texts(self) -> list[str]:
        """What may be written on it, from the longest."""
        mark, symbol = DAGGER * self.scaled, LOOKS[self.outcome][2]
        times = f" ×{self.readings}" if self.readings > 1 else ""
        return [f"{symbol} {self.outcome}{times}{mark}", f"{symbol}{times}{mark}", symbol]


@dataclass(frozen=True)
class Row:
    """A claim, or the cells of a table of the paper, with its verdicts."""

    branch: Branch
    text: str
    segments: tuple[Segment, ...]


def rows_of(paper: AuditedPaper, verdicts: pd.DataFrame) -> list[Row]:
    """The rows of the figure, branch by branch.

    Args:
        paper: whose claims.
        verdicts: rows of ``audit/claims.csv`` that are of the paper.
    """
    rows: dict[str, tuple[Branch, str, Counter[tuple[Outcome, bool]]]] = {}
    claims = {claim.id: claim for claim in paper.ledger.all()}
    for name, word, reason in zip(
        verdicts["claim"], verdicts["verdict"], verdicts["reason"], strict=True
    ):
        key, text = _row_of(paper, claims[name])
        counts = rows.setdefault(key, (claims[name].branch, text, Counter()))[2]
        counts[Outcome(word), SCALED in str(reason)] += 1
    return [
        Row(branch, text, _segments(counts))
        for wanted in BRANCHES
        for branch, text, counts in rows.values()
        if branch == wanted
    ]


def _row_of(paper: AuditedPaper, claim: Claim) -> tuple[str, str]:
    """Key and text of the row that a claim stands in."""
    if claim.cell is None:
        return claim.id, claim.wording
    table = claim.cell.table
    cells = sum(cell.table == table for cell in paper.transcribed)
    return f"{table} cells", f"{called(table)}: {paper.artefacts[table].title} ({cells} cells)"


def _segments(counts: Counter[tuple[Outcome, bool]]) -> tuple[Segment, ...]:
    keys = [(outcome, scaled) for outcome in Outcome for scaled in (False, True)]
    return tuple(Segment(*key, counts[key]) for key in keys if counts[key])


def verdict_figure(rows: list[Row], title: str) -> Figure:
    """The figure, 16:9, legible on a slide.

    Args:
        rows: from :func:`rows_of`.
        title: whose verdicts, of which configuration.
    """
    figure, axes = plt.subplots(figsize=SLIDE)
    figure.subplots_adjust(left=0.02, right=0.98, top=0.9, bottom=0.075)
    branches = list(dict.fromkeys(row.branch for row in rows))
    lines = len(rows) + 0.8 * len(branches)
    size = min(LARGEST, 240 / max(lines, 1))  # of two lines of text in one of them, in 6.2 inches
    axes.set_xlim(0, 1)
    axes.set_ylim(lines, 0)
    axes.axis("off")
    width, height = SLIDE
    inside = Rectangle(
        (MARGIN / width, MARGIN / height), 1 - 2 * MARGIN / width, 1 - 2 * MARGIN / height
    )
    inside.set(transform=figure.transFigure, fill=False, edgecolor="none")
    figure.add_artist(inside)  # saved, the figure has the shape of a slide whatever is drawn in it
    shown = figure.text(0.02, 0.945, title, fontsize=TITLE, weight="bold", va="center")
    wide = shown.get_window_extent().width / figure.bbox.width
    shown.set_fontsize(TITLE * min(1, WIDEST_TITLE / wide))
    at = 0.0
    for branch in branches:
        heading = f"{branch.capitalize()}: {BRANCHES[branch]}"
        axes.text(0, at + 0.45, heading, fontsize=size, color="0.35", va="center", style="italic")
        at += 0.8
        for row in (row for row in rows if row.branch == branch):
            _draw_row(axes, row, at, size)
            at += 1
    _legend(figure, any(s.scaled for row in rows for s in row.segments))
    return figure


def _draw_row(axes: Axes, row: Row, at: float, size: float) -> None:
    small, room = SMALLER * size, _room(TEXT_SHARE, SMALLER * size)
    wording = textwrap.wrap(row.text, room)
    if len(wording) > 2:
        wording[1] = textwrap.shorten(" ".join(wording[1:]), room, placeholder=" …")
    text = "\n".join(wording[:2])
    axes.text(0, at + 0.5, text, fontsize=small, va="center", linespacing=1.0)
    total, x = sum(segment.readings for segment in row.segments), TEXT_SHARE
    for segment in row.segments:
        fill, colour, _ = LOOKS[segment.outcome]
        width = (1 - TEXT_SHARE) * segment.readings / total
        for reading in range(segment.readings):
            cell = (x + reading * width / segment.readings, at + 0.08)
            shape = Rectangle(cell, width / segment.readings, 0.84, facecolor=fill)
            shape.set(edgecolor="white", linewidth=0.8 if total > 12 else 1.6)
            axes.add_patch(shape)
        room = _room(width, size)
        text = next((text for text in segment.texts() if len(text) <= room), "")
        # Lines between cells must not strike the word through.
        box = {"facecolor": fill, "edgecolor": "none", "pad": 1.2} if segment.readings > 1 else None
        axes.text(
            x + width / 2,
            at + 0.5,
            text,
            fontsize=size,
            color=colour,
            ha="center",
            va="center",
            weight="bold",
            bbox=box,
        )
        x += width


def _room(width: float, size: float) -> int:
    """How many characters fit into a share of the figure's width."""
    return int(width / CHARACTER * LARGEST / size)


def _legend(figure: Figure, scaled: bool) -> None:
    """What symbols and dagger mean, in one line at the bottom."""
    x = 0.02
    for outcome, (fill, colour, symbol) in LOOKS.items():
        box = {"facecolor": fill, "edgecolor": "none", "pad": 3}
        figure.text(x, 0.035, symbol, fontsize=11, color=colour, weight="bold", bbox=box)
        figure.text(x + 0.018, 0.035, str(outcome), fontsize=11)
        x += 0.045 + 0.0075 * len(outcome)
    if scaled:
        text = f"{DAGGER} smaller network or shorter training than the paper's"
        figure.text(0.98, 0.035, text, fontsize=11, ha="right")
