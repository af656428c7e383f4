"""The runs of a configuration: sets of weights, and the ANN counterpart of a spiking one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derainbench.catalog.model_cards import known_model, model_card
from derainbench.config.runs import Run
from derainbench.config.schema import Config
from derainbench.results.reading import read_json


@dataclass(frozen=True)
class RunVariant:
    """One set of weights: a run with a seed, or with official weights."""

    run: str
    variant: str
    spec: Run

    @property
    def title(self) -> str:
        """Name for tables and figures."""
        return self.spec.title or self.run

    @property
    def weights(self) -> str:
        """Where the weights come from, in a few words."""
        if self.spec.train:
            return f"trained here on {self.spec.train.dataset}"
        return f"official, {self.spec.weights}"


def run_variants(config: Config, *, ablations: bool = False) -> list[RunVariant]:
    """Every set of weights of a configuration, in its order: ablations, or all others."""
    return [
        RunVariant(n, v, run)
        for n, run in config.runs.items()
        for v in run.variants()
        if (run.ablation is not None) == ablations
    ]


def default_arguments(config: Config) -> dict[str, dict[str, Any]]:
    """Constructor arguments of every model at full size, from ``structure/arguments.json``.

    Raises:
        BenchError: if the structure has not been counted.
    """
    return read_json(Path(config.results) / "structure" / "arguments.json")


def counterpart_run(config: Config, run: RunVariant) -> RunVariant | None:
    """The ANN counterpart of a spiking run: its model is, and what either sets is equal in both.

    It is counted on the same images; of several, the one that was trained alike comes first.

    Raises:
        BenchError: if the structure has not been counted.
    """
    spiking = known_model(run.spec.model)
    candidates = [
        entry
        for entry in run_variants(config)
        if model_card(entry.spec.model).counterpart_of == spiking
        and entry.spec.test[0] == run.spec.test[0]
    ]
    if not candidates:
        return None
    defaults = default_arguments(config)
    own = defaults[spiking] | run.spec.kwargs
    found = []
    for entry in candidates:
        theirs = defaults[known_model(entry.spec.model)] | entry.spec.kwargs
        both = (run.spec.kwargs | entry.spec.kwargs).keys() & own.keys() & theirs.keys()
        if all(own[k] == theirs[k] for k in both):
            found.append(entry)

    def budget(entry: RunVariant) -> dict[str, Any] | None:
        return entry.spec.train.set if entry.spec.train else None

    return min(found, key=lambda entry: budget(entry) != budget(run), default=None)
