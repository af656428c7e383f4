"""What two result folders are compared by: ``catalog/tolerances.yaml``, checked.

How far another number of threads, and another kind of processor, moves a training's numbers is measured,
and stands in a file of its own that ``benchmarks/tolerances_page.py`` writes.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from math import isfinite
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from derainbench.catalog.files import CATALOG
from derainbench.catalog.papers import paper_names, read_paper
from derainbench.foundation.settings import Strict, check, read_yaml
from derainbench.foundation.suggestions import did_you_mean

CATALOG_FILES = ("tolerances.yaml", "measured_tolerances.yaml")

Level = Literal["same", "threads", "retrained"]
# What is known of the weights that a number is of, the least alike last. Each is measured by itself: of
# single numbers the tolerance of other threads can be wider than that of another training.
LEVELS: dict[Level, str] = {
    "same": "the same weights",
    "threads": "another number of threads",
    "retrained": "another training",
}
assert (*LEVELS,) == get_args(Level)


class Tolerance(Strict):
    """How far a number may be from the reference: ``absolute + relative * |reference|``."""

    absolute: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    relative: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    ignored: bool = False

    def allows(self, reference: str, found: str) -> bool:
        """Whether two cells agree. Text agrees with equal text only.

        A cell of several numbers, separated by blanks, agrees if each of them does.
        """
        if reference == found or self.ignored:
            return True
        ours, theirs = numbers(reference), numbers(found)
        if not ours or len(ours) != len(theirs):
            return False
        pairs = zip(ours, theirs, strict=True)
        return all(abs(a - b) <= self.absolute + self.relative * abs(a) for a, b in pairs)

    def __str__(self) -> str:
        parts = [f"{self.absolute:g}"] if self.absolute else []
        parts += [f"{self.relative * 100:g} %"] if self.relative else []
        return f"tolerance {' + '.join(parts)}" if parts else "exact"


def numbers(cell: str) -> list[float]:
    """The finite numbers of a cell, or none if anything else is in it."""
    try:
        found = [float(part) for part in cell.split()]
    except ValueError:
        return []
    return found if all(map(isfinite, found)) else []


EXACT = Tolerance()


# How a tolerance that is measured is given: of numbers that may be a share of little, such as a saving,
# absolute up to 1 and relative beyond.
Form = Literal["absolute", "relative", "share"]


class Levels(Strict):
    """A tolerance for numbers of the same weights, and wider ones for those of another training.

    The same training ends elsewhere with another number of threads, and on another kind of processor:
    rounding differs, and training amplifies it. How far is measured for those that say in what form.
    """

    same: Tolerance
    measured: Form | None = None
    threads: Tolerance | None = None
    retrained: Tolerance | None = None

    def of(self, level: Level) -> Tolerance:
        """The one that applies; where one is not given, the next wider one."""
        wider = self.retrained or self.same
        return {"same": self.same, "threads": self.threads or wider, "retrained": wider}[level]


class Measurement(Strict):
    """How far something moves numbers of a training.

    Attributes:
        source: the file that it was computed from.
        factor: how many times the largest difference measured.
        tolerances: by name.
    """

    source: str
    factor: Annotated[float, Field(gt=1)]
    tolerances: dict[str, Tolerance]


class Measured(Strict):
    """The measurements, by the level that they are the tolerances of."""

    threads: Measurement
    retrained: Measurement


class Rule(Strict):
    """How one kind of file is compared.

    Attributes:
        key: columns that name a row; none for JSON, which is one row.
        columns: name of a tolerance by column pattern, the first that matches; others are exact.
        untrained: cells by which to know rows that no training enters.
    """

    key: list[str] = []
    columns: dict[str, str] = {}
    untrained: dict[str, str] = {}

    def trained(self, row: dict[str, str]) -> bool:
        """Whether a training enters a row."""
        known = self.untrained.items()
        return not known or any(row.get(column) != value for column, value in known)


class Tolerances(Strict):
    """The file. Patterns are of shell kind; the first that matches counts.

    Attributes:
        tolerances: by name.
        files: by pattern of the path inside the results folder.
        ignored: patterns of CSV and JSON files that are not compared.
    """

    tolerances: dict[str, Levels]
    files: dict[str, Rule]
    ignored: list[str]

    @model_validator(mode="after")
    def _names_are_known(self) -> Tolerances:
        for pattern, rule in self.files.items():
            for column, name in rule.columns.items():
                if name not in self.tolerances:
                    raise ValueError(
                        f"files.{pattern}.columns.{column}: no tolerance '{name}'"
                        f"{did_you_mean(name, self.tolerances)}"
                    )
            if PurePosixPath(pattern).suffix == ".csv" and not rule.key:
                raise ValueError(f"files.{pattern}: no key: name the columns that name a row")
        return self

    def rule(self, file: str) -> Rule | None:
        """The rule of a file, by its path inside the results folder.

        Tables of papers go by their kind: patterns say ``papers/*/scores.csv``, whatever number the
        table has in its paper.
        """
        by_kind = _by_kind(file)
        return next((r for pattern, r in self.files.items() if matches(by_kind, pattern)), None)

    def is_ignored(self, file: str) -> bool:
        """Whether a file is left out on purpose."""
        return any(matches(file, pattern) for pattern in self.ignored)

    def name_of(self, rule: Rule, column: str) -> str | None:
        """The name of a column's tolerance; none if it is exact."""
        return next((n for p, n in rule.columns.items() if fnmatchcase(column, p)), None)

    def of(self, rule: Rule, column: str, level: Level) -> Tolerance:
        """The tolerance of a column's cells; ``level`` is "same" where no training enters the row."""
        name = self.name_of(rule, column)
        return self.tolerances[name].of(level) if name else EXACT

    def compares(self, rule: Rule, column: str) -> bool:
        """Whether a column matters at all."""
        return not self.of(rule, column, "same").ignored


def _by_kind(file: str) -> str:
    """``papers/NAME/scores.csv`` for the table of that kind, ``papers/NAME/table-1.csv``."""
    path = PurePosixPath(file)
    if len(path.parts) != 3 or path.parts[0] != "papers" or path.parts[1] not in paper_names():
        return file
    artefact = read_paper(path.parts[1]).artefacts.get(path.stem)
    return path.with_stem(artefact.kind).as_posix() if artefact else file


def matches(file: str, pattern: str) -> bool:
    """Whether a relative path fits a pattern; ``*`` stays within a folder, ``**/`` does not."""
    if pattern.startswith("**/"):
        return fnmatchcase(PurePosixPath(file).name, pattern[3:])
    parts, wanted = PurePosixPath(file).parts, PurePosixPath(pattern).parts
    if wanted[-1] == "**":
        wanted = wanted[:-1]
        parts = parts[: len(wanted)]
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))


def load(path: Path | None = None) -> Tolerances:
    """Reads a tolerances file; without a path, the catalogue's. What is measured is the catalogue's.

    Raises:
        BenchError: if it is missing or anything in it is misspelt or out of range, in one line.
    """
    given, name = (
        (CATALOG / CATALOG_FILES[0], CATALOG_FILES[0]) if path is None else (path, str(path))
    )
    found = check(Tolerances, read_yaml(given), name)
    measured = check(Measured, read_yaml(CATALOG / CATALOG_FILES[1]), CATALOG_FILES[1])
    levels = {n: _with_measured(n, level, measured) for n, level in found.tolerances.items()}
    return found.model_copy(update={"tolerances": levels})


def _with_measured(name: str, levels: Levels, measured: Measured) -> Levels:
    """Levels with the tolerances that were measured, where they say so and give none themselves."""
    if not levels.measured:
        return levels
    known = {"threads": measured.threads, "retrained": measured.retrained}
    missing = {n: m.tolerances.get(name) for n, m in known.items() if not getattr(levels, n)}
    return levels.model_copy(update=missing)
