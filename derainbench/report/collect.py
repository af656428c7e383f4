"""Gathering the files of a configuration's runs into data frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench import sources
from derainbench.config import Config, Run
from derainbench.errors import BenchError

_readers: list[list[Path]] = []  # of recording() blocks that are open
SCORE_COLUMNS = ("image", "protocol", "psnr", "ssim", "psnr_input", "ssim_input")


@dataclass(frozen=True)
class Entry:
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


def entries(config: Config, *, ablations: bool = False) -> list[Entry]:
    """Every set of weights of a configuration, in its order: ablations, or all others."""
    return [
        Entry(n, v, run)
        for n, run in config.runs.items()
        for v in run.variants()
        if (run.ablation is not None) == ablations
    ]


def twin(config: Config, of: Entry) -> Entry | None:
    """The ANN twin of a spiking run: its model is, and what either sets is equal in both.

    It is counted on the same images; of several, the one that was trained alike comes first.
    """
    from derainbench import models  # only this needs the networks' classes

    own = models.arguments(of.spec.model, of.spec.kwargs)
    found = []
    for entry in entries(config):
        if sources.twin_of(entry.spec.model) != sources.known_model(of.spec.model):
            continue
        theirs = models.arguments(entry.spec.model, entry.spec.kwargs)
        both = (of.spec.kwargs | entry.spec.kwargs).keys() & own.keys() & theirs.keys()
        if entry.spec.test[0] == of.spec.test[0] and all(own[k] == theirs[k] for k in both):
            found.append(entry)

    def budget(entry: Entry) -> dict | None:
        return entry.spec.train and entry.spec.train.set

    return min(found, key=lambda entry: budget(entry) != budget(of), default=None)


def scores(config: Config, *, ablations: bool = False) -> pd.DataFrame:
    """Per-image scores: columns of ``per_image.csv`` plus run, variant, title, dataset.

    Args:
        config: whose runs.
        ablations: those of the ablations, or those of all other runs.

    Raises:
        BenchError: if a score file is missing.
    """
    tables = []
    for entry in entries(config, ablations=ablations):
        for dataset in entry.spec.test:
            if not config.paired(dataset):
                continue
            table = read_table(score_folder(config, entry, dataset) / "per_image.csv")
            tables.append(
                table.assign(
                    run=entry.run,
                    variant=entry.variant,
                    title=entry.title,
                    weights=entry.weights,
                    dataset=dataset,
                )
            )
    if not tables:
        return pd.DataFrame(
            columns=[*SCORE_COLUMNS, "run", "variant", "title", "weights", "dataset"]
        )
    return pd.concat(tables, ignore_index=True)


def score_folder(config: Config, entry: Entry, dataset: str) -> Path:
    """Where an entry's restored images and scores on a set lie."""
    return Path(config.results) / "scores" / entry.run / entry.variant / dataset


def accounts(config: Config, *, ablations: bool = False) -> pd.DataFrame:
    """One row per entry from its ``energy.json``: structure and means over images."""
    rows = []
    for entry in entries(config, ablations=ablations):
        path = Path(config.results) / "energy" / entry.run / entry.variant / "energy.json"
        content = read_json(path)
        rows.append(
            {
                "run": entry.run,
                "variant": entry.variant,
                "title": entry.title,
                "weights": entry.weights,
                "dataset": entry.spec.test[0],
                "images": content["images"],
                "counted_size": "x".join(map(str, content["size"])),
                "parameters": content["structure"]["parameters"],
                "gmacs_256": content["structure"]["macs_dense"] / 1e9,
                **content["mean"],
            }
        )
    return pd.DataFrame(rows)


def read_table(path: Path) -> pd.DataFrame:
    """A CSV file, every digit kept.

    Raises:
        BenchError: if it is missing.
    """
    facts = _existing(path).stat()
    return _table(path, facts.st_mtime_ns, facts.st_size).copy()


@lru_cache(maxsize=2048)  # the report reads every score file for each of its tables
def _table(path: Path, modified: int, size: int) -> pd.DataFrame:
    return pd.read_csv(path)


def read_json(path: Path) -> Any:
    """A JSON file.

    Raises:
        BenchError: if it is missing or damaged.
    """
    try:
        return json.loads(_existing(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise BenchError(f"{path}: damaged JSON; delete the file and run again") from error


@contextmanager
def recording() -> Iterator[list[Path]]:
    """Gives a list of the files that this module reads in the block: what a table rests on."""
    files: list[Path] = []
    _readers.append(files)
    try:
        yield files
    finally:
        _readers.pop()


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise BenchError(f"{path}: missing; run snakemake with this configuration first")
    for files in _readers:
        if path not in files:
            files.append(path)
    return path
