"""What is published: of a paper's own tables the cells that are known, of other methods the scores."""

from __future__ import annotations

import pandas as pd

from derainbench.catalog import published
from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.format import PrintedCell
from derainbench.catalog.cells.printed import score_rows
from derainbench.catalog.ledger import Claim
from derainbench.catalog.model_cards import model_card
from derainbench.config.schema import Config
from derainbench.results.runs import RunVariant

UNKNOWN_PROTOCOL = published.UNKNOWN_PROTOCOL
THIRD_PARTY = "third-party retrain"
SHORT_KINDS = {"user": "user report", "abstract": "abstract", "paper": "paper"}


def source_text(claim: Claim) -> str:
    """Kind and source of a claim: ``user report: issue 4 of ...``."""
    kind = SHORT_KINDS.get(claim.kind, claim.kind)
    return claim.source if claim.source.startswith(kind) else f"{kind}: {claim.source}"


def published_scores(paper: AuditedPaper, artefact: str) -> pd.DataFrame:
    """Published scores of all methods, those known to stand in a paper's own table first.

    Transcribed cells of that table come before what others report of it.

    Args:
        paper: whose table.
        artefact: the table's name.

    Returns:
        Columns of :func:`derainbench.catalog.published.scores` and ``third_party``: somebody else's
        training, which is no published cell of the method.
    """
    in_table = [
        {
            "method": paper.method,
            "dataset": claim.dataset,
            "protocol": UNKNOWN_PROTOCOL,
            "psnr": claim.published,
            "ssim": cell.ssim,
            "kind": THIRD_PARTY if cell.third_party else SHORT_KINDS.get(claim.kind, claim.kind),
            "source": f"{claim.source}: {claim.wording}",
        }
        for cell, claim in paper.known_cells(artefact)
    ]
    cells = pd.DataFrame(in_table, columns=list(published.SCORE_COLUMNS))
    cells = cells.astype({"psnr": float, "ssim": float})
    transcribed = score_rows(printed_in(paper, artefact))
    known = [t for t in (transcribed, cells, published.scores()) if len(t)]
    table = pd.concat(known or [cells])
    return table.reset_index(drop=True).assign(third_party=table["kind"].to_numpy() == THIRD_PARTY)


def printed_in(paper: AuditedPaper, artefact: str) -> list[PrintedCell]:
    """The transcribed cells of one table."""
    return [cell for cell in paper.transcribed if cell.table == artefact]


def printed_cell(
    cells: list[PrintedCell], method: str, metric: str, dataset: str = ""
) -> PrintedCell | None:
    """The one cell of a table that names a method, data set and metric, if it was transcribed."""
    wanted = (method, dataset, metric)
    return next((cell for cell in cells if cell.key[1:] == wanted), None)


def published_method(paper: AuditedPaper, entry: RunVariant) -> str | None:
    """The published method that a run stands for; none if it is a variant of its own.

    A run bears the name of its model, or that under which its scores were published, only if it is
    that network: small ones are called otherwise.
    """
    if entry.spec.network == paper.network:
        return paper.method if entry.title == paper.method else None
    if not entry.spec.network:
        return None
    card = model_card(entry.spec.network)
    return card.published_as if entry.title in (card.title, card.published_as) else None


def set_name(config: Config, dataset: str) -> str:
    """The catalogue's name of a configuration's data set, or its own."""
    return config.catalogue_name(dataset) or dataset
