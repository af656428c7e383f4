"""What a printed cell may hold: metrics with their units, ranges and tolerances, as data."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from derainbench.catalog.claim_kinds import TestName
from derainbench.catalog.files import read_yaml
from derainbench.catalog.papers import TableKind
from derainbench.foundation.reads import cache
from derainbench.foundation.settings import Strict, check

CATALOG_FILES = ("cells/metrics.yaml",)
UNSTATED = "unstated"  # by the paper: protocol of a score, size of the image that was counted


class CellMetric(Strict):
    """A kind of number that papers print.

    Attributes:
        title: as tables call it.
        tables: kinds of tables that print it.
        units: factors to the base unit, which is the first.
        range: lowest and highest plausible value, in the base unit, both allowed.
        tolerance: how far what is found may lie from the printed value, in the base unit.
        relative: whether the tolerance is a share of the printed value.
        test: that decides on the cell.
        stated: what must be stated for a comparison; none: nothing.
    """

    title: str
    tables: tuple[TableKind, ...]
    units: dict[str, float] = Field(min_length=1)
    range: tuple[float, float]
    tolerance: float = Field(ge=0)
    relative: bool = False
    test: TestName
    stated: Literal["protocol", "size"] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> CellMetric:
        if self.range[0] >= self.range[1]:
            raise ValueError("range: the lowest value comes first")
        return self

    @property
    def unit(self) -> str:
        """The base unit."""
        return next(iter(self.units))


class _Metrics(Strict):
    metrics: dict[str, CellMetric]


@cache
def cell_metrics() -> dict[str, CellMetric]:
    """The metrics of ``catalog/cells/metrics.yaml`` by name.

    Raises:
        BenchError: for a mistake in the file, in one line.
    """
    file = CATALOG_FILES[0]
    return check(_Metrics, {"metrics": read_yaml(file)}, file).metrics


def metrics_of(kind: str) -> dict[str, CellMetric]:
    """The metrics that tables of a kind print."""
    return {name: metric for name, metric in cell_metrics().items() if kind in metric.tables}
