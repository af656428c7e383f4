"""Checked cells join the catalogue: rows are added to ``papers/NAME/cells.csv``, none is changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from derainbench.catalog import files
from derainbench.catalog.cells.format import COLUMNS, PrintedCell
from derainbench.catalog.cells.printed import cells_file, printed_cells
from derainbench.foundation.documents import document_text
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_text


def check_place() -> Path:
    """The folder of the checkout whose catalogue is in use.

    Raises:
        BenchError: where the catalogue belongs to an installed package: what is added there is in no
            repository, and the next installation removes it.
    """
    root = files.CATALOG.parent.parent
    if not (root / "Snakefile").is_file():
        raise BenchError(
            f"{files.CATALOG}: belongs to an installed package, not to a checkout of the repository; "
            "clone it and call `python -m derainbench published add` there"
        )
    return root


def add_cells(paper: str, cells: Sequence[PrintedCell]) -> Path:
    """Adds cells to a paper's file, whole or not at all; gives the file.

    Raises:
        BenchError: if the catalogue is no checkout's, or the file there is damaged.
    """
    check_place()
    file = cells_file(paper)
    before = document_text(file) if file.is_file() and printed_cells(paper) else ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not before:
        writer.writerow(COLUMNS)
    for cell in cells:
        row = cell.model_dump() | {"value": f"{cell.value:.12g}"}
        writer.writerow(row[column] for column in COLUMNS)
    if before and not before.endswith("\n"):
        before += "\n"
    write_text(file, before + text.getvalue())
    return file
