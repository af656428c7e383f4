"""What a benchmark configuration may say. Nothing heavy is imported here.

``workflow/schemas/config.schema.json`` is generated from these classes
(``derainbench config schema``) for editors and other programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from derainbench.catalog import papers
from derainbench.catalog.dataset_entries import dataset_entry
from derainbench.catalog.ledger import Label
from derainbench.catalog.model_cards import known_model, model_card
from derainbench.catalog.recipes import Recipe, load_recipe
from derainbench.config.ablations import check_ablation
from derainbench.config.datasets import (
    AnySet,
    CatalogueSet,
    FolderSet,
    Name,
    RecompositedSet,
    StandInSet,
    Title,
)
from derainbench.config.paths import PathText
from derainbench.config.runs import Run
from derainbench.config.settings import Energy, Figures, Spikes, Threads
from derainbench.config.without import runs_without
from derainbench.foundation.errors import BenchError
from derainbench.foundation.settings import Strict, check, read_yaml
from derainbench.foundation.suggestions import did_you_mean


class Config(Strict):
    """A whole benchmark configuration.

    Attributes:
        papers: those whose claims are judged; default: all of the catalogue.
        crosscheck: baselines that other operation counters are tried on, beside the papers'
            networks and their ANN counterparts.
        without: trainings that failed, ``RUN/seed-SEED``, with the reason: results are made without
            them, and say so.
    """

    name: Name
    label: Literal["smoke", "study", "paper", "rehearsal"]
    title: Title
    data_root: PathText | None = None
    weights_root: PathText | None = None
    metric_files: PathText | None = None
    datasets: dict[Name, AnySet]
    runs: dict[Name, Run] = Field(min_length=1)
    papers: list[Name] | None = Field(None, min_length=1)
    crosscheck: list[str] = ["prenet", "nafnet"]
    energy: Energy = Energy()
    spikes: Spikes = Spikes()
    figures: Figures
    threads: Threads = Threads()
    workers: int = Field(0, ge=0)
    without: dict[str, str] = Field({}, exclude_if=lambda without: not without)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    @model_validator(mode="after")
    def _left(self) -> Config:
        if self.without:
            return self.model_copy(update={"runs": runs_without(self.runs, self.without)})
        return self

    @model_validator(mode="after")
    def _references(self) -> Config:
        for name, run in self.runs.items():
            try:
                known_model(run.model) if run.model else None
            except BenchError as error:
                raise ValueError(f"runs.{name}.model: {error}") from error
            for dataset in (*run.test, *((run.train.dataset,) if run.train else ())):
                self._known_dataset(dataset, f"runs.{name}")
            if run.weights and not self.weights_root:
                raise ValueError(f"runs.{name}.weights needs weights_root: the folder of weights")
            for dataset in () if run.counted else run.test:
                self._check_restored(name, run.restored_folder(dataset))
            if run.ablation:
                check_ablation(self.runs, name, run.ablation)
        self._check_names()
        self._known_dataset(self.figures.dataset, "figures.dataset")
        if not self.paired(self.figures.dataset):
            raise ValueError(
                f"figures.dataset: {self.figures.dataset} has no ground truth, so no PSNR to plot"
            )
        for name, dataset in self.datasets.items():
            self._check_dataset(name, dataset)
            if isinstance(dataset, StandInSet) and self.label != "rehearsal":
                raise ValueError(f"datasets.{name}: stand-ins are for rehearsals: label: rehearsal")
        for name, run in self.runs.items():
            if run.train and run.train.monitor and not self._has_test(run.train.dataset):
                raise ValueError(
                    f"runs.{name}.train.monitor: {run.train.dataset} has no test split to score"
                )
        return self

    def _check_names(self) -> None:
        known = papers.paper_names()
        for name in self.papers or ():
            if name not in known:
                raise ValueError(f"papers: unknown paper '{name}'{did_you_mean(name, known)}")
        for name in self.crosscheck:
            try:
                known_model(name)
            except BenchError as error:
                raise ValueError(f"crosscheck: {error}") from error

    def _check_restored(self, name: str, folder: str) -> None:
        if self.data_root is None and not Path(folder).is_absolute():
            raise ValueError(
                f"runs.{name}.images: '{folder}' needs data_root, or must be an absolute path"
            )

    def _check_dataset(self, name: str, dataset: AnySet) -> None:
        where = f"datasets.{name}"
        if dataset.kind in ("folder", "catalogue") and self.data_root is None:
            raise ValueError(f"{where} needs data_root: the folder that holds the data sets")
        if dataset.kind == "recomposited":
            self._known_dataset(dataset.layers, f"{where}.layers")
            self._known_dataset(dataset.clean, f"{where}.clean")
        known = self.catalogue_name(name)
        if known:
            try:
                entry = dataset_entry(known)
            except BenchError as error:
                raise ValueError(f"{where}: {error}") from error
            if dataset.kind == "catalogue" and (
                unknown := set(dataset.splits or ()) - set(entry.splits)
            ):
                raise ValueError(f"{where}.splits: {entry.name} has no split {min(unknown)}")

    def _known_dataset(self, name: str, where: str) -> None:
        if name not in self.datasets:
            raise ValueError(
                f"{where}: unknown data set '{name}'{did_you_mean(name, self.datasets)}"
            )

    def _has_test(self, name: str) -> bool:
        match dataset := self.datasets[name]:
            case RecompositedSet():
                return False
            case CatalogueSet():
                known = dataset_entry(dataset.name or name)
                return "test" in (dataset.splits or known.splits)
            case StandInSet():
                return "test" in dataset_entry(dataset.name).splits
            case _:
                return True

    @property
    def comparable(self) -> bool:
        """Whether its numbers may stand beside published ones: neither smoke nor a rehearsal."""
        return self.label in ("study", "paper")

    @property
    def judged_as(self) -> Label:
        """The label whose claims are tried: a rehearsal goes wherever the paper's numbers would."""
        return "paper" if self.label == "rehearsal" else self.label

    @property
    def paper_names(self) -> list[str]:
        """The papers whose claims are judged."""
        return self.papers or papers.paper_names()

    @property
    def results(self) -> str:
        """Folder of this configuration's results."""
        return f"results/{self.name}"

    def dataset_folder(self, name: str) -> str:
        """Root folder of a data set."""
        dataset = self.datasets[name]
        match dataset:
            case FolderSet():
                return str(Path(self.data_root or "") / (dataset.path or name))
            case CatalogueSet():
                return str(Path(self.data_root or "") / dataset_entry(dataset.name or name).name)
            case StandInSet():
                return f"{self.results}/made/{dataset_entry(dataset.name).name}"
            case _:
                return f"{self.results}/made/{name}"

    def split_folder(self, name: str, split: str) -> str:
        """Folder of one split; a folder set may be a single split itself."""
        folder = self.dataset_folder(name)
        single = self.datasets[name].kind == "folder" and (Path(folder) / "input").is_dir()
        return folder if single else f"{folder}/{split}"

    def restored_folder(self, run: str, dataset: str) -> str:
        """Folder of the images that others restored of a run's test set."""
        return str(Path(self.data_root or "") / self.runs[run].restored_folder(dataset))

    def catalogue_name(self, name: str) -> str | None:
        """The set of the catalogue that a set must be, if any."""
        match dataset := self.datasets[name]:
            case FolderSet():
                return dataset.catalogue
            case CatalogueSet():
                return dataset.name or name
            case StandInSet():
                return dataset.name
            case _:
                return None

    def paired(self, name: str) -> bool:
        """Whether a set has ground truth."""
        known = self.catalogue_name(name)
        if known and dataset_entry(known).kind != "paired":
            return False
        return getattr(self.datasets[name], "paired", True)

    def real_rain(self) -> list[str]:
        """The tested sets without ground truth."""
        return [name for name in self.tested() if not self.paired(name)]

    def recipe(self, run: str) -> Recipe:
        """The recipe that a run is trained by, its replaced fields included.

        Raises:
            BenchError: for an unknown recipe, or fields that it does not have.
        """
        train = self.runs[run].train
        if train is None:
            raise ValueError(f"run '{run}' is not trained")
        return load_recipe(train.recipe, train.set)

    def trained_arguments(self, model: str) -> dict[str, Any]:
        """Constructor arguments of the first run that trains a model; none for the full size."""
        for run in self.runs.values():
            if run.train and not run.ablation and run.network == model:
                return run.kwargs
        return {}

    def tested(self) -> list[str]:
        """The data sets that some run is tested on."""
        tested = {dataset for run in self.runs.values() for dataset in run.test}
        return [name for name in self.datasets if name in tested]

    def evaluations(self) -> Iterator[tuple[str, str, str]]:
        """Every (run, variant, data set) to be scored."""
        for name, run in self.runs.items():
            for variant in run.variants():
                for dataset in run.test:
                    yield name, variant, dataset

    def spiking(self) -> Iterator[tuple[str, str, str]]:
        """Every (run, variant, first paired test set) of a model that computes with spikes."""
        for name, run in self.runs.items():
            paired = [dataset for dataset in run.test if self.paired(dataset)]
            if not run.counted or run.model is None or run.ablation or not paired:
                continue
            if model_card(run.model).spiking:
                for variant in run.variants():
                    yield name, variant, paired[0]


def parse(values: Mapping[str, Any], source: str) -> Config:
    """Checks a configuration.

    Raises:
        BenchError: one line naming the source, the key and the remedy.
    """
    return check(Config, dict(values), source)


def load(path: Path) -> Config:
    """Reads and checks a configuration file; see :func:`parse`."""
    return parse(read_yaml(path), str(path))
