"""The papers of the benchmark: a folder each, ``catalog/papers/NAME/``, with all that a paper brings.

- ``paper.yaml``: its network and the networks it is held against, its tables and figures, the cells
  that are known (:class:`Paper`);
- ``claims.yaml``: what it claims, read together with it by
  :mod:`derainbench.catalog.audited_papers` alone: networks and energies do not depend on that;
- ``models/``, ``recipes/``: cards of its networks, and how they are trained;
- ``published.csv``, ``points.csv``: its published scores and points.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from derainbench.catalog.files import matching, read_yaml
from derainbench.catalog.model_cards import known_model
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import Strict, check
from derainbench.foundation.suggestions import did_you_mean

CATALOG_FILES = ("papers/*/paper.yaml",)
# What can be made of a table or figure of a paper; see report/paper/.
TableKind = Literal["scores", "real-rain", "costs", "ablation"]
FigureKind = Literal["pareto", "patch", "architecture", "restored", "photographs"]
TABLE_KINDS: tuple[str, ...] = get_args(TableKind)
FIGURE_KINDS: tuple[str, ...] = get_args(FigureKind)


class Artefact(Strict):
    """A table or figure of a paper, as it is made again here.

    Attributes:
        kind: what it shows; see :data:`TABLE_KINDS` and :data:`FIGURE_KINDS`.
        title: in the words of this benchmark.
        sets: the data sets of the catalogue that the paper's shows, in their order.
        parts: for ablations: the parts that it varies.
        note: what is not known of the paper's, or is ours; the caption ends with it.
    """

    kind: TableKind | FigureKind
    title: str
    sets: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    note: str = ""


class Cell(Strict):
    """A known cell of a table of the paper.

    Attributes:
        artefact: the table.
        claim: id in the ledger; its published value is the cell's.
        ssim: where the cell is a score and the SSIM is known too.
        third_party: whether somebody else's training gave it.
    """

    artefact: str
    claim: str
    ssim: float | None = None
    third_party: bool = False


class Paper(Strict):
    """A paper: its network, whom that is held against, and its tables and figures.

    Attributes:
        name: its folder in the catalogue.
        network: the paper's network in the registry.
        counterpart: the ANN of the same topology in the registry.
        baselines: further networks that figures show beside both.
        method: as the paper's tables call its network.
        missing: why cells are empty that the paper prints.
        unstated: what the sources at hand do not say and the verdicts would need, a sentence each.
        artefacts: its tables and figures, by names such as "table-1".
        cells: those that are known.
    """

    name: str
    network: str
    counterpart: str | None = None
    baselines: tuple[str, ...] = ()
    method: str
    missing: str = "not transcribed"
    unstated: tuple[str, ...] = ()
    artefacts: dict[str, Artefact] = Field({}, validate_default=True)
    cells: tuple[Cell, ...] = ()

    @field_validator("network", "counterpart", "baselines")
    @classmethod
    def _known(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        try:
            if isinstance(value, tuple):
                return tuple(map(known_model, value))
            return known_model(value) if value else value
        except BenchError as error:
            raise ValueError(str(error)) from error

    @field_validator("artefacts")
    @classmethod
    def _named(cls, artefacts: dict[str, Artefact]) -> dict[str, Artefact]:
        for name, artefact in artefacts.items():
            sort = "table" if artefact.kind in TABLE_KINDS else "figure"
            if not name.startswith(f"{sort}-"):
                raise ValueError(f"{name}: a {artefact.kind} is called {sort}-N")
        return artefacts

    @model_validator(mode="after")
    def _cells_have_artefacts(self) -> Paper:
        for cell in self.cells:
            if cell.artefact not in self.artefacts:
                raise ValueError(
                    f"cells: no artefact '{cell.artefact}'"
                    f"{did_you_mean(cell.artefact, self.artefacts)}"
                )
        return self

    @property
    def networks(self) -> tuple[str, ...]:
        """Its network, and that one's ANN counterpart if there is one."""
        return (self.network, self.counterpart) if self.counterpart else (self.network,)

    def artefacts_of_kind(self, kind: str) -> dict[str, Artefact]:
        """Its tables or figures of one kind, by name."""
        return {name: a for name, a in self.artefacts.items() if a.kind == kind}


def called(artefact: str) -> str:
    """What a paper calls a table or figure: ``Table 1`` for "table-1", ``Fig. 2`` for "figure-2"."""
    sort, _, number = artefact.partition("-")
    return f"{'Table' if sort == 'table' else 'Fig.'} {number}"


def ablated_parts(model: str) -> list[str]:
    """The parts of a network that its paper's ablations vary; empty for a network without paper."""
    return [
        part
        for paper in map(read_paper, paper_names())
        if paper.network == model
        for artefact in paper.artefacts_of_kind("ablation").values()
        for part in artefact.parts
    ]


def paper_names() -> list[str]:
    """The papers of the catalogue, in alphabetical order."""
    return [file.parent.name for file in matching(CATALOG_FILES[0])]


def read_paper(name: str) -> Paper:
    """A paper by the name of its folder, its claims apart.

    Raises:
        BenchError: for an unknown paper, or a mistake in its file, in one line.
    """
    return check(Paper, described(name), f"{name}/paper.yaml")


def described(name: str) -> dict[str, Any]:
    """What a paper's ``paper.yaml`` holds, unchecked, and the paper's name.

    Raises:
        BenchError: for an unknown paper, or a file that is not a YAML mapping, in one line.
    """
    if name not in paper_names():
        raise BenchError(f"unknown paper '{name}'{did_you_mean(name, paper_names())}")
    values = read_yaml(f"papers/{name}/paper.yaml")
    if not isinstance(values, dict):
        raise BenchError(f"{name}/paper.yaml: keys and values expected")
    return {**values, "name": name}
