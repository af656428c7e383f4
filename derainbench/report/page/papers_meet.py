"""Where the papers meet on the page: their verdicts beside each other, and what sources leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.papers import read_paper
from derainbench.config.schema import Config
from derainbench.report.page.verdict_list import (
    SEVERAL,
    SYMBOLS,
    PaperVerdicts,
    paper_verdicts,
    word_of,
)

WORDS: tuple[str, ...] = (*SYMBOLS, SEVERAL)


@dataclass(frozen=True)
class PaperBeside:
    """One paper beside the others.

    Attributes:
        verdicts: on its claims.
        by_word: ids of its claims by verdict, every one of :data:`WORDS`.
        against: its claims that name another network, with that one's title.
        unstated: what the sources at hand do not say, a sentence each.
    """

    verdicts: PaperVerdicts
    by_word: dict[str, list[str]]
    against: list[tuple[str, dict[str, Any]]]
    unstated: tuple[str, ...]


def papers_beside(config: Config) -> list[PaperBeside]:
    """Every paper's verdicts by word, its claims about other networks, and what is not stated.

    Raises:
        BenchError: if ``audit/claims.json`` is missing.
    """
    return [_beside(verdicts) for verdicts in paper_verdicts(config)]


def _beside(verdicts: PaperVerdicts) -> PaperBeside:
    by_word: dict[str, list[str]] = {word: [] for word in WORDS}
    for claim in verdicts.claims:
        by_word[word_of(claim)].append(claim["id"])
    against = [
        (model_card(claim["against"]).title, claim)
        for claim in verdicts.claims
        if claim.get("against")
    ]
    return PaperBeside(verdicts, by_word, against, read_paper(verdicts.name).unstated)
