"""Verbs that restore images and score what was restored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from derainbench.cli.options import (
    Data,
    DatasetFile,
    Device,
    Inference,
    Kwargs,
    LayersOption,
    MetricFiles,
    ModelName,
    Out,
    OutFile,
    Quantise,
    Weights,
    assignments,
    one_of,
)

if TYPE_CHECKING:
    import pandas as pd

    from derainbench.evaluation.restoration import Restorer

app = typer.Typer()


@app.command()
def derain(
    images: Annotated[
        list[Path],
        typer.Argument(help="Rainy images: files, folders, or patterns such as 'x/*.jpg'."),
    ],
    out: Out,
    weights: Annotated[
        str | None,
        typer.Option(
            "--weights",
            metavar="FILE|RUN|MODEL/DATASET",
            help="Weight file, run of results/, or official weights; default: of results/smoke.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", help="Model name; default: the one that the weights name."),
    ] = None,
    kwarg: Kwargs = None,
    inference: Inference = None,
    tile: Annotated[
        int | None, typer.Option(help="Side of tiles, pixels; implies tiles.", min=16)
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(help="Overlap of tiles, pixels; implies tiles.", min=0)
    ] = None,
    quantise: Quantise = None,
    layers: LayersOption = "exact",
    device: Device = "auto",
    recursive: Annotated[
        bool, typer.Option("--recursive", help="Images in folders below a folder as well.")
    ] = False,
    format_: Annotated[
        str | None,
        typer.Option("--format", help="png, jpg, webp, tif or bmp; default: as each image."),
    ] = None,
    compare: Annotated[
        bool,
        typer.Option("--compare", help="Also write compared/: before and after, side by side."),
    ] = False,
) -> None:
    """Restores images; a bad one does not lose the others (then exit code 1)."""
    from derainbench.evaluation.batch import FORMATS, photographs
    from derainbench.evaluation.batch import derain as run
    from derainbench.evaluation.named_weights import find_weights

    suffix = f".{format_.lower().removeprefix('.')}" if format_ else None
    one_of(suffix, tuple(FORMATS), "--format")
    found = photographs(images, recursive=recursive)
    named = find_weights(weights, model)
    if weights is None:
        typer.echo(f"weights: {named.file}, trained in minutes, to try things out", err=True)
    arguments = assignments(kwarg, "--kwarg") or dict(named.kwargs)
    restorer = _restorer(
        named.model, named.file, arguments, inference, quantise, layers, device, tile, overlap
    )
    outcome = run(found, restorer, out, suffix=suffix, compare=compare)
    for path in outcome.restored:
        typer.echo(path)
    for reason in outcome.refused:
        typer.echo(f"derainbench: error: {reason}", err=True)
    if outcome.refused:
        raise typer.Exit(1)


@app.command()
def evaluate(
    model: ModelName,
    weights: Weights,
    data: Data,
    out: Out,
    kwarg: Kwargs = None,
    inference: Inference = None,
    quantise: Quantise = None,
    layers: LayersOption = "exact",
    device: Device = "auto",
    dataset: DatasetFile = None,
) -> None:
    """Restores and scores a split: images/, per_image.csv (every protocol), summary.json."""
    from derainbench.evaluation.full_reference import evaluate as run

    arguments = assignments(kwarg, "--kwarg")
    restorer = _restorer(model, weights, arguments, inference, quantise, layers, device)
    _echo_means(run(restorer, data, out, dataset))


@app.command()
def score(
    restored: Annotated[Path, typer.Option(help="Folder of restored images.")],
    target: Annotated[Path, typer.Option(help="Folder of clean images of the same names.")],
    out: OutFile,
) -> None:
    """Scores images that anyone made, under every protocol."""
    from derainbench.evaluation.full_reference import score_folders

    _echo_means(score_folders(restored, target, out))


@app.command("evaluate-images")
def evaluate_images(
    restored: Annotated[Path, typer.Option(help="Folder of images that others restored.")],
    data: Data,
    out: Out,
    dataset: DatasetFile = None,
) -> None:
    """Scores images that others restored of a split as `evaluate` does, into the same files."""
    from derainbench.evaluation.full_reference import evaluate_images as run

    _echo_means(run(restored, data, out, dataset))


@app.command("no-reference")
def no_reference(
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    out: OutFile,
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


def _echo_means(table: pd.DataFrame) -> None:
    from derainbench.evaluation.full_reference import summarise, summary_line

    for protocol, means in summarise(table).items():
        typer.echo(summary_line(protocol, means))


def _restorer(
    model: str,
    weights: Path,
    kwargs: dict[str, Any],
    inference: str | None,
    quantise: str | None,
    layers: str,
    device: str,
    tile: int | None = None,
    overlap: int | None = None,
) -> Restorer:
    from derainbench.evaluation.inference import MODES, QUANTISE
    from derainbench.evaluation.restoration import Restorer
    from derainbench.models.layers import LAYERS, Layers

    one_of(layers, LAYERS, "--layers")
    one_of(inference, MODES, "--inference")
    one_of(quantise, QUANTISE, "--quantise")
    return Restorer(
        model,
        weights,
        kwargs=kwargs,
        mode=inference,
        quantise=quantise,
        device=device,
        tile=tile,
        overlap=overlap,
        layers=cast("Layers", layers),
    )
