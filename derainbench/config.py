"""What a benchmark configuration may say. Nothing heavy is imported here.

``workflow/schemas/config.schema.json`` is generated from these classes
(``derainbench config schema``) for editors and other programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from derainbench.data import catalogue
from derainbench.errors import BenchError
from derainbench.settings import check, read_yaml
from derainbench.sources import is_spiking, known_model
from derainbench.suggest import did_you_mean

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
PROTOCOL_NAMES = ("esdnet", "matlab-uint8", "matlab-double", "rgb")
ABLATED_PARTS = ("MAU", "FRB", "shortcut", "normalisation", "time steps", "threshold")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SyntheticSet(_Strict):
    """A generated set: rain over bundled photographs."""

    kind: Literal["synthetic"]
    rain: Literal["light", "heavy"]
    size: int = Field(256, ge=32, le=300)  # the lowest photograph has 300 rows
    train: int = Field(24, ge=2)
    val: int = Field(4, ge=1)
    test: int = Field(6, ge=1)
    seed: int = Field(2024, ge=0)


class FolderSet(_Strict):
    """An existing set: ``data_root/<path or name>/{train,val,test}/{input,target}``.

    Attributes:
        path: folder below the data root; default: the set's name.
        catalogue: the set of the catalogue that it must be; none: only readability is checked.
        subset: fewer images than the catalogue says are fine.
        paired: whether there is ground truth; without, images get no-reference scores.
    """

    kind: Literal["folder"]
    path: str | None = None
    catalogue: str | None = None
    subset: bool = False
    paired: bool = True


class CatalogueSet(_Strict):
    """A set of the catalogue, fetched into ``data_root/<name in the catalogue>``.

    Attributes:
        name: in the catalogue; default: the set's name here.
        splits: those wanted; default: all.
    """

    kind: Literal["catalogue"]
    name: str | None = None
    splits: list[Literal["train", "val", "test"]] | None = None


class RecompositedSet(_Strict):
    """The rain of one set's training pairs on the photographs of another."""

    kind: Literal["recomposited"]
    layers: Name
    clean: Name
    clean_splits: list[Literal["train", "val", "test"]] = Field(["train"], min_length=1)
    count: int | None = Field(None, ge=1)
    seed: int = Field(2024, ge=0)


AnySet = Annotated[
    SyntheticSet | FolderSet | CatalogueSet | RecompositedSet, Field(discriminator="kind")
]


class Training(_Strict):
    """How a run's weights are trained.

    Attributes:
        monitor: score the test split in every validation too, without selecting on it.
    """

    dataset: Name
    recipe: str = "esdnet"
    set: dict[str, Any] = {}
    seeds: list[Annotated[int, Field(ge=0)]] = Field([1234], min_length=1)
    monitor: bool = False


class Ablation(_Strict):
    """In what a run differs from another one, of the same model and budget, and in that alone.

    Attributes:
        of: the other run.
        part: what is varied: a group of rows in the ablation tables. The run's title says how.
    """

    of: Name
    part: Literal[ABLATED_PARTS]


class Run(_Strict):
    """A model with weights, trained or official, and the sets that it is tested on.

    Attributes:
        ablation: for runs that stand in the ablation tables and nowhere else.
    """

    model: str
    kwargs: dict[str, Any] = {}
    title: str | None = None
    train: Training | None = None
    weights: str | None = None
    test: list[Name] = Field(min_length=1)
    inference: Literal["tiled", "whole"] | None = None
    quantise: Literal["round", "truncate"] | None = None
    ablation: Ablation | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Run:
        if (self.train is None) == (self.weights is None):
            raise ValueError("give either train or weights: one of them, not both")
        return self

    def variants(self) -> list[str]:
        """``seed-N`` for each training, or ``official``."""
        return [f"seed-{s}" for s in self.train.seeds] if self.train else ["official"]


class Energy(_Strict):
    """Where operations are counted: central crops of the first test images."""

    size: int = Field(256, ge=16)
    images: int = Field(8, ge=1)


class Spikes(_Strict):
    """Where spike rates of rain and clean pixels are compared: central crops of test pairs.

    Attributes:
        images: of the first paired test set of a run; default: all.
        threshold: least change of a value in [0,1] that is rain.
    """

    size: int = Field(128, ge=16)
    images: int | None = Field(None, ge=1)
    threshold: float = Field(0.1, ge=0, le=1)


class Figures(_Strict):
    """What the figures show."""

    dataset: Name
    protocol: Literal[PROTOCOL_NAMES] = "esdnet"
    strip_images: int = Field(3, ge=1, le=8)


class Threads(_Strict):
    """CPU threads per job."""

    train: int = Field(1, ge=1)
    infer: int = Field(1, ge=1)


class Config(_Strict):
    """A whole benchmark configuration."""

    name: Name
    label: Literal["smoke", "study", "paper"]
    title: str
    data_root: str | None = None
    weights_root: str | None = None
    metric_files: str | None = None
    datasets: dict[Name, AnySet]
    runs: dict[Name, Run] = Field(min_length=1)
    energy: Energy = Energy()
    spikes: Spikes = Spikes()
    figures: Figures
    threads: Threads = Threads()
    workers: int = Field(0, ge=0)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    @model_validator(mode="after")
    def _references(self) -> Config:
        for name, run in self.runs.items():
            try:
                known_model(run.model)
            except BenchError as error:
                raise ValueError(f"runs.{name}.model: {error}") from error
            for dataset in (*run.test, *((run.train.dataset,) if run.train else ())):
                self._known_dataset(dataset, f"runs.{name}")
            if run.weights and not self.weights_root:
                raise ValueError(f"runs.{name}.weights needs weights_root: the folder of weights")
            if run.ablation:
                self._check_ablation(name, run)
        self._known_dataset(self.figures.dataset, "figures.dataset")
        if not self.paired(self.figures.dataset):
            raise ValueError(
                f"figures.dataset: {self.figures.dataset} has no ground truth, so no PSNR to plot"
            )
        for name, dataset in self.datasets.items():
            self._check_dataset(name, dataset)
        for name, run in self.runs.items():
            if run.train and run.train.monitor and not self._has_test(run.train.dataset):
                raise ValueError(
                    f"runs.{name}.train.monitor: {run.train.dataset} has no test split to score"
                )
        return self

    def _check_ablation(self, name: str, run: Run) -> None:
        where = f"runs.{name}.ablation.of"
        base = self.runs.get(run.ablation.of)
        if base is None or base.ablation:
            others = [n for n, r in self.runs.items() if not r.ablation]
            raise ValueError(
                f"{where}: '{run.ablation.of}' is no run that can be compared with"
                f"{did_you_mean(run.ablation.of, others)}"
            )
        same = known_model(base.model) == known_model(run.model)
        if not (same and _without_seeds(base.train) == _without_seeds(run.train)):
            raise ValueError(
                f"{where}: {name} and {run.ablation.of} differ in model, data set or recipe, so "
                "their difference would not be due to the change alone"
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
                entry = catalogue.entry(known)
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
                known = catalogue.entry(dataset.name or name)
                return "test" in (dataset.splits or known.splits)
            case _:
                return True

    @property
    def results(self) -> str:
        """Folder of this configuration's results."""
        return f"results/{self.name}"

    def dataset_folder(self, name: str) -> str:
        """Root folder of a data set."""
        dataset = self.datasets[name]
        match dataset:
            case FolderSet():
                return str(Path(self.data_root) / (dataset.path or name))
            case CatalogueSet():
                return str(Path(self.data_root) / catalogue.entry(dataset.name or name).name)
            case _:
                return f"{self.results}/made/{name}"

    def split_folder(self, name: str, split: str) -> str:
        """Folder of one split; a folder set may be a single split itself."""
        folder = self.dataset_folder(name)
        single = self.datasets[name].kind == "folder" and (Path(folder) / "input").is_dir()
        return folder if single else f"{folder}/{split}"

    def catalogue_name(self, name: str) -> str | None:
        """The set of the catalogue that a set must be, if any."""
        match dataset := self.datasets[name]:
            case FolderSet():
                return dataset.catalogue
            case CatalogueSet():
                return dataset.name or name
            case _:
                return None

    def paired(self, name: str) -> bool:
        """Whether a set has ground truth."""
        known = self.catalogue_name(name)
        if known and catalogue.entry(known).kind != "paired":
            return False
        return getattr(self.datasets[name], "paired", True)

    def real_rain(self) -> list[str]:
        """The tested sets without ground truth."""
        tested = {dataset for run in self.runs.values() for dataset in run.test}
        return [name for name in self.datasets if name in tested and not self.paired(name)]

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
            if is_spiking(run.model) and paired and not run.ablation:
                for variant in run.variants():
                    yield name, variant, paired[0]


def _without_seeds(train: Training | None) -> dict[str, Any] | None:
    return train.model_dump(exclude={"seeds", "monitor"}) if train else None


def parse(values: Mapping[str, Any], source: str) -> Config:
    """Checks a configuration.

    Raises:
        BenchError: one line naming the source, the key and the remedy.
    """
    return check(Config, dict(values), source)


def load(path: Path) -> Config:
    """Reads and checks a configuration file; see :func:`parse`."""
    return parse(read_yaml(path), str(path))


def check_files(config: Config) -> None:
    """Looks for every folder and weight file that must exist beforehand.

    Raises:
        BenchError: for the first that does not.
    """
    for name, dataset in config.datasets.items():
        folder = Path(config.dataset_folder(name))
        if dataset.kind == "folder" and not folder.is_dir():
            raise BenchError(
                f"datasets.{name}: {folder}: no such folder; set data_root to the folder that "
                "holds the data sets"
            )
    for name, run in config.runs.items():
        if run.weights and not (path := Path(config.weights_root) / run.weights).is_file():
            raise BenchError(
                f"runs.{name}.weights: {path}: no such file; set weights_root to the folder that "
                "holds the weights"
            )


def check_models(config: Config) -> None:
    """Builds every model and resolves every recipe, before hours of work start. Imports torch.

    Raises:
        BenchError: for the first argument or recipe field that cannot work.
    """
    from derainbench import models
    from derainbench.training.recipe import load_recipe

    for name, run in config.runs.items():
        try:
            models.build(run.model, **run.kwargs)
            if run.train:
                load_recipe(run.train.recipe, run.train.set)
        except BenchError as error:
            raise BenchError(f"runs.{name}: {error}") from error
