"""The cells that a paper's tables are expected to have, for whoever has the paper to fill in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from derainbench.catalog import published
from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.format import TEMPLATE_COLUMNS, CellKey
from derainbench.catalog.cells.metrics import cell_metrics, metrics_of
from derainbench.catalog.model_cards import all_cards, model_card
from derainbench.catalog.papers import TABLE_KINDS, Artefact
from derainbench.foundation.errors import BenchError


def tables_with_cells(paper: AuditedPaper) -> dict[str, Artefact]:
    """The tables of a paper, by name; figures print no numbers.

    Raises:
        BenchError: if none is known, as of a paper that nobody had at hand.
    """
    tables = {name: a for name, a in paper.artefacts.items() if a.kind in TABLE_KINDS}
    if not tables:
        raise BenchError(
            f"papers/{paper.name}/paper.yaml: names no table, so there is no cell to fill in; add "
            "the paper's tables to `artefacts` there first"
        )
    return tables


def expected_cells(paper: AuditedPaper) -> list[CellKey]:
    """Every cell that the tables of a paper are expected to have, in their order.

    Which methods a paper compares is not known before somebody has it: expected are its network,
    the baselines that its figures show, and in tables of scores whatever has published scores on
    its data sets.

    Raises:
        BenchError: if no table of the paper is known.
    """
    return [
        CellKey(table, method, dataset, metric)
        for table, artefact in tables_with_cells(paper).items()
        for dataset in _datasets(paper, table, artefact)
        for method in _methods(paper, artefact, dataset)
        for metric in metrics_of(artefact.kind)
    ]


def template(paper: AuditedPaper) -> str:
    """A CSV with a row per expected cell that was not transcribed yet, its value empty.

    Raises:
        BenchError: if no table of the paper is known.
    """
    known = {cell.key for cell in paper.transcribed}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(TEMPLATE_COLUMNS)
    for key in expected_cells(paper):
        if key not in known:
            writer.writerow([*key, "", cell_metrics()[key.metric].unit, ""])
    return text.getvalue()


def known_methods(paper: AuditedPaper) -> list[str]:
    """The methods that a cell may name: of the paper, of model cards, of published scores."""
    names = [paper.method, *(cell.method for cell in paper.transcribed)]
    names += [card.published_as or card.title for card in all_cards().values()]
    names += published.scores()["method"].tolist()
    return list(dict.fromkeys(names))


def _datasets(paper: AuditedPaper, table: str, artefact: Artefact) -> list[str]:
    """Those that a table shows; "" where numbers belong to a network alone, or none is known."""
    if artefact.kind == "costs":
        return [""]
    claimed = [claim.dataset for _, claim in paper.known_cells(table) if claim.dataset]
    return list(artefact.sets) or list(dict.fromkeys(claimed)) or [""]


def _methods(paper: AuditedPaper, artefact: Artefact, dataset: str) -> Iterator[str]:
    yield paper.method
    if artefact.kind == "ablation":
        yield from artefact.parts
        return
    cards = map(model_card, paper.baselines)
    names = [card.published_as or card.title for card in cards]
    if artefact.kind == "scores":
        scores = published.scores()
        names += scores.loc[scores["dataset"] == dataset, "method"].tolist()
    yield from dict.fromkeys(name for name in names if name != paper.method)
