"""What the tables of papers have in common: reasons for empty cells, and captions."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from derainbench.catalog.papers import Paper, called
from derainbench.config.schema import Config
from derainbench.report.tables.table import Table, captioned


def because(reasons: dict[str, str]) -> str:
    """Why cells of a row are empty: ``published: ...; reproduced: ...``."""
    return "; ".join(f"{cell}: {reason}" for cell, reason in reasons.items() if reason)


def titled(paper: Paper, artefact: str, text: str) -> str:
    """A caption that says first what is shown, and last what is not known of the paper's."""
    facts = paper.artefacts[artefact]
    return f"{facts.title} (the paper's {called(artefact)}). {text} {facts.note}".strip()


def shows(paper: Paper, artefact: str) -> str:
    """Which sets the paper's figure shows, as the last sentence of a caption; or nothing."""
    sets = paper.artefacts[artefact].sets
    return f" The paper's figure shows {', '.join(sets)}." if sets else ""


def artefact_table(
    config: Config,
    paper: Paper,
    artefact: str,
    text: str,
    frame: pd.DataFrame,
    view: Iterable[dict[str, str]],
) -> Table:
    """A table of a paper; its caption says which one, and if its numbers are of smoke."""
    caption = captioned(config, titled(paper, artefact, text))
    return Table(artefact, caption, frame, pd.DataFrame(view))
