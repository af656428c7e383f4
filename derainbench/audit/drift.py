"""Two result folders compared, cell by cell: a reference, and what was computed since."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.audit.retraining import OtherWeights, best_epochs, other_weights
from derainbench.catalog.tolerances import LEVELS, Level, Rule, Tolerance, Tolerances
from derainbench.foundation.documents import read_json_file
from derainbench.foundation.errors import BenchError
from derainbench.foundation.frames import as_markdown, markdown_text, read_csv, records

KINDS = (".csv", ".json")
OF_ONE_RUN = ("scores/", "energy/", "estimators/", "spikes/", "runs/")  # then RUN/VARIANT
NONE = "none"
Key = tuple[str, ...]
Rows = dict[Key, dict[str, str]]


@dataclass(frozen=True)
class Drift:
    """One disagreement. ``row`` and ``column`` are empty where a whole file is meant."""

    file: str
    row: str
    column: str
    reference: str
    found: str
    tolerance: str

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.file, self.row, self.column) if part)
        return f"{where}: reference {self.reference}, found {self.found} ({self.tolerance})"


@dataclass
class FileComparison:
    """A file that both folders have.

    Attributes:
        file: path inside the folders.
        key: columns that name a row.
        columns: value columns that both have and that are compared, in the reference's order.
        level: the tolerances that apply, by what is known of the weights behind it.
        reference_rows, result_rows: rows by key, cells as text.
        drifts: every disagreement.
        beyond: key and column of the cells beyond tolerance.
        values: number of cells compared.
    """

    file: str
    key: list[str]
    columns: list[str]
    level: Level
    reference_rows: Rows = field(default_factory=dict)
    result_rows: Rows = field(default_factory=dict)
    drifts: list[Drift] = field(default_factory=list)
    beyond: set[tuple[Key, str]] = field(default_factory=set)
    values: int = 0

    @property
    def matched(self) -> list[Key]:
        """Keys of the rows that both have."""
        return [key for key in self.reference_rows if key in self.result_rows]


@dataclass
class Comparison:
    """Two folders.

    Attributes:
        weights: runs and variants whose weights are not the reference's, and why.
        epochs: a line for every training whose best epoch is another one.
        drifts: those of whole files; each file has its own.
    """

    reference: Path
    results: Path
    weights: list[OtherWeights]
    epochs: list[str]
    files: list[FileComparison] = field(default_factory=list)
    drifts: list[Drift] = field(default_factory=list)

    def all_drifts(self) -> list[Drift]:
        """Those of whole files first."""
        return [*self.drifts, *(d for file in self.files for d in file.drifts)]

    def summary(self) -> str:
        """What was compared and what came of it, in a line."""
        values = sum(file.values for file in self.files)
        drifts = self.all_drifts()
        count = "no drift" if not drifts else f"{len(drifts)} drift{'s' * (len(drifts) > 1)}"
        return f"{values} values in {len(self.files)} files compared: {count}"

    def notes(self) -> list[str]:
        """Which runs have other weights, why, and what they were held to; best epochs that moved."""
        runs: dict[tuple[Level, str], list[str]] = {}
        for other in self.weights:
            runs.setdefault((other.level, other.reason), []).append(other.run)
        held = [
            f"Other weights than the reference's ({reason}), held to the tolerances of "
            f"{LEVELS[level]}: {', '.join(names)}"
            for (level, reason), names in runs.items()
        ]
        return [*held, *self.epochs]

    def level(self, file: str) -> Level:
        """The tolerances of a file: those of its run, or the widest where it is of many."""
        of_one = file.startswith(OF_ONE_RUN)
        run = "/".join(file.removesuffix(".csv").split("/")[1:3])
        found = {other.level for other in self.weights if not of_one or other.run == run}
        return next((level for level in reversed(LEVELS) if level in found), "same")


def compare(
    reference: Path, results: Path, tolerances: Tolerances, *, strict: bool = False
) -> Comparison:
    """Compares every CSV and JSON file that a rule names.

    Numbers of weights that are not the reference's may be off by more, unless ``strict``. Files
    that the tolerances leave out on purpose are skipped; one that no rule names is a drift, because
    nothing would be said about it otherwise.

    Raises:
        BenchError: if a folder is missing, the reference holds nothing to compare, or a file is
            damaged.
    """
    ours, theirs = _files(reference, tolerances), _files(results, tolerances)
    if not any(map(tolerances.rule, ours)):
        raise BenchError(f"{reference}: no results in it that could be compared")
    weights = [] if strict else other_weights(reference, results)
    comparison = Comparison(reference, results, weights, [*best_epochs(reference, results)])
    for file in dict.fromkeys([*ours, *theirs]):
        rule = tolerances.rule(file)
        if not rule:
            drift = ("not compared", "not compared", "no rule names this file and its key columns")
        elif file not in theirs:
            drift = ("a file", NONE, "missing file")
        elif file not in ours:
            drift = (NONE, "a file", "extra file")
        else:
            comparison.files.append(_compare_file(file, comparison, rule, tolerances))
            continue
        comparison.drifts.append(Drift(file, "", "", *drift))
    return comparison


def _files(folder: Path, tolerances: Tolerances) -> list[str]:
    """Paths inside a folder of what may be compared, temporaries of jobs that were killed apart."""
    if not folder.is_dir():
        raise BenchError(f"{folder}: no such folder of results")
    files = (
        f.relative_to(folder).as_posix() for f in sorted(folder.rglob("*")) if f.suffix in KINDS
    )
    whole = (file for file in files if not any(p.startswith(".") for p in Path(file).parts))
    return [file for file in whole if not tolerances.is_ignored(file)]


def _compare_file(
    file: str, comparison: Comparison, rule: Rule, tolerances: Tolerances
) -> FileComparison:
    ours, theirs = _read(comparison.reference / file), _read(comparison.results / file)
    wanted = {c for c in (*ours, *theirs) if tolerances.compares(rule, c)} | {*rule.key}
    both = [str(c) for c in ours if c in theirs and c in wanted and c not in rule.key]
    result = FileComparison(file, rule.key, both, comparison.level(file))
    result.drifts += _whole_columns(file, ours, theirs, wanted)
    if not {*rule.key} <= {*ours} & {*theirs}:  # already said: no row can be found again
        return result
    result.reference_rows, result.result_rows = _rows(ours, rule.key), _rows(theirs, rule.key)
    levels: dict[bool, Level] = {True: result.level, False: "same"}
    of = {t: {c: tolerances.of(rule, c, level) for c in both} for t, level in levels.items()}
    for key in dict.fromkeys([*result.reference_rows, *result.result_rows]):
        if key not in result.result_rows:
            drift = ("a row", NONE, "missing row")
        elif key not in result.reference_rows:
            drift = (NONE, "a row", "extra row")
        else:
            _compare_row(result, key, of[rule.trained(result.reference_rows[key])])
            continue
        result.drifts.append(Drift(file, named(rule.key, key), "", *drift))
    return result


def _whole_columns(
    file: str, ours: pd.DataFrame, theirs: pd.DataFrame, wanted: set[str]
) -> Iterator[Drift]:
    for column in dict.fromkeys([*ours, *theirs, *sorted(wanted)]):
        if column not in wanted or (column in ours and column in theirs):
            continue
        if column in ours:
            drift = ("a column", NONE, "missing column")
        elif column in theirs:
            drift = (NONE, "a column", "extra column")
        else:
            drift = (NONE, NONE, "key column of the tolerances file")
        yield Drift(file, "", column, *drift)


def _compare_row(result: FileComparison, key: Key, of: dict[str, Tolerance]) -> None:
    ours, theirs = result.reference_rows[key], result.result_rows[key]
    for column, tolerance in of.items():
        if tolerance.ignored:
            continue
        result.values += 1
        if not tolerance.allows(ours[column], theirs[column]):
            result.beyond.add((key, column))
            cells = (ours[column] or "nothing", theirs[column] or "nothing")
            row = named(result.key, key)
            result.drifts.append(Drift(result.file, row, column, *cells, str(tolerance)))


def named(columns: list[str], key: Key) -> str:
    """A row's name: ``dataset=Rain12 method=PReNet``; a repeated key carries its number."""
    parts = [f"{c}={value}" for c, value in zip(columns, key, strict=False) if value]
    return " ".join([*parts, *key[len(columns) :]])


def _rows(table: pd.DataFrame, columns: list[str]) -> Rows:
    """Rows by key. A repeated key, such as a layer called again, gets its number added."""
    rows: Rows = {}
    seen: Counter[Key] = Counter()
    for row in records(table):
        key = tuple(row[column] for column in columns)
        seen[key] += 1
        rows[key if seen[key] == 1 else (*key, f"#{seen[key]}")] = row
    return rows


def _read(path: Path) -> pd.DataFrame:
    """A table, cells as text; JSON becomes one row with a column per leaf."""
    if path.suffix == ".json":
        return pd.DataFrame([dict(_flat(_json(path)))])
    table = read_csv(path, "make it anew", dtype=str, keep_default_na=False)
    return table.fillna("")  # short lines


def _json(path: Path) -> Any:
    return read_json_file(path, "make it anew")


def _flat(content: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of a JSON value by dotted path: ``("mean.sops", "12.5")``."""
    if isinstance(content, dict | list) and content:
        items = content.items() if isinstance(content, dict) else enumerate(content)
        for name, value in items:
            yield from _flat(value, f"{path}.{name}" if path else str(name))
    else:
        yield path, content if isinstance(content, str) else json.dumps(content)


def markdown(comparison: Comparison) -> str:
    """The comparison as a page: what was compared, then every drift."""
    lines = [
        "# Drift",
        "",
        f"Reference `{comparison.reference}`, results `{comparison.results}`. "
        f"{comparison.summary()}.",
    ]
    for note in comparison.notes():
        lines += ["", f"{markdown_text(note)}."]
    drifts = comparison.all_drifts()
    if drifts:
        lines += ["", as_markdown(pd.DataFrame(drifts), disable_numparse=True)]
    files = pd.DataFrame(
        [(f.file, f.values, len(f.drifts), LEVELS[f.level]) for f in comparison.files],
        columns=["file", "values compared", "drifts", "held to the tolerances of"],
    )
    return "\n".join([*lines, "", as_markdown(files), ""])
