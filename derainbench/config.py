"""What a benchmark configuration may say. Nothing heavy is imported here.

``workflow/schemas/config.schema.json`` is generated from these classes
(``derainbench config schema``) for editors and other programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from derainbench.errors import BenchError
from derainbench.settings import check, read_yaml
from derainbench.sources import known_model
from derainbench.suggest import did_you_mean

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
PROTOCOL_NAMES = ("esdnet", "matlab-uint8", "matlab-double", "rgb")


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
    """An existing set: ``data_root/<path or name>/{train,val,test}/{input,target}``."""

    kind: Literal["folder"]
    path: str | None = None


class Training(_Strict):
    """How a run's weights are trained."""

    dataset: Name
    recipe: str = "esdnet"
    set: dict[str, Any] = {}
    seeds: list[Annotated[int, Field(ge=0)]] = Field([1234], min_length=1)


class Run(_Strict):
    """A model with weights, trained or official, and the sets that it is tested on."""

    model: str
    kwargs: dict[str, Any] = {}
    title: str | None = None
    train: Training | None = None
    weights: str | None = None
    test: list[Name] = Field(min_length=1)
    inference: Literal["tiled", "whole"] | None = None
    quantise: Literal["round", "truncate"] | None = None

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
    datasets: dict[Name, Annotated[SyntheticSet | FolderSet, Field(discriminator="kind")]]
    runs: dict[Name, Run] = Field(min_length=1)
    energy: Energy = Energy()
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
        self._known_dataset(self.figures.dataset, "figures.dataset")
        if self.data_root is None and any(s.kind == "folder" for s in self.datasets.values()):
            raise ValueError("folder data sets need data_root: the folder that holds them")
        return self

    def _known_dataset(self, name: str, where: str) -> None:
        if name not in self.datasets:
            raise ValueError(
                f"{where}: unknown data set '{name}'{did_you_mean(name, self.datasets)}"
            )

    @property
    def results(self) -> str:
        """Folder of this configuration's results."""
        return f"results/{self.name}"

    def dataset_folder(self, name: str) -> str:
        """Root folder of a data set."""
        dataset = self.datasets[name]
        if isinstance(dataset, SyntheticSet):
            return f"{self.results}/data/{name}"
        return str(Path(self.data_root) / (dataset.path or name))

    def evaluations(self) -> Iterator[tuple[str, str, str]]:
        """Every (run, variant, data set) to be scored."""
        for name, run in self.runs.items():
            for variant in run.variants():
                for dataset in run.test:
                    yield name, variant, dataset


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
