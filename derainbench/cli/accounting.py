"""Verbs that count operations and spikes, and say what they cost."""

from __future__ import annotations

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
    OutFile,
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
    """Counts every operation of a model: layers.csv, others.csv, energy.json, neurobench.json."""
    from derainbench.energy.measurement import measure
    from derainbench.foundation.files import json_text

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
    for sentence in result.get("not_seen", []):
        typer.echo(f"derainbench: not seen: {sentence}", err=True)
    typer.echo(json_text(result["mean"], indent=1))


@app.command()
def crosscheck(
    out: Out,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Model name; repeatable; default: the papers' networks."),
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the image, pixels.", min=16)] = 256,
) -> None:
    """Our operation counts beside other counters': crosscheck.csv, crosscheck-layers.csv."""
    from derainbench.energy.crosscheck import comparison as checks

    typer.echo(
        checks.markdown(checks.write_crosscheck(out, model or checks.default_models(), size))
    )


@app.command()
def estimators(
    model: ModelName,
    weights: Weights,
    data: Data,
    out: OutFile,
    kwarg: Kwargs = None,
    size: Annotated[int, typer.Option(help="Side of the central crops, pixels.", min=16)] = 64,
    images: Annotated[int, typer.Option(help="Number of images.", min=1)] = 2,
    device: Device = "auto",
    dataset: DatasetFile = None,
) -> None:
    """spikingjelly's energy estimators beside our account of the same images."""
    from derainbench.energy.estimators.measurement import markdown, measure

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
    """Compares firing rates at rain and clean pixels: spikes.csv, depth.csv, spikes.json."""
    from derainbench.energy.spikes.measurement import measure
    from derainbench.energy.spikes.wording import spike_sentences

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
    for line in spike_sentences(result):
        typer.echo(line)


@app.command()
def joules(
    model: ModelName,
    weights: Weights,
    out: OutFile,
    kwarg: Kwargs = None,
    size: Annotated[int, typer.Option(help="Side of the image, pixels.", min=16)] = 256,
    repetitions: Annotated[int, typer.Option(help="Measurements.", min=1)] = 5,
    device: Device = "auto",
) -> None:
    """Measures the energy that GPU (NVML) and CPU (RAPL) draw per image, above idle."""
    from derainbench.energy.hardware.joules import joule_sentences, measure

    result = measure(
        model_name=model,
        weights=weights,
        out=out,
        kwargs=assignments(kwarg, "--kwarg"),
        size=size,
        repetitions=repetitions,
        device=device,
    )
    for line in joule_sentences(result):
        typer.echo(line)


@app.command()
def scenarios(config: ResolvedConfig, out: Out) -> None:
    """Energies, savings and break-even firing rates under every scenario, from the accounts."""
    from derainbench.config.schema import load
    from derainbench.energy.comparison import write_comparison

    write_comparison(load(config), out)


@app.command()
def sensitivity(
    out: OutFile,
    paper: Annotated[
        list[str] | None, typer.Option("--paper", help="Of this paper; repeatable; default: all.")
    ] = None,
) -> None:
    """How a full-size network's break-even moves with T, image size, costs, caches: a CSV table."""
    from derainbench.catalog.papers import paper_names, read_paper
    from derainbench.energy.sensitivity import write_sensitivity

    write_sensitivity([read_paper(name) for name in paper or paper_names()], out)
