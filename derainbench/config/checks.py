"""What must be there, and what must fit, before hours of work start."""

from __future__ import annotations

from pathlib import Path

from derainbench.config.schema import Config
from derainbench.data.pairs import read_split
from derainbench.data.restored import match_restored
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file

RESULTS = Path("results")  # of all configurations


def check_files(config: Config) -> None:
    """Looks for every folder and weight file that must exist beforehand.

    Folders of images of others must lie outside of the results.

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
        for restored in () if run.counted else run.test:
            _check_restored_folder(config, name, restored)
        if run.weights is None:
            continue
        try:
            regular_file(
                Path(config.weights_root or "") / run.weights,
                "no such file; set weights_root to the folder that holds the weights",
            )
        except BenchError as error:
            raise BenchError(f"runs.{name}.weights: {error}") from error


def _check_restored_folder(config: Config, run: str, dataset: str) -> None:
    folder = Path(config.restored_folder(run, dataset))
    if not folder.is_dir():
        raise BenchError(
            f"runs.{run}.images: {folder}: no such folder; set data_root to the folder that holds "
            "the images, or give an absolute path"
        )
    if folder.resolve().is_relative_to(RESULTS.resolve()):
        raise BenchError(
            f"runs.{run}.images: {folder}: lies inside {RESULTS}/, which holds what is made here; "
            "images of others lie elsewhere"
        )


def check_restored_images(config: Config) -> None:
    """Holds images of others against the test images that are there already.

    Raises:
        BenchError: for the first that is missing, too many, or of another size.
    """
    for name, run in config.runs.items():
        for dataset in () if run.counted else run.test:
            test = Path(config.split_folder(dataset, "test"))
            if not (test / "input").is_dir():
                continue  # made or fetched in the course of the work
            try:
                split = read_split(test, need_target=False)
                match_restored(Path(config.restored_folder(name, dataset)), split)
            except BenchError as error:
                raise BenchError(f"runs.{name}.images: {error}") from error


def check_models(config: Config) -> None:
    """Builds every model and resolves every recipe, before hours of work start. Imports torch.

    Raises:
        BenchError: for the first argument or recipe field that cannot work.
    """
    from derainbench.models.construction import build

    for name, run in config.runs.items():
        if not run.counted:
            continue
        try:
            build(run.network, **run.kwargs)
            if run.train:
                config.recipe(name)
        except BenchError as error:
            raise BenchError(f"runs.{name}: {error}") from error
