"""Verbs that train networks, or see whether they can be trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import (
    DatasetFile,
    Device,
    Kwargs,
    ModelName,
    Out,
    OutFile,
    Seed,
    assignments,
    one_of,
)
from derainbench.foundation.errors import BenchError

app = typer.Typer()


@app.command()
def train(
    model: ModelName,
    data: Annotated[Path, typer.Option(help="Set folder with train/ and maybe val/.")],
    out: Out,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            help="Recipe: a name of the catalogue or a YAML file; default: the model's own.",
        ),
    ] = None,
    seed: Seed = 1234,
    kwarg: Kwargs = None,
    override: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Replace a recipe field; repeatable."),
    ] = None,
    device: Device = "auto",
    workers: Annotated[
        int, typer.Option(help="Data loading processes, of each process.", min=0)
    ] = 0,
    processes: Annotated[
        int,
        typer.Option(
            help="Processes that share every batch, a GPU each where there are any.", min=1
        ),
    ] = 1,
    dataset: DatasetFile = None,
    monitor: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT",
            help="val or test: score it as well, into the history; never select on it.",
        ),
    ] = None,
) -> None:
    """Trains a model; goes on by itself where an earlier, stopped call with equal settings was."""
    from derainbench.catalog.model_cards import recipe_of
    from derainbench.catalog.recipes import load_recipe

    one_of(monitor, ("val", "test"), "--monitor")
    kwargs = assignments(kwarg, "--kwarg")
    recipe = load_recipe(config or recipe_of(model), assignments(override, "--set"))

    from derainbench.training.parallel.group import group_size, joined

    if processes > 1 and group_size() == 1:
        from derainbench.training.parallel.launching import launch

        raise typer.Exit(launch(processes, sys.argv[1:]))
    if processes not in (1, group_size()):
        raise BenchError(f"--processes {processes}: torchrun has started {group_size()}")

    from derainbench.training.loop import train as run

    with joined(device) as group:
        weights = run(
            model_name=model,
            model_kwargs=kwargs,
            data=data,
            recipe=recipe,
            seed=seed,
            out=out,
            workers=workers,
            dataset=dataset,
            monitor=monitor,
            group=group,
        )
    if group.leads:
        typer.echo(weights)


@app.command()
def gradients(model: ModelName, out: OutFile, kwarg: Kwargs = None) -> None:
    """Sees whether a loss's gradient reaches every layer of a network: a JSON file."""
    from derainbench.training.gradient_reach import write_gradient_reach

    found = write_gradient_reach(model, assignments(kwarg, "--kwarg"), out)
    typer.echo(
        f"reached: {found.reached} of {found.tensors} parameter tensors (attention gates apart), "
        f"through {found.neurons} spiking layers"
    )
