"""What tables are made of: cells, captions, and the table itself."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty

RAINY = "Rainy input"
# What a configuration's own numbers are called, where they stand beside published ones: in columns
# for programs, and in headings.
OWN_COLUMNS = {
    "smoke": "smoke",
    "study": "study",
    "paper": "reproduced",
    "rehearsal": "rehearsal",
}
OWN_HEADINGS = {
    "smoke": "Smoke, not comparable",
    "study": "Reproduced (official weights, or scaled-down)",
    "paper": "Reproduced",
    "rehearsal": "Rehearsal, not comparable",
}
# What the captions of configurations without scientific content begin with.
MARKS = {
    "smoke": "SMOKE (pipeline check, no scientific content)",
    "rehearsal": "REHEARSAL (generated stand-ins, a few training steps, no scientific content)",
}


@dataclass(frozen=True)
class Table:
    """A table for programs and the same for people.

    Attributes:
        name: file stem.
        caption: one or two sentences, naming protocol, sizes and assumptions.
        frame: every column, unrounded: the CSV.
        view: text as shown in Markdown, LaTeX and HTML; empty cells have no value.
        grey: places of the rows of the view that are greyed, from 0.
    """

    name: str
    caption: str
    frame: pd.DataFrame
    view: pd.DataFrame
    grey: frozenset[int] = frozenset()


def number(value: float | None, digits: int = 0) -> str:
    """A number with thousands separated, or nothing."""
    return "" if is_empty(value) else f"{value:,.{digits}f}"


def scores_text(psnr: float, ssim: float, psnr_std: float | None = None) -> str:
    """``28.31 / 0.9123``, ``28.31 ± 0.05 / 0.9123`` with a deviation over seeds, or nothing."""
    if is_empty(psnr):
        return ""
    spread = "" if is_empty(psnr_std) else f" ± {psnr_std:.2f}"
    return f"{psnr:.2f}{spread} / {'' if is_empty(ssim) else f'{ssim:.4f}'}"


def captioned(config: Config, text: str) -> str:
    """A caption that says first of all if the numbers are of smoke or of a rehearsal."""
    if not config.comparable:
        return f"{MARKS[config.label]}: {text}"
    return text[0].upper() + text[1:]


def interval_text(low: float, high: float) -> str:
    """``[28.31, 29.02]``, or nothing."""
    return "" if is_empty(low) or is_empty(high) else f"[{low:.2f}, {high:.2f}]"
