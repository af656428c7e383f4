"""Cells that somebody filled in, read and checked row by row before they join the catalogue."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.format import TEMPLATE_COLUMNS, PrintedCell, variant_parts
from derainbench.catalog.cells.metrics import UNSTATED, CellMetric, metrics_of
from derainbench.catalog.cells.template import known_methods, tables_with_cells
from derainbench.catalog.dataset_entries import dataset_entry
from derainbench.catalog.papers import Artefact
from derainbench.catalog.protocols import protocol_names
from derainbench.foundation.documents import document_text, shown
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file
from derainbench.foundation.suggestions import did_you_mean

LARGEST = 5_000_000  # bytes; the tables of a paper take a few thousand
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
SIZE = re.compile(r"[1-9]\d*x[1-9]\d*")
SPREADSHEETS = (b"PK", b"\xd0\xcf\x11\xe0")  # how files of .xlsx, .ods and .xls begin


@dataclass(frozen=True)
class FilledRow:
    """A row of a filled-in template, its fields stripped of blanks."""

    line: int
    fields: dict[str, str]


class _Wrong(ValueError):
    """What is wrong with a row, in a few words."""


def read_filled(file: Path) -> list[FilledRow]:
    """The rows of a filled-in template that have a value.

    Fields may be separated by semicolons, lines end as they like, and a byte order mark may stand
    first: so do spreadsheet programs write CSV.

    Raises:
        BenchError: if it is no CSV with the columns of a template, or holds no value.
    """
    if regular_file(file).stat().st_size > LARGEST:
        raise BenchError(f"{file}: too large for a table of cells; fill in the template")
    with file.open("rb") as stream:
        if stream.read(4).startswith(SPREADSHEETS):
            raise BenchError(f"{file}: a spreadsheet, not CSV; save it as CSV, UTF-8")
    text = document_text(file)
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    rows = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        columns = [name.strip() for name in next(rows, [])]
        if sorted(columns) != sorted(TEMPLATE_COLUMNS):
            raise BenchError(
                f"{file}: the columns must be {','.join(TEMPLATE_COLUMNS)}, found "
                f"{shown(','.join(columns))}; `derainbench published template` makes such a file"
            )
        filled = [row for fields in rows for row in _filled(file, rows.line_num, fields, columns)]
    except csv.Error as error:
        raise BenchError(f"{file}, line {rows.line_num}: not CSV ({error})") from error
    if not filled:
        raise BenchError(f"{file}: no row has a value; fill in what the paper prints")
    return filled


def _filled(file: Path, line: int, row: list[str], columns: list[str]) -> Iterator[FilledRow]:
    """The row, if it has a value."""
    if not any(field.strip() for field in row):
        return
    if len(row) != len(columns):
        raise BenchError(
            f"{file}, line {line}: {len(columns)} fields expected, found {len(row)}; write decimals "
            "with a point, and a name with a comma in quotes"
        )
    fields = dict(zip(columns, (" ".join(field.split()) for field in row), strict=True))
    if fields["value"]:
        yield FilledRow(line, fields)


def check_cells(
    paper: AuditedPaper,
    file: Path,
    rows: list[FilledRow],
    *,
    source: str,
    protocol: str = "",
    new_methods: Iterable[str] = (),
) -> list[PrintedCell]:
    """The cells of filled-in rows, every name, number and statement checked.

    Args:
        paper: whose tables they are of, with what was transcribed before.
        file: which the messages name.
        rows: from :func:`read_filled`.
        source: where they are printed.
        protocol: of rows that state none.
        new_methods: methods that the catalogue does not know.

    Raises:
        BenchError: for the first row that is wrong, with how many more there are; if no table of the
            paper is known.
    """
    tables_with_cells(paper)
    if len(source.split()) < 2:
        raise BenchError(
            'the source is missing: say where the cells are printed, such as --source "IJCAI 2024, '
            'p. 1259, Table 1"'
        )
    source = " ".join(source.split())
    methods = [*known_methods(paper), *new_methods]
    lines: dict[tuple[str, ...], int] = {}  # of cells of this file
    cells: list[PrintedCell] = []
    wrong: list[str] = []
    for row in rows:
        try:
            cell = _cell(paper, row.fields, methods, source, protocol)
            if cell.key in lines:
                raise _Wrong(f"the same cell as line {lines[cell.key]} ({cell.key})")
            lines[cell.key] = row.line
            check_against_known(paper, cell)
        except (_Wrong, BenchError) as error:
            wrong.append(f"line {row.line}: {error}")
            continue
        cells.append(cell)
    if wrong:
        more = f" (and {len(wrong) - 1} more lines are wrong)" if len(wrong) > 1 else ""
        raise BenchError(f"{file}, {wrong[0]}{more}; nothing was taken in")
    return cells


def _cell(
    paper: AuditedPaper, fields: dict[str, str], methods: list[str], source: str, protocol: str
) -> PrintedCell:
    tables = tables_with_cells(paper)
    _known(fields["table"], tables, "table of the paper")
    artefact = tables[fields["table"]]
    metrics = metrics_of(artefact.kind)
    _known(fields["metric"], metrics, f"metric of {fields['table']}")
    metric = metrics[fields["metric"]]
    if not metric.unit and fields["unit"]:
        raise _Wrong(f"{metric.title} has no unit: leave it out, not '{fields['unit']}'")
    _known(fields["unit"], metric.units, f"unit of {metric.title}")
    _check_method(paper, artefact, fields["method"], methods)
    return PrintedCell(
        table=fields["table"],
        method=fields["method"],
        dataset=_dataset(artefact, fields),
        metric=fields["metric"],
        value=_number(fields["value"], fields["unit"], metric),
        unit=fields["unit"],
        protocol=_statement(metric, fields["protocol"] or protocol),
        source=source,
    )


def _known(name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        raise _Wrong(f"no {what} is called '{name}'{did_you_mean(name, known)}")


def _check_method(paper: AuditedPaper, artefact: Artefact, method: str, known: list[str]) -> None:
    if artefact.kind == "ablation" and method != paper.method:
        part, _ = variant_parts(method)
        _known(part, (paper.method, *artefact.parts), "part of this table of ablations")
    elif artefact.kind != "ablation" and method not in known:
        hint = did_you_mean(method, known).partition("; there is")[0]
        raise _Wrong(
            f"no method is called '{method}'{hint}; if the catalogue does not know it yet, name it "
            "with --new-method"
        )


def _dataset(artefact: Artefact, fields: dict[str, str]) -> str:
    dataset = fields["dataset"]
    if artefact.kind == "costs":
        if dataset:
            raise _Wrong(
                f"costs belong to a network alone: leave the data set out, not '{dataset}'"
            )
        return ""
    if not dataset:
        raise _Wrong("the data set is missing")
    name = dataset_entry(dataset).name
    if artefact.sets and name not in artefact.sets:
        raise _Wrong(
            f"{fields['table']} shows {', '.join(artefact.sets)}, not {name}; if the paper's does, "
            "add it to `sets` in paper.yaml first"
        )
    return name


def _number(text: str, unit: str, metric: CellMetric) -> float:
    if not NUMBER.fullmatch(text):
        raise _Wrong(
            f"{shown(text)} is no number; write it as 30.01: a point for decimals, nothing between "
            "thousands, no unit"
        )
    value = float(text)
    low, high = metric.range
    if not low <= value * metric.units[unit] <= high:
        base = f" {metric.unit}" if metric.unit else ""
        raise _Wrong(
            f"{metric.title} of {text}{f' {unit}' if unit else ''} is out of range ({low:g} to "
            f"{high:g}{base})"
        )
    return value


def _statement(metric: CellMetric, stated: str) -> str:
    """The protocol column, checked: it must say how the number came about, or that nobody says."""
    if metric.stated is None:
        if stated not in ("", UNSTATED):
            raise _Wrong(f"{metric.title} has no protocol: leave it out, not '{stated}'")
        return ""
    if stated == UNSTATED:
        return stated
    if metric.stated == "size":
        if not SIZE.fullmatch(stated):
            raise _Wrong(
                f"the protocol column must say for which image size {metric.title} was counted, such "
                f"as 256x256, or '{UNSTATED}' (found '{stated}')"
            )
    elif stated not in protocol_names():
        choices = (*protocol_names(), UNSTATED)
        said = f"no protocol is called '{stated}'" if stated else "the protocol is missing"
        raise _Wrong(
            f"{said}; the paper's is one of {', '.join(choices)}"
            + (did_you_mean(stated, choices).partition("; there is")[0] if stated else "")
        )
    return stated


def check_against_known(paper: AuditedPaper, cell: PrintedCell) -> None:
    """Refuses a cell that is in the catalogue already, or contradicts what is.

    Raises:
        _Wrong: in a few words that name the other.
    """
    # Row by row: line 1 holds the columns.
    for line, other in enumerate(paper.transcribed, start=2):
        if other.key == cell.key:
            same = (other.value, other.unit) == (cell.value, cell.unit)
            where = f"line {line} of papers/{paper.name}/cells.csv ({cell.key})"
            if same:
                raise _Wrong(f"is in the catalogue already: {where}")
            raise _Wrong(
                f"contradicts {where}: {other.value:g} {other.unit} there, from {other.source}; if "
                "that is wrong, correct it there"
            )
    for known, claim in paper.known_cells(cell.table):
        tests = {"score": "psnr", "parameters": "parameters"}
        metric = tests.get(claim.test)
        if known.third_party or cell.method != paper.method or cell.metric != metric:
            continue
        if (claim.dataset or "") == cell.dataset and not claim.within(_base(paper, cell)):
            raise _Wrong(
                f"contradicts claim '{claim.id}' ({claim.wording}; {claim.source}): "
                f"{claim.number:g} {claim.unit}; if that report is wrong, take its cell out of "
                f"papers/{paper.name}/paper.yaml first"
            )


def _base(paper: AuditedPaper, cell: PrintedCell) -> float:
    units = metrics_of(paper.artefacts[cell.table].kind)[cell.metric].units
    return cell.value * units[cell.unit]
