"""Verbs that count operations and spikes, and say what they cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import (
    Data,
    DatasetFile,
    Device,
    Kwargs,
    ModelName,
    Out,
    ResolvedConfig,
    UsageError,
    Weights,
    assignments,
)

app = typer.Typer()


@app.command()
def energy(
    model: ModelName,
    out: Out,
    weights: Annotated[
        Path | None, typer.Option(help="Weight file; without, the structure alone is counted.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Split folder with input/.")] = None,
    kwarg: Kwargs = None,
    size: Annotated[int, typer.Option(help="Side of the central crops, pixels.", min=16)] = 256,
    images: Annotated[int, typer.Option(help="Number of images.", min=1)] = 8,
    device: Device = "auto",
    dataset: DatasetFile = None,
) -> None:
    """Counts every operation of a model: layers.csv, others.csv, energy.json."""
    from derainbench.energy.account import measure

    if (weights is None) != (data is None):
        raise UsageError("--weights and --data go together; without both, the structure is counted")
    result = measure(
        model_name=model,
        weights=weights,
        split_folder=data,
        out=out,
        kwargs=assignments(kwarg, "--kwarg"),
        size=size,
        images=images,
        device=device,
        dataset=dataset,
    )
    typer.echo(json.dumps(result["mean"], indent=1))


@app.command()
def crosscheck(
    out: Out,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Model name; repeatable; default: four.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the image, pixels.", min=16)] = 256,
) -> None:
    """Our operation counts beside other counters': crosscheck.csv, crosscheck-layers.csv."""
    from derainbench.energy import crosscheck as checks

    typer.echo(checks.markdown(checks.write(out, model or checks.MODELS, size)))


@app.command()
def estimators(
    model: ModelName,
    weights: Weights,
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.")],
    kwarg: Kwargs = None,
    size: Annotated[int, typer.Option(help="Side of the central crops, pixels.", min=16)] = 64,
    images: Annotated[int, typer.Option(help="Number of images.", min=1)] = 2,
    device: Device = "auto",
    dataset: DatasetFile = None,
) -> None:
    """spikingjelly's energy estimators beside our account of the same images."""
    from derainbench.energy.estimators import markdown, measure

    table = measure(
        model_name=model,
        weights=weights,
        split_folder=data,
        out=out,
        kwargs=assignments(kwarg, "--kwarg"),
        size=size,
        images=images,
        device=device,
        dataset=dataset,
    )
    typer.echo(markdown(table))


@app.command()
def spikes(
    model: ModelName,
    weights: Weights,
    data: Data,
    out: Out,
    kwarg: Kwargs = None,
    size: Annotated[int, typer.Option(help="Side of the central crops, pixels.", min=16)] = 128,
    images: Annotated[
        int | None, typer.Option(help="Number of pairs; default: all.", min=1)
    ] = None,
    threshold: Annotated[
        float, typer.Option(help="Least change of a value in [0,1] that is rain.", min=0, max=1)
    ] = 0.1,
    device: Device = "auto",
    dataset: DatasetFile = None,
) -> None:
    """Compares spike rates at rain and clean pixels: spikes.csv, depth.csv, spikes.json."""
    from derainbench.energy.spikes import measure
    from derainbench.report.spikes import sentences

    result = measure(
        model_name=model,
        weights=weights,
        split_folder=data,
        out=out,
        kwargs=assignments(kwarg, "--kwarg"),
        size=size,
        images=images,
        device=device,
        dataset=dataset,
        threshold=threshold,
    )
    for line in sentences(result):
        typer.echo(line)


@app.command()
def joules(
    model: ModelName,
    weights: Weights,
    out: Annotated[Path, typer.Option("--out", help="JSON file to write.")],
    kwarg: Kwargs = None,
    size: Annotated[int, typer.Option(help="Side of the image, pixels.", min=16)] = 256,
    repetitions: Annotated[int, typer.Option(help="Measurements.", min=1)] = 5,
    device: Device = "auto",
) -> None:
    """Measures the energy that GPU (NVML) and CPU (RAPL) draw per image, above idle."""
    from derainbench.energy.joules import measure, sentences

    result = measure(
        model_name=model,
        weights=weights,
        out=out,
        kwargs=assignments(kwarg, "--kwarg"),
        size=size,
        repetitions=repetitions,
        device=device,
    )
    for line in sentences(result):
        typer.echo(line)


@app.command()
def scenarios(config: ResolvedConfig, out: Out) -> None:
    """Energies, savings and break-even firing rates under every scenario, from the accounts."""
    from derainbench.audit.energy import write
    from derainbench.config import load

    write(load(config), out)


@app.command()
def sensitivity(
    out: Annotated[Path, typer.Option("--out", help="CSV file to write.")],
) -> None:
    """How full-size ESDNet's break-even moves with T, image size and costs: a CSV table."""
    from derainbench.audit.energy import write_sensitivity

    write_sensitivity(out)
