"""Verbs that train networks, or see whether they can be trained."""

from __future__ import annotations

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
    workers: Annotated[int, typer.Option(help="Data loading processes.", min=0)] = 0,
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
    from derainbench.training.loop import train as run

    one_of(monitor, ("val", "test"), "--monitor")
    weights = run(
        model_name=model,
        model_kwargs=assignments(kwarg, "--kwarg"),
        data=data,
        recipe=load_recipe(config or recipe_of(model), assignments(override, "--set")),
        seed=seed,
        out=out,
        device=device,
        workers=workers,
        dataset=dataset,
        monitor=monitor,
    )
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
