"""The no-reference metrics: their names, and the parameter files that they need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A no-reference metric; lower is better for all of these.

    Attributes:
        name: as pyiqa calls it.
        title: as papers write it.
        file: its parameter file, if it has one.
    """

    name: str
    title: str
    file: str | None = None


# Names of pyiqa's files, which it takes from the official releases of NIQE and BRISQUE.
METRICS = (
    Metric("niqe", "NIQE", "niqe_modelparameters.mat"),
    Metric("brisque", "BRISQUE", "brisque_svm_weights.pth"),
    Metric("piqe", "PIQE"),
)
