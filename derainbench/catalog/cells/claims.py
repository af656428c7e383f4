"""Papers with their claims and the cells that were transcribed of them, each a claim too."""

from __future__ import annotations

import re
from collections import Counter

from derainbench.catalog.audited_papers import AuditedPaper, read_audited_paper
from derainbench.catalog.cells.format import PrintedCell
from derainbench.catalog.cells.metrics import UNSTATED, cell_metrics
from derainbench.catalog.cells.printed import base_value, printed_cells
from derainbench.catalog.claim_kinds import TESTS
from derainbench.catalog.ledger import LABELS, Claim
from derainbench.catalog.papers import called
from derainbench.catalog.protocols import default_protocol


def read_judged_paper(name: str) -> AuditedPaper:
    """A paper with its claims, and a claim for every cell of it that was transcribed.

    The cells of one table weigh as much as one claim together: a long table says no more of a paper.

    Raises:
        BenchError: for an unknown paper, or a mistake in its files, in one line.
    """
    paper = read_audited_paper(name)
    cells = printed_cells(name)
    if not cells:
        return paper
    of_table = Counter(cell.table for cell in cells)
    claims = tuple(claim_of(cell, weight=1 / of_table[cell.table]) for cell in cells)
    ledger = paper.ledger.model_copy(update={"cells": claims})
    return paper.model_copy(update={"ledger": ledger, "transcribed": cells})


def claim_of(cell: PrintedCell, weight: float = 1) -> Claim:
    """What a printed cell claims, with the tolerance of its metric."""
    metric = cell_metrics()[cell.metric]
    stated = metric.stated == "protocol" and cell.protocol != UNSTATED
    speaks = tuple(label for label in LABELS if label != "smoke")
    return Claim(
        id=claim_id(cell),
        wording=wording(cell),
        source=cell.source,
        kind="paper",
        published=base_value(cell),
        unit=cell.unit if cell.metric == "operations" else metric.unit,
        test=metric.test,
        branch=TESTS[metric.test].branch,
        weight=weight,
        tolerance=metric.tolerance,
        relative=metric.relative,
        speaks=speaks if TESTS[metric.test].trained else LABELS,
        dataset=cell.dataset or None,
        protocol=cell.protocol if stated else default_protocol(),
        cell=cell,
    )


def claim_id(cell: PrintedCell) -> str:
    """``table-1.DATASET.METHOD.psnr``."""
    parts = (
        re.sub(r"[^A-Za-z0-9-]+", "-", part).strip("-")
        for part in (cell.table, cell.dataset, cell.method, cell.metric)
        if part
    )
    return ".".join(parts)


def wording(cell: PrintedCell) -> str:
    """``Table 1: PReNet, PSNR on Rain200H: 29.04 dB (protocol unstated)``."""
    metric = cell_metrics()[cell.metric]
    where = f" on {cell.dataset}" if cell.dataset else ""
    unit = f" {cell.unit}" if cell.unit else ""
    how = f" ({metric.stated} {cell.protocol})" if metric.stated else ""
    return f"{called(cell.table)}: {cell.method}, {metric.title}{where}: {cell.value:g}{unit}{how}"
