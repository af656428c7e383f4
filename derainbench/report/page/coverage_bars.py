"""What the page opens with: how much of each paper is decided, and what the rest takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from derainbench.catalog.claim_kinds import BRANCHES
from derainbench.catalog.papers import read_paper
from derainbench.config.schema import Config
from derainbench.report.tables.coverage import sentence, state_text
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json


@dataclass(frozen=True)
class Segment:
    """One claim in the bar of its branch.

    Attributes:
        claim: id; the anchor of its verdicts ends with it.
        weight: width, per cent of the branch, as the ledger weighs it.
        style: class of the style sheet: its state, or "beyond" where no configuration decides it.
        filled: share of its readings that is decided, per cent.
        title: its wording and state, for pointers and screen readers.
    """

    claim: str
    weight: float
    style: str
    filled: float
    title: str


@dataclass(frozen=True)
class BranchBar:
    """A branch of the tree.

    Attributes:
        count: how many of its claims are decided.
        title: all its counts in words.
    """

    name: str
    meaning: str
    count: str
    title: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class PaperCoverage:
    """The coverage of one paper.

    Attributes:
        sentence: the counts in words.
        missing: what it takes, with the claims that take it, those that could be decided first.
    """

    name: str
    title: str
    sentence: str
    branches: tuple[BranchBar, ...]
    missing: tuple[tuple[str, tuple[str, ...]], ...]


def paper_coverage(config: Config) -> list[PaperCoverage]:
    """The coverage of every paper.

    Raises:
        BenchError: if ``audit/coverage.json`` is missing.
    """
    return [_of_paper(paper) for paper in read_json(layout_of(config).coverage)["papers"]]


def _of_paper(paper: dict[str, Any]) -> PaperCoverage:
    claims = paper["by_claim"]
    missing: dict[str, list[str]] = {}
    for claim in sorted(claims, key=lambda c: (not c["decidable"], -c["share"])):
        if claim["need"]:
            missing.setdefault(claim["need"]["takes"], []).append(claim["wording"])
    branches = tuple(
        BranchBar(
            name=branch["branch"],
            meaning=BRANCHES[branch["branch"]],
            count=_count(branch),
            title=sentence(branch),
            segments=tuple(
                _segment(c, branch["share"]) for c in claims if c["branch"] == branch["branch"]
            ),
        )
        for branch in paper["branches"]
    )
    grouped = tuple((takes, tuple(words)) for takes, words in missing.items())
    title = read_paper(paper["paper"]).method
    return PaperCoverage(paper["paper"], title, sentence(paper), branches, grouped)


def _count(branch: dict[str, Any]) -> str:
    return f"{branch['decided']} of {branch['claims']}"


def _segment(claim: dict[str, Any], of_branch: float) -> Segment:
    style = claim["state"].replace(" ", "-") if claim["decidable"] else "beyond"
    filled = 100 * claim["decided_readings"] / claim["readings"]
    state = state_text(claim) if claim["decidable"] else "no configuration decides it"
    return Segment(
        claim["claim"],
        round(100 * claim["share"] / of_branch, 1),
        style,
        round(filled, 1),
        f"{claim['wording']}: {state}",
    )
