"""What must be there, and what must fit, before hours of work start."""

from __future__ import annotations

from pathlib import Path

from derainbench.config.schema import Config
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import regular_file


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
        if run.weights is None:
            continue
        try:
            regular_file(
                Path(config.weights_root or "") / run.weights,
                "no such file; set weights_root to the folder that holds the weights",
            )
        except BenchError as error:
            raise BenchError(f"runs.{name}.weights: {error}") from error


def check_models(config: Config) -> None:
    """Builds every model and resolves every recipe, before hours of work start. Imports torch.

    Raises:
        BenchError: for the first argument or recipe field that cannot work.
    """
    from derainbench.models.construction import build

    for name, run in config.runs.items():
        try:
            build(run.model, **run.kwargs)
            if run.train:
                config.recipe(name)
        except BenchError as error:
            raise BenchError(f"runs.{name}: {error}") from error
