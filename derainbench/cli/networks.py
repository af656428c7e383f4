"""Verbs that train networks, run them and score what they restore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import (
    Data,
    DatasetFile,
    Device,
    Inference,
    Kwargs,
    MetricFiles,
    ModelName,
    Out,
    Quantise,
    Weights,
    assignments,
    one_of,
)

app = typer.Typer()


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Show one model in full.")] = None,
    size: Annotated[int, typer.Option(help="Image side for MACs, pixels.", min=16)] = 256,
    out: Annotated[
        Path | None, typer.Option(help="Write this folder instead: every layer, operator, model.")
    ] = None,
) -> None:
    """Every model: parameters, MACs, origin, licences, weights; one by name: its fact card."""
    from derainbench.report import structure

    if out:
        structure.write(out, size, name)
    else:
        typer.echo(structure.describe(name, size) if name else structure.overview(size))


@app.command()
def train(
    model: ModelName,
    data: Annotated[Path, typer.Option(help="Set folder with train/ and maybe val/.")],
    out: Out,
    config: Annotated[
        str, typer.Option("--config", help="Recipe: a name of the catalogue or a YAML file.")
    ] = "esdnet",
    seed: Annotated[int, typer.Option(min=0)] = 1234,
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
    from derainbench.training.loop import train as run
    from derainbench.training.recipe import load_recipe

    one_of(monitor, ("val", "test"), "--monitor")
    weights = run(
        model_name=model,
        model_kwargs=assignments(kwarg, "--kwarg"),
        data=data,
        recipe=load_recipe(config, assignments(override, "--set")),
        seed=seed,
        out=out,
        device=device,
        workers=workers,
        dataset=dataset,
        monitor=monitor,
    )
    typer.echo(weights)


@app.command()
def derain(
    images: Annotated[list[Path], typer.Argument(help="Rainy images.")],
    weights: Weights,
    out: Out,
    model: ModelName = "esdnet",
    kwarg: Kwargs = None,
    inference: Inference = None,
    quantise: Quantise = None,
    device: Device = "auto",
) -> None:
    """Restores images, as PNG files of the same name."""
    from derainbench.evaluation.evaluate import derain as run

    for path in run(images, _restorer(model, weights, kwarg, inference, quantise, device), out):
        typer.echo(path)


@app.command()
def evaluate(
    model: ModelName,
    weights: Weights,
    data: Data,
    out: Out,
    kwarg: Kwargs = None,
    inference: Inference = None,
    quantise: Quantise = None,
    device: Device = "auto",
    dataset: DatasetFile = None,
) -> None:
    """Restores and scores a split: images/, per_image.csv (every protocol), summary.json."""
    from derainbench.evaluation.evaluate import evaluate as run
    from derainbench.evaluation.evaluate import summarise

    table = run(_restorer(model, weights, kwarg, inference, quantise, device), data, out, dataset)
    for protocol, means in summarise(table).items():
        typer.echo(
            f"{protocol}: {means['psnr']:.3f} dB, SSIM {means['ssim']:.4f} "
            f"(rainy input {means['psnr_input']:.3f} dB, {means['ssim_input']:.4f})"
        )


@app.command()
def score(
    restored: Annotated[Path, typer.Option(help="Folder of restored images.")],
    target: Annotated[Path, typer.Option(help="Folder of clean images of the same names.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")],
) -> None:
    """Scores images that anyone made, under every protocol."""
    from derainbench.evaluation.evaluate import score_folders, summarise

    for protocol, means in summarise(score_folders(restored, target, out)).items():
        typer.echo(f"{protocol}: {means['psnr']:.3f} dB, SSIM {means['ssim']:.4f}")


@app.command()
def rate(
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")],
    metric_files: MetricFiles = None,
) -> None:
    """Scores images without ground truth: NIQE, BRISQUE, PIQE; lower is better."""
    from derainbench.evaluation.noreference import METRICS, means
    from derainbench.evaluation.noreference import rate as run

    found = means(run(images, out, metric_files))
    for metric in METRICS:
        score, reason = found[metric.name]
        typer.echo(f"{metric.title}: " + (f"not measured: {reason}" if reason else f"{score:.4f}"))


def _restorer(model, weights, kwarg, inference, quantise, device):
    from derainbench.evaluation.evaluate import Restorer
    from derainbench.evaluation.inference import MODES, QUANTISE

    one_of(inference, MODES, "--inference")
    one_of(quantise, QUANTISE, "--quantise")
    return Restorer(
        model,
        weights,
        kwargs=assignments(kwarg, "--kwarg"),
        mode=inference,
        quantise=quantise,
        device=device,
    )
