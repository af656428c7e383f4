"""The runs of a configuration, one by one, and the ANN counterpart of a spiking one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derainbench.catalog.model_cards import model_card
from derainbench.data.restored import OTHERS
from derainbench.results.reading import read_json

if TYPE_CHECKING:
    from derainbench.config.runs import Run
    from derainbench.config.schema import Config


@dataclass(frozen=True)
class RunVariant:
    """One set of weights: a run with a seed, or with official weights; or images of others."""

    run: str
    variant: str
    spec: Run

    @property
    def title(self) -> str:
        """Name for tables and figures."""
        return self.spec.title or self.run

    @property
    def weights(self) -> str:
        """Where the weights, or the images of others, come from, in a few words."""
        if not self.spec.counted:
            folders = dict.fromkeys(self.spec.restored_folder(d) for d in self.spec.test)
            return f"{OTHERS}, {', '.join(folders)}"
        if self.spec.train:
            return f"trained here on {self.spec.train.dataset}"
        return f"official, {self.spec.weights}"

    def origin_on(self, dataset: str) -> str:
        """The same for one test set: images of others lie in a folder per set."""
        if not self.spec.counted:
            return f"{OTHERS}, {self.spec.restored_folder(dataset)}"
        return self.weights


def run_variants(config: Config, *, ablations: bool = False) -> list[RunVariant]:
    """Every set of weights or of images of others, in its order: ablations, or all other runs."""
    return [
        RunVariant(n, v, run)
        for n, run in config.runs.items()
        for v in run.variants()
        if (run.ablation is not None) == ablations
    ]


def counted_variants(config: Config, *, ablations: bool = False) -> list[RunVariant]:
    """Those of :func:`run_variants` with a network whose operations can be counted."""
    return [e for e in run_variants(config, ablations=ablations) if e.spec.counted]


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
    spiking = run.spec.network
    candidates = [
        entry
        for entry in counted_variants(config)
        if model_card(entry.spec.network).counterpart_of == spiking
        and entry.spec.test[0] == run.spec.test[0]
    ]
    if not candidates:
        return None
    defaults = default_arguments(config)
    own = defaults[spiking] | run.spec.kwargs
    found = []
    for entry in candidates:
        theirs = defaults[entry.spec.network] | entry.spec.kwargs
        both = (run.spec.kwargs | entry.spec.kwargs).keys() & own.keys() & theirs.keys()
        if all(own[k] == theirs[k] for k in both):
            found.append(entry)

    def budget(entry: RunVariant) -> dict[str, Any] | None:
        return entry.spec.train.set if entry.spec.train else None

    return min(found, key=lambda entry: budget(entry) != budget(run), default=None)
