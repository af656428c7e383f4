"""The cells that were transcribed: ``papers/NAME/cells.csv``, one row each.

Apart from ``claims.yaml``, so that a cell that joins reruns only what shows or judges it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from derainbench.catalog import files, published
from derainbench.catalog.cells.format import COLUMNS, CellKey, PrintedCell
from derainbench.catalog.cells.metrics import UNSTATED, cell_metrics
from derainbench.foundation.documents import document_text
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import check

CATALOG_FILES = ("papers/*/cells.csv",)
KIND = "paper"  # first-hand: read off the paper itself


def cells_file(paper: str) -> Path:
    """Where the transcribed cells of a paper lie, whether there are any or not."""
    return files.CATALOG / "papers" / paper / "cells.csv"


def printed_cells(paper: str) -> tuple[PrintedCell, ...]:
    """The transcribed cells of a paper, in the order of its file; none without a file.

    Raises:
        BenchError: for a mistake in the file, in one line that names the row.
    """
    file = cells_file(paper)
    if not file.is_file():
        return ()
    rows = csv.DictReader(document_text(file).splitlines())
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise BenchError(f"{file}: the first line must be {','.join(COLUMNS)}")
    cells = []
    for row in rows:
        where = f"{file}, line {rows.line_num}"
        if None in row or None in row.values():
            raise BenchError(f"{where}: {len(COLUMNS)} columns expected")
        cells.append(check(PrintedCell, row, where))
    return tuple(cells)


def base_value(cell: PrintedCell) -> float:
    """The value in the base unit of its metric."""
    return cell.value * cell_metrics()[cell.metric].units[cell.unit]


def score_rows(cells: Iterable[PrintedCell]) -> pd.DataFrame:
    """PSNR and SSIM of cells side by side: columns of :func:`derainbench.catalog.published.scores`.

    A row per method, data set, protocol and source; what was not transcribed is missing. The
    protocol is "unknown" where the paper does not state it.
    """
    rows: dict[tuple[str, str, str, str], dict[str, float]] = {}
    for cell in cells:
        if cell.metric in published.SCORE_METRICS:
            protocol = published.UNKNOWN_PROTOCOL if cell.protocol == UNSTATED else cell.protocol
            key = (cell.method, cell.dataset, protocol, cell.source)
            rows.setdefault(key, {})[cell.metric] = cell.value
    table = [
        {"method": m, "dataset": d, "protocol": p, "kind": KIND, "source": s}
        | {metric: scores.get(metric, math.nan) for metric in published.SCORE_METRICS}
        for (m, d, p, s), scores in rows.items()
    ]
    frame = pd.DataFrame(table, columns=list(published.SCORE_COLUMNS))
    return frame.astype(dict.fromkeys(published.SCORE_METRICS, float))


def point_rows(cells: Iterable[PrintedCell]) -> pd.DataFrame:
    """Size against PSNR, where a paper prints both: columns of
    :func:`derainbench.catalog.published.points`.

    Operations count where they are printed as MACs; FLOPs may be once or twice as many.
    """
    cells = list(cells)
    of_network = {c.key: c for c in cells if not c.dataset}
    rows = []
    for score in cells:
        size = _cell_of(of_network, score.method, "parameters")
        if score.metric != "psnr" or size is None:
            continue
        macs = _cell_of(of_network, score.method, "operations")
        rows.append(
            {
                "dataset": score.dataset,
                "title": f"{score.method}, as printed",
                "psnr": score.value,
                "parameters": base_value(size),
                "gmacs_256": macs.value if macs and macs.unit == "GMACs" else math.nan,
                "kind": KIND,
                "source": "; ".join(dict.fromkeys((score.source, size.source))),
            }
        )
    return pd.DataFrame(rows, columns=list(published.POINT_COLUMNS))


def _cell_of(cells: dict[CellKey, PrintedCell], method: str, metric: str) -> PrintedCell | None:
    return next((c for key, c in cells.items() if key[1:] == (method, "", metric)), None)
