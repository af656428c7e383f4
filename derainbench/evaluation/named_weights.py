"""Weights by name: those of a run in a results folder, or official ones of a model's card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derainbench.catalog.model_cards import known_model, model_names
from derainbench.catalog.papers import paper_names, read_paper
from derainbench.config.schema import Config, load
from derainbench.foundation.errors import BenchError
from derainbench.foundation.suggestions import did_you_mean
from derainbench.models.weights import model_named_by
from derainbench.models.weights_download import official_file
from derainbench.results.layout import layout_of
from derainbench.results.runs import RunVariant, counted_variants

DEFAULT_RESULTS = "smoke"  # what a fresh clone makes


@dataclass(frozen=True)
class NamedWeights:
    """A weight file and what is known of it.

    Attributes:
        file: the weights.
        model: name in the registry.
        kwargs: constructor arguments, where the file does not carry them.
        names: what ``--weights`` may call it.
    """

    file: Path
    model: str
    kwargs: Mapping[str, Any]
    names: frozenset[str] = frozenset()


def find_weights(
    name: str | None, model: str | None = None, weights_root: Path = Path("weights")
) -> NamedWeights:
    """What ``--weights`` means, in the present folder.

    Args:
        name: a file; ``RUN``, ``RUN/VARIANT`` or ``CONFIGURATION/RUN`` of ``results/``; or
            ``MODEL/DATASET`` for official weights. None: the first paper's network, or ``model``,
            in ``results/smoke``.
        model: name in the registry, for files that do not say.
        weights_root: of official weights.

    Raises:
        BenchError: if nothing or several things have that name.
    """
    if name is None:
        return _default(model)
    if Path(name).exists():
        return NamedWeights(Path(name), model or model_named_by(Path(name)), {})
    runs = _runs()
    named = [run for run in runs if name in run.names]
    if len(named) == 1:
        return named[0]
    if named:
        files = ", ".join(str(run.file) for run in named)
        raise BenchError(f"--weights {name}: several files go by that name; give one: {files}")
    first, _, dataset = name.partition("/")
    if dataset and first in model_names():
        file, kwargs = official_file(first, dataset, weights_root)
        return NamedWeights(file, model or known_model(first), kwargs)
    known = {known for run in runs for known in run.names}
    raise BenchError(
        f"{name}: no such weight file, nor a run of results/ or official weights MODEL/DATASET of "
        f"that name{did_you_mean(name, sorted(known)) if known else ''}"
    )


def _default(model: str | None) -> NamedWeights:
    networks = [model] if model else [read_paper(paper).network for paper in paper_names()]
    runs = [run for run in _runs() if any(n.startswith(f"{DEFAULT_RESULTS}/") for n in run.names)]
    for network in map(known_model, networks):
        for run in runs:
            if run.model == network:
                return run
    raise BenchError(
        "no weights are given, and none of such a network lie in results/smoke: give --weights, or "
        "run `make reproduce` first"
    )


def _runs() -> list[NamedWeights]:
    """The weight files of all results folders, by their configurations."""
    found = []
    for file in sorted(Path("results").glob("*/config.json")):
        try:
            config = load(file)
        except BenchError:
            continue  # of another version, or damaged: not what is asked about
        for entry in counted_variants(config):
            weights = _file_of(config, entry)
            if weights.is_file():
                whole = f"{entry.run}/{entry.variant}"
                names = (entry.run, whole, f"{config.name}/{entry.run}", f"{config.name}/{whole}")
                kwargs = {} if entry.spec.train else entry.spec.kwargs
                model = entry.spec.network
                found.append(NamedWeights(weights, model, kwargs, frozenset(names)))
    return found


def _file_of(config: Config, entry: RunVariant) -> Path:
    if entry.spec.train:
        return layout_of(config).weights(entry.run, entry.variant)
    return Path(config.weights_root or "") / str(entry.spec.weights)
