"""What an energy estimator of others says of an image, and what distorts it, measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from spikingjelly.activation_based import op_counter
from torch import nn

from derainbench.energy.records import ANALOG, GRADED, INTEGER, SILENT
from derainbench.energy.work import Work

COMPUTE, MEMORY, REST = "compute", "memory", "rest"


@dataclass(frozen=True)
class BenchmarkCount:
    """Our count of the image that an estimator is given.

    Attributes:
        layers: one row per convolution or matrix product; see
            :class:`~derainbench.energy.records.LayerCount`.
        others: one row per module and other operator; see
            :class:`~derainbench.energy.records.OtherCount`.
        work: the sum of both.
    """

    layers: pd.DataFrame
    others: pd.DataFrame
    work: Work

    @property
    def macs(self) -> float:
        """MACs on analog input, attention's too."""
        return self.work.analog_macs + self.work.attention_macs


@dataclass(frozen=True)
class Estimate:
    """What an estimator says of one image.

    Attributes:
        energy: its total, picojoule.
        parts: picojoule by "compute", "memory" or "rest" and by the estimator's own name.
        counts: by the estimator's own names.
        macs, acs, sops: those of its counts that have these meanings.
        assumptions: its model and constants.
        notes: what distorts the result, measured.
    """

    energy: float
    parts: Mapping[str, Mapping[str, float]]
    counts: Mapping[str, Any]
    assumptions: str
    macs: float | None = None
    acs: float | None = None
    sops: float | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Estimator:
    """One of spikingjelly's estimators.

    Attributes:
        name: for the rows.
        read: gives the estimate of a model in eval mode, an image [1,3,H,W] and our count of it;
            the last argument is whether to fail on what the estimator does not model, or to leave
            that out.
        scenario: which of ours is nearest.
        folds: whether batch norm is folded first.
        lenient: whether it can be made to leave out what it does not model.
    """

    name: str
    read: Callable[[nn.Module, torch.Tensor, BenchmarkCount, bool], Estimate]
    scenario: str
    folds: bool = False
    lenient: bool = False


def constants_text(**constants: Any) -> str:
    """Constants as text."""
    return ", ".join(f"{name}={value}" for name, value in constants.items())


def model_text(info: op_counter.EnergyModelInfo, **constants: Any) -> str:
    """A model of energy by its own description, and its constants."""
    process = f"{info.technology_nm} nm; " if info.technology_nm else ""
    return (
        f"{info.model_id}: {process}{info.precision}; {info.scope}; {constants_text(**constants)}"
    )


def binary_notes(benchmark: BenchmarkCount) -> list[str]:
    """How much the rule "all elements 0 or 1, or else all are values" decides."""
    notes = []
    analog = benchmark.layers[benchmark.layers["input"].isin([ANALOG, GRADED, INTEGER])]
    if analog["effective_operations"].sum() < analog["macs"].sum():
        share = 1 - analog["effective_operations"].sum() / analog["macs"].sum()
        notes.append(
            f"{share:.1%} of the MACs multiply a zero, padding included, and cost in full: an "
            "input with a single element other than 0 and 1 counts as values"
        )
    silent = benchmark.layers.loc[benchmark.layers["input"] == SILENT, "macs"].sum()
    if silent and not benchmark.work.spiking:
        notes.append(f"{silent:,.0f} MACs on zeros alone count as spikes that never came")
    return notes


def count_difference(what: str, number: float, our_number: float) -> list[str]:
    """How far a count is from ours, if it is; none or one line."""
    if number == our_number or not our_number:
        return []
    share = number / our_number - 1
    return [f"{number - our_number:+,.0f} {what} ({share:+.2%}) against ours"]
