"""A printed cell: one number of a table of a paper, as it stands in ``papers/NAME/cells.csv``."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import Field

from derainbench.foundation.settings import Strict

# Of a template that somebody fills in, and of the catalogue's file, which adds the source.
TEMPLATE_COLUMNS = ("table", "method", "dataset", "metric", "value", "unit", "protocol")
COLUMNS = (*TEMPLATE_COLUMNS, "source")


class CellKey(NamedTuple):
    """What names a cell: no paper prints two numbers there."""

    table: str
    method: str
    dataset: str
    metric: str

    def __str__(self) -> str:
        return ", ".join(part for part in self if part)


class PrintedCell(Strict):
    """One number of a table of a paper.

    Attributes:
        table: the artefact, such as "table-1".
        method: as the benchmark calls the method; in a table of ablations the part that is changed,
            with the label of the variant if there are several: "time steps: T = 2".
        dataset: of the catalogue; empty where the number belongs to the network alone.
        metric: of ``catalog/cells/metrics.yaml``.
        value: in ``unit``.
        unit: one of the metric's.
        protocol: how the number came about, as the paper states it: a protocol of the benchmark for
            scores, a size such as "256x256" for operations and energy, "unstated", or nothing where
            nothing is to be stated.
        source: where it is printed, with page and table.
    """

    table: str
    method: str
    dataset: str = ""
    metric: str
    value: float = Field(allow_inf_nan=False)
    unit: str
    protocol: str = ""
    source: str = Field(min_length=1)

    @property
    def key(self) -> CellKey:
        """What names it."""
        return CellKey(self.table, self.method, self.dataset, self.metric)


def variant_parts(method: str) -> tuple[str, str]:
    """Part and label of a variant in a table of ablations: ``("time steps", "T = 2")``."""
    part, _, label = method.partition(":")
    return part.strip(), label.strip()
