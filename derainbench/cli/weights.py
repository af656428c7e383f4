"""Verbs about official weights, and about the parameter files of metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import AcceptNew, Attempts, SilentFor, WeightsRoot, one_of, patience_of

weights_app = typer.Typer(help="Official weights: list, fetch.", no_args_is_help=True)
metrics_app = typer.Typer(help="Parameter files of no-reference metrics.", no_args_is_help=True)


@weights_app.command("list")
def weights_list(
    model: Annotated[str | None, typer.Argument(help="Of one model only.")] = None,
    root: WeightsRoot = Path("weights"),
) -> None:
    """The known weight files, and which of them are there."""
    from derainbench.models.weights_download import overview

    typer.echo(overview(root, model))


@weights_app.command("fetch")
def weights_fetch(
    model: Annotated[str, typer.Argument(help="Model name; see `derainbench models`.")],
    root: WeightsRoot = Path("weights"),
    dataset: Annotated[
        str | None, typer.Option("--dataset", help="Only those trained on this set.")
    ] = None,
    accept_new: AcceptNew = False,
    attempts: Attempts = 5,
    timeout: SilentFor = 60,
) -> None:
    """Downloads a model's weights, checks that they load, puts them into ROOT/FOLDER/FILE."""
    from derainbench.models.weights_download import fetch

    for line in fetch(
        model, root, dataset=dataset, patience=patience_of(attempts, timeout), accept_new=accept_new
    ):
        typer.echo(line)


@metrics_app.command("fetch")
def metrics_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="niqe, brisque; default: all.")] = None,
    root: Annotated[Path, typer.Option("--root", help="Folder for the files.")] = Path("metrics"),
    attempts: Annotated[int, typer.Option(help="Tries per file.", min=1)] = 5,
    timeout: Annotated[float, typer.Option(help="Seconds until a silent server is left.")] = 60,
) -> None:
    """Downloads the parameter files of no-reference metrics; give ROOT as --metric-files."""
    from derainbench.data.acquisition.download import Patience
    from derainbench.evaluation.metric_files import FILES, fetch

    for name in names or ():
        one_of(name, tuple(FILES), "NAMES")
    patience = Patience(attempts=attempts, connect=min(15, timeout), read=timeout)
    for path in fetch(names or list(FILES), root, patience):
        typer.echo(path)
