"""Two result folders side by side: one HTML file that opens from disk, everything inside it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from derainbench.audit.drift import NONE, Comparison, FileComparison, Key, compare, named
from derainbench.catalog.tolerances import Tolerances, numbers
from derainbench.foundation.documents import read_json_file
from derainbench.foundation.files import write_text
from derainbench.foundation.provenance import write_record
from derainbench.report.page.writing import BANNERS

SHOWN = ("svg", "png")  # what browsers show, the better first
MIME = {".png": "image/png", ".svg": "image/svg+xml"}
LISTED = 50  # drifts written out per file that is not a table; `derainbench check` names all


@dataclass(frozen=True)
class Pair:
    """A cell of both folders."""

    a: str
    b: str
    difference: str
    beyond: bool


@dataclass(frozen=True)
class View:
    """A table as shown.

    Attributes:
        name: file stem.
        constant: columns with one value in every row of both, and that value.
        key: other columns that name a row.
        pairs: columns that differ somewhere.
        rest: columns that are equal in all rows.
        differing: rows that differ: cells of ``key``, of ``pairs``, of ``rest``.
        equal: rows that do not: the same cells, each once.
        only_a, only_b: names of rows without a counterpart.
        columns_a, columns_b: names of columns that only one has.
        beyond: number of cells beyond tolerance.
    """

    name: str
    constant: dict[str, str]
    key: list[str]
    pairs: list[str]
    rest: list[str]
    differing: list[tuple[list[str], list[Pair], list[str]]]
    equal: list[list[str]]
    only_a: list[str]
    only_b: list[str]
    columns_a: list[str]
    columns_b: list[str]
    beyond: int


def view(file: FileComparison) -> View:
    """Arranges a compared table for reading."""
    matched = [(key, file.reference_rows[key], file.result_rows[key]) for key in file.matched]
    pairs = [c for c in file.columns if any(a[c] != b[c] for _, a, b in matched)]
    steady = [c for c in (*file.key, *file.columns) if c not in pairs]
    values = {c: {a[c] for _, a, _ in matched} for c in steady}
    constant = {c: v.pop() for c, v in values.items() if len(v) == 1 and len(matched) > 1}
    names = [c for c in file.key if c not in constant]
    rest = [c for c in steady if c not in constant and c not in file.key]
    whole = [d for d in file.drifts if d.column and not d.row]
    differing, equal = [], []
    for key, a, b in matched:
        if any(a[c] != b[c] for c in pairs):
            cells = [_pair(file, key, c) for c in pairs]
            differing.append(([a[c] for c in names], cells, [a[c] for c in rest]))
        else:
            equal.append([a[c] for c in (*names, *pairs, *rest)])
    return View(
        name=Path(file.file).stem,
        constant={c: v for c, v in constant.items() if v},
        key=names,
        pairs=pairs,
        rest=rest,
        differing=differing,
        equal=equal,
        only_a=[named(file.key, key) for key in file.reference_rows if key not in file.result_rows],
        only_b=[named(file.key, key) for key in file.result_rows if key not in file.reference_rows],
        columns_a=[d.column for d in whole if d.found == NONE],
        columns_b=[d.column for d in whole if d.reference == NONE],
        beyond=len(file.beyond),
    )


def _pair(file: FileComparison, key: Key, column: str) -> Pair:
    a, b = file.reference_rows[key][column], file.result_rows[key][column]
    ours, theirs = numbers(a), numbers(b)
    is_one = len(ours) == len(theirs) == 1 and a != b
    return Pair(a, b, f"{theirs[0] - ours[0]:+.3g}" if is_one else "", (key, column) in file.beyond)


def figures(a: Path, b: Path) -> list[dict[str, Any]]:
    """The figures that either folder has, by name: an address for each, and if they are equal."""
    names = sorted(
        {f.stem for d in (a, b) for kind in SHOWN for f in (d / "figures").glob(f"*.{kind}")}
    )
    result = []
    for name in names:
        files = [_figure(folder, name) for folder in (a, b)]
        contents = [file.read_bytes() if file else None for file in files]
        sources = [data_uri(file) if file else None for file in files]
        result.append({"name": name, "sources": sources, "equal": contents[0] == contents[1]})
    return result


def data_uri(file: Path) -> str:
    """An image file as a ``data:`` address."""
    content = base64.b64encode(file.read_bytes()).decode()
    return f"data:{MIME[file.suffix]};base64,{content}"


def _figure(folder: Path, name: str) -> Path | None:
    files = (folder / "figures" / f"{name}.{kind}" for kind in SHOWN)
    return next((file for file in files if file.is_file()), None)


def origin(folder: Path) -> dict[str, str]:
    """Which configuration, code, machine and time a folder is of, where its records tell."""
    config = _content(folder / "config.json")
    record = _content(next(iter(sorted(folder.glob("tables/*.provenance.json"))), None))
    code, machine = record.get("code", {}), record.get("machine", {})
    changed = " with local changes" if code.get("modified") else ""
    return {
        "folder": str(folder),
        "configuration": config.get("title", "unknown"),
        "code": f"commit {(code.get('commit') or 'unknown')[:12]}{changed}",
        "machine": machine.get("processor", "unknown"),
        "made": record.get("time", "unknown"),
        "label": config.get("label", ""),
    }


def _content(path: Path | None) -> dict[str, Any]:
    return read_json_file(path, "make the results anew") if path and path.is_file() else {}


def _listing(comparison: Comparison) -> list[dict[str, Any]]:
    """Every compared file: cells compared, different and beyond tolerance; drifts of non-tables."""
    return [
        {
            "file": f.file,
            "values": f.values,
            "different": sum(
                f.reference_rows[k][c] != f.result_rows[k][c] for k in f.matched for c in f.columns
            ),
            "beyond": len(f.beyond),
            "rows": sum(k not in f.result_rows for k in f.reference_rows)
            + sum(k not in f.reference_rows for k in f.result_rows),
            "drifts": [] if f.file.startswith("tables/") else f.drifts,
        }
        for f in comparison.files
    ]


def write_diff(a: Path, b: Path, tolerances: Tolerances, out: Path) -> Path:
    """Writes ``out/diff.html``, whole or not at all.

    Returns:
        Path of the page.

    Raises:
        BenchError: if a folder holds no results, or a file in it is damaged.
    """
    comparison = compare(a, b, tolerances)
    origins = [origin(a), origin(b)]
    templates = resources.files("derainbench.report.page") / "templates"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.tests["number"] = lambda cell: bool(numbers(cell))
    template = environment.from_string(templates.joinpath("diff.html").read_text("utf-8"))
    page = out / "diff.html"
    html = template.render(
        origins=origins,
        banners=[BANNERS[label] for label in dict.fromkeys(o["label"] for o in origins) if label],
        summary=comparison.summary(),
        notes=comparison.notes(),
        views=[view(f) for f in comparison.files if f.file.startswith("tables/")],
        listing=_listing(comparison),
        listed=LISTED,
        unmatched=comparison.drifts,
        figures=figures(a, b),
    )
    write_text(page, html)
    write_record(page, settings={"a": str(a), "b": str(b)})
    return page
