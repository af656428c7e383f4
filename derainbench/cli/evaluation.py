"""Verbs that restore images and score what was restored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from derainbench.evaluation.restoration import Restorer

app = typer.Typer()


@app.command()
def derain(
    images: Annotated[list[Path], typer.Argument(help="Rainy images.")],
    weights: Weights,
    out: Out,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Model name; default: the one that the weights name."),
    ] = None,
    kwarg: Kwargs = None,
    inference: Inference = None,
    quantise: Quantise = None,
    device: Device = "auto",
) -> None:
    """Restores images, as PNG files of the same name."""
    from derainbench.evaluation.restoration import derain as run

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
    from derainbench.evaluation.full_reference import evaluate as run
    from derainbench.evaluation.full_reference import summarise, summary_line

    table = run(_restorer(model, weights, kwarg, inference, quantise, device), data, out, dataset)
    for protocol, means in summarise(table).items():
        typer.echo(summary_line(protocol, means))


@app.command()
def score(
    restored: Annotated[Path, typer.Option(help="Folder of restored images.")],
    target: Annotated[Path, typer.Option(help="Folder of clean images of the same names.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")],
) -> None:
    """Scores images that anyone made, under every protocol."""
    from derainbench.evaluation.full_reference import score_folders, summarise, summary_line

    for protocol, means in summarise(score_folders(restored, target, out)).items():
        typer.echo(summary_line(protocol, means))


@app.command("no-reference")
def no_reference(
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    out: Annotated[Path, typer.Option(help="CSV file to write.")],
    metric_files: MetricFiles = None,
) -> None:
    """Scores images without ground truth: NIQE, BRISQUE, PIQE; lower is better."""
    from derainbench.evaluation.no_reference import means
    from derainbench.evaluation.no_reference import rate as run
    from derainbench.metrics.no_reference import METRICS

    found = means(run(images, out, metric_files))
    for metric in METRICS:
        score, reason = found[metric.name]
        typer.echo(f"{metric.title}: " + (f"not measured: {reason}" if reason else f"{score:.4f}"))


def _restorer(
    model: str | None,
    weights: Path,
    kwarg: list[str] | None,
    inference: str | None,
    quantise: str | None,
    device: str,
) -> Restorer:
    from derainbench.evaluation.inference import MODES, QUANTISE
    from derainbench.evaluation.restoration import Restorer
    from derainbench.models.weights import model_named_by

    one_of(inference, MODES, "--inference")
    one_of(quantise, QUANTISE, "--quantise")
    return Restorer(
        model or model_named_by(weights),
        weights,
        kwargs=assignments(kwarg, "--kwarg"),
        mode=inference,
        quantise=quantise,
        device=device,
    )
