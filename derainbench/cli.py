"""The command line: one verb per stage. Heavy imports happen inside the verbs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from derainbench import __version__
from derainbench.errors import BenchError

# Typer carries its own copy of click; this is the base of all its usage errors.
UsageError = typer.BadParameter.__base__

app = typer.Typer(
    help="Reproducibility benchmark of ESDNet (IJCAI 2024) and ANN derainers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="Data sets: generate and check.", no_args_is_help=True)
config_app = typer.Typer(help="Benchmark configurations.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(config_app, name="config")

ModelName = Annotated[str, typer.Option("--model", help="Model name; see `derainbench models`.")]
Weights = Annotated[Path, typer.Option("--weights", help="Weight file (.safetensors, .pth).")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write to.")]
Data = Annotated[Path, typer.Option("--data", help="Split folder with input/ and target/.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Kwargs = Annotated[
    list[str] | None,
    typer.Option("--kwarg", metavar="KEY=VALUE", help="Constructor argument, YAML; repeatable."),
]
Inference = Annotated[
    str | None,
    typer.Option("--inference", help="tiled or whole; default: as the official code does."),
]
Quantise = Annotated[
    str | None,
    typer.Option("--quantise", help="round or truncate to 8 bits; default: as the official code."),
]


def assignments(items: list[str] | None, option: str) -> dict[str, Any]:
    """``["dim=16"]`` -> ``{"dim": 16}``; values are YAML."""
    result = {}
    for item in items or []:
        key, separator, value = item.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"'{item}' is not KEY=VALUE", param_hint=option)
        try:
            result[key] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise typer.BadParameter(f"'{item}': not YAML", param_hint=option) from error
    return result


def one_of(value: str | None, choices: tuple[str, ...], option: str) -> None:
    """Refuses a value outside ``choices``, as a usage error."""
    if value is not None and value not in choices:
        raise typer.BadParameter(f"'{value}' is not one of {', '.join(choices)}", param_hint=option)


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Show one model only.")] = None,
    size: Annotated[int, typer.Option(help="Image side for MACs, pixels.", min=16)] = 256,
    out: Annotated[Path | None, typer.Option(help="Write CSV instead.")] = None,
) -> None:
    """Names, parameters, MACs at a size, source, licence of weights."""
    from derainbench.report.structure import model_table

    table = model_table([name] if name else None, size)
    if out:
        from derainbench.files import write_text

        write_text(out, table.to_csv(index=False))
    else:
        typer.echo(table.to_markdown(index=False, floatfmt=".2f"))


@data_app.command("list")
def data_list() -> None:
    """What can be generated."""
    from derainbench.data.rain import presets

    for name, settings in presets().items():
        typer.echo(f"{name}: synthetic rain after {settings.reference['dataset']}")


@data_app.command("synthesise")
def data_synthesise(
    rain: Annotated[str, typer.Argument(help="light or heavy.")],
    out: Out,
    size: Annotated[int, typer.Option(help="Side of the images, pixels.", min=32)] = 256,
    train: Annotated[int, typer.Option(min=1)] = 24,
    val: Annotated[int, typer.Option(min=1)] = 4,
    test: Annotated[int, typer.Option(min=1)] = 6,
    seed: Annotated[int, typer.Option(min=0)] = 2024,
) -> None:
    """Generates a paired set: synthetic rain over photographs bundled with scikit-image."""
    from derainbench.data.synthesise import SynthesisPlan, synthesise

    synthesise(SynthesisPlan(rain, size, train, val, test, seed), out)


@data_app.command("check")
def data_check(
    folder: Annotated[Path, typer.Argument(help="Set folder with splits, or one split.")],
    out: Annotated[Path | None, typer.Option(help="Write what was found as JSON.")] = None,
) -> None:
    """Checks that every image is readable, paired and of its partner's size."""
    from derainbench.data.check import check_set

    for split, facts in check_set(folder, out)["splits"].items():
        kind = "pairs" if facts["paired"] else "images without ground truth"
        typer.echo(f"{split}: {facts['images']} {kind}, sha256 {facts['digest']}")


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
) -> None:
    """Trains a model; goes on by itself where an earlier, stopped call with equal settings was."""
    from derainbench.training.loop import train as run
    from derainbench.training.recipe import load_recipe

    weights = run(
        model_name=model,
        model_kwargs=assignments(kwarg, "--kwarg"),
        data=data,
        recipe=load_recipe(config, assignments(override, "--set")),
        seed=seed,
        out=out,
        device=device,
        workers=workers,
    )
    typer.echo(weights)


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
) -> None:
    """Restores and scores a split: images/, per_image.csv (every protocol), summary.json."""
    from derainbench.evaluation.evaluate import evaluate as run
    from derainbench.evaluation.evaluate import summarise

    table = run(_restorer(model, weights, kwarg, inference, quantise, device), data, out)
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
def energy(
    model: ModelName,
    weights: Weights,
    data: Data,
    out: Out,
    kwarg: Kwargs = None,
    size: Annotated[int, typer.Option(help="Side of the central crops, pixels.", min=16)] = 256,
    images: Annotated[int, typer.Option(help="Number of images.", min=1)] = 8,
    device: Device = "auto",
) -> None:
    """Counts operations and prices them: layers.csv, energy.json."""
    from derainbench.energy.account import measure

    result = measure(
        model_name=model,
        weights=weights,
        split_folder=data,
        out=out,
        kwargs=assignments(kwarg, "--kwarg"),
        size=size,
        images=images,
        device=device,
    )
    typer.echo(json.dumps(result["mean"], indent=1))


ResolvedConfig = Annotated[Path, typer.Option("--config", help="Benchmark configuration.")]


@app.command()
def tables(config: ResolvedConfig, out: Out) -> None:
    """The quality and complexity tables as CSV, Markdown and LaTeX, from score and count files."""
    from derainbench.config import load
    from derainbench.report.tables import write_tables

    write_tables(load(config), out)


@app.command()
def figures(config: ResolvedConfig, out: Out) -> None:
    """The Pareto figure and the image strip, from score and count files."""
    from derainbench.config import load
    from derainbench.report.figures import write_figures

    write_figures(load(config), out)


@app.command()
def report(config: ResolvedConfig, out: Out) -> None:
    """report/index.html, from tables, figures and provenance records."""
    from derainbench.config import load
    from derainbench.report.page import write_page

    typer.echo(write_page(load(config), out))


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="YAML or JSON file.")]) -> None:
    """Checks a configuration, its models, recipes, folders and weight files."""
    from derainbench.config import check_files, check_models, load

    config = load(file)
    check_files(config)
    check_models(config)
    typer.echo(f"{file}: fine, {sum(1 for _ in config.evaluations())} evaluations")


@config_app.command("schema")
def config_schema() -> None:
    """Prints the JSON schema of a configuration."""
    from derainbench.config import Config

    typer.echo(json.dumps(Config.model_json_schema(), indent=1))


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Reproducibility benchmark of ESDNet (IJCAI 2024) and ANN derainers."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Entry point: wrong input ends in one line; exit code 2 for usage, 1 for failure."""
    try:
        status = app(standalone_mode=False)
        sys.exit(status or 0)
    except UsageError as error:
        text = error.format_message()
        is_help = text.startswith("Usage:")  # a command group called without a command
        print(text if is_help else f"derainbench: usage: {text}", file=sys.stderr)
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except BenchError as error:
        print(f"derainbench: error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"derainbench: error: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
