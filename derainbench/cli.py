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
data_app = typer.Typer(
    help="Data sets: fetch, add, verify, generate, audit for leaks.", no_args_is_help=True
)
weights_app = typer.Typer(help="Official weights: list, fetch.", no_args_is_help=True)
config_app = typer.Typer(help="Benchmark configurations.", no_args_is_help=True)
app.add_typer(data_app, name="data")
metrics_app = typer.Typer(help="Parameter files of no-reference metrics.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")
app.add_typer(config_app, name="config")
app.add_typer(metrics_app, name="metrics")

ModelName = Annotated[str, typer.Option("--model", help="Model name; see `derainbench models`.")]
Weights = Annotated[Path, typer.Option("--weights", help="Weight file (.safetensors, .pth).")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write to.")]
Data = Annotated[Path, typer.Option("--data", help="Split folder with input/ and target/.")]
DatasetFile = Annotated[
    Path | None,
    typer.Option("--dataset", help="dataset.json of `data verify`, for the provenance record."),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
SetName = Annotated[str, typer.Argument(metavar="NAME", help="Set; see `derainbench data list`.")]
Root = Annotated[Path, typer.Option("--root", help="Data root: sets lie in ROOT/NAME.")]
Splits = Annotated[list[str] | None, typer.Option("--split", help="Only this split; repeatable.")]
Subset = Annotated[bool, typer.Option("--subset", help="Fewer images than the set has are fine.")]
Kwargs = Annotated[
    list[str] | None,
    typer.Option("--kwarg", metavar="KEY=VALUE", help="Constructor argument, YAML; repeatable."),
]
Inference = Annotated[
    str | None,
    typer.Option("--inference", help="tiled or whole; default: as the official code does."),
]
AcceptNew = Annotated[
    bool, typer.Option("--accept-new", help="Take files that differ from those first seen.")
]
Attempts = Annotated[int, typer.Option(help="Tries per file.", min=1)]
SilentFor = Annotated[float, typer.Option(help="Seconds until a silent server is left.")]
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


@data_app.command("list")
def data_list(
    name: Annotated[str | None, typer.Argument(help="Show one set in full.")] = None,
) -> None:
    """The known data sets, and the rain that can be generated."""
    from derainbench.data.listing import describe, overview

    typer.echo(describe(name) if name else overview())


@data_app.command("fetch")
def data_fetch(
    name: SetName,
    root: Root = Path("data"),
    split: Splits = None,
    accept_new: AcceptNew = False,
    attempts: Attempts = 5,
    timeout: SilentFor = 60,
) -> None:
    """Downloads a set, verifies it and lays it out as ROOT/NAME/SPLIT/{input,target}."""
    from derainbench.data.acquire import fetch

    patience = _patience(attempts, timeout)
    _echo_status(fetch(_wanted(name, root, split), patience=patience, accept_new=accept_new))


def _patience(attempts: int, timeout: float):
    from derainbench.data.download import Patience

    return Patience(attempts=attempts, connect=min(15, timeout), read=timeout)


@data_app.command("add")
def data_add(
    name: SetName,
    sources: Annotated[list[Path], typer.Argument(help="Archives or folders, as downloaded.")],
    root: Root = Path("data"),
    split: Splits = None,
    assume: Annotated[
        str | None,
        typer.Option("--assume-split", help="Split of files whose folders do not say which."),
    ] = None,
    subset: Subset = False,
    accept: Annotated[
        bool,
        typer.Option("--accept-deviations", help="Take another version, marked as deviating."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be paired; write nothing.")
    ] = False,
) -> None:
    """Takes over a set that a person downloaded: recognises its layout, verifies it."""
    from derainbench.data.acquire import add, planned
    from derainbench.data.catalogue import SPLITS
    from derainbench.data.listing import describe_plan

    one_of(assume, SPLITS, "--assume-split")
    wanted = _wanted(name, root, split, subset=subset, accept=accept)
    if dry_run:
        with planned(wanted, sources, assume=assume) as plan:
            typer.echo(describe_plan(plan, wanted.entry))
        return
    _echo_status(add(wanted, sources, assume=assume))


@data_app.command("verify")
def data_verify(
    name: Annotated[
        str, typer.Argument(help="Set of the catalogue, or a set's or split's folder.")
    ],
    root: Root = Path("data"),
    data_as: Annotated[
        str | None, typer.Option("--as", help="Hold a folder against this set of the catalogue.")
    ] = None,
    subset: Subset = False,
    split: Splits = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for dataset.json and images.csv.")
    ] = None,
) -> None:
    """Says whether a set is the real thing; exit code 1 if it is not."""
    from derainbench.data import catalogue
    from derainbench.data.verify import MEANING, checks_table, verify

    is_folder = Path(name).is_dir()
    entry = catalogue.entry(data_as or name) if data_as or not is_folder else None
    folder = Path(name) if is_folder else root / entry.name
    found = verify(folder, entry, subset=subset, splits=split or (), out=out)
    typer.echo(checks_table(found).to_markdown(index=False))
    typer.echo(f"\n{found['name']}: {found['status']}: {MEANING[found['status']]}")
    if found["status"] == "deviates":
        raise typer.Exit(1)


@data_app.command("card")
def data_card(
    folder: Annotated[Path, typer.Argument(help="Folder of the set.")],
    facts: Annotated[Path, typer.Option(help="Folder that `data verify --out` wrote.")],
) -> None:
    """Draws a verified set's contact sheet and histograms beside its dataset.json."""
    from derainbench.report.cards import write_card

    write_card(folder, facts)


@data_app.command("leaks")
def data_leaks(
    folders: Annotated[list[Path], typer.Argument(help="Folders of sets.")],
    out: Out,
    facts: Annotated[
        list[Path] | None,
        typer.Option(help="Folder that `data verify --out` wrote, one per set, in their order."),
    ] = None,
) -> None:
    """Looks for backgrounds that training and test images share, within and across sets."""
    from derainbench.report.leaks import audit_folders

    if facts and len(facts) != len(folders):
        raise typer.BadParameter(f"{len(folders)} sets but {len(facts)} --facts")
    for line in audit_folders(folders, facts, out):
        typer.echo(line)


@data_app.command("recomposite")
def data_recomposite(
    layers: Annotated[Path, typer.Option(help="Paired split that gives the rain.")],
    clean: Annotated[list[Path], typer.Option(help="Folder of clean photographs; repeatable.")],
    out: Out,
    count: Annotated[
        int | None, typer.Option(help="Pairs; default: one per photograph.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 2024,
) -> None:
    """Puts the rain of real pairs on other photographs; such pairs are never official."""
    from derainbench.data.recomposite import recomposite

    recomposite(layers, clean, out, count=count, seed=seed)


def _wanted(name, root, split, **options):
    from derainbench.data import catalogue
    from derainbench.data.acquire import Wanted

    entry = catalogue.entry(name)
    for one in split or ():
        one_of(one, tuple(entry.splits), "--split")
    return Wanted(entry, root, tuple(split or ()), **options)


def _echo_status(found: dict[str, Any]) -> None:
    from derainbench.data.verify import MEANING

    counts = ", ".join(f"{s['images']} {name}" for name, s in found["splits"].items())
    typer.echo(f"{found['name']}: {counts}; {found['status']}: {MEANING[found['status']]}")


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


WeightsRoot = Annotated[Path, typer.Option("--root", help="Weights root: ROOT/FOLDER/FILE.")]


@weights_app.command("list")
def weights_list(
    model: Annotated[str | None, typer.Argument(help="Of one model only.")] = None,
    root: WeightsRoot = Path("weights"),
) -> None:
    """The known weight files, and which of them are there."""
    from derainbench.weights import overview

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
    from derainbench.weights import fetch

    for line in fetch(
        model, root, dataset=dataset, patience=_patience(attempts, timeout), accept_new=accept_new
    ):
        typer.echo(line)


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


MetricFiles = Annotated[
    Path | None,
    typer.Option("--metric-files", help="Folder with parameter files of NIQE and BRISQUE."),
]


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


@metrics_app.command("fetch")
def metrics_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="niqe, brisque; default: all.")] = None,
    root: Annotated[Path, typer.Option("--root", help="Folder for the files.")] = Path("metrics"),
    attempts: Annotated[int, typer.Option(help="Tries per file.", min=1)] = 5,
    timeout: Annotated[float, typer.Option(help="Seconds until a silent server is left.")] = 60,
) -> None:
    """Downloads the parameter files of no-reference metrics; give ROOT as --metric-files."""
    from derainbench.data.download import Patience
    from derainbench.evaluation.metricfiles import FILES, fetch

    for name in names or ():
        one_of(name, tuple(FILES), "NAMES")
    patience = Patience(attempts=attempts, connect=min(15, timeout), read=timeout)
    for path in fetch(names or list(FILES), root, patience):
        typer.echo(path)


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


ResolvedConfig = Annotated[Path, typer.Option("--config", help="Benchmark configuration.")]


@app.command()
def scenarios(config: ResolvedConfig, out: Out) -> None:
    """Energies, savings and break-even firing rates under every scenario, from the accounts."""
    from derainbench.audit.energy import write
    from derainbench.config import load

    write(load(config), out)


@app.command()
def audit(
    config: ResolvedConfig,
    out: Out,
    paper: Annotated[
        list[str] | None, typer.Option("--paper", help="Ledger; repeatable; default: all.")
    ] = None,
) -> None:
    """A verdict on every claim of a paper: claims.csv, claims.json."""
    from derainbench.audit.verdicts import write
    from derainbench.config import load

    found = write(load(config), out, paper)
    shown = found[["claim", "reading", "verdict", "reason"]]
    typer.echo(shown.to_markdown(index=False, disable_numparse=True))


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


@app.command("energy-figures")
def energy_figures(config: ResolvedConfig, out: Out) -> None:
    """Energy by block, firing rates by depth, saving by firing rate and by scenario."""
    from derainbench.config import load
    from derainbench.report.energy import write_figures

    write_figures(load(config), out)


@app.command("spike-figures")
def spike_figures(config: ResolvedConfig, out: Out) -> None:
    """The paper's Fig. 2 and spike rates by depth, from the files of `spikes`."""
    from derainbench.config import load
    from derainbench.report.spikes import write_figures

    write_figures(load(config), out)


@app.command()
def paper(config: ResolvedConfig, out: Out) -> None:
    """The paper's tables 1-5 and figures 1-5, published beside reproduced; says what is missing."""
    from derainbench.config import load
    from derainbench.report.paper import write

    for name, reason in write(load(config), out).items():
        typer.echo(f"{name}: missing: {reason}")


ToleranceFile = Annotated[
    Path | None, typer.Option("--tolerances", help="YAML file; default: the catalogue's.")
]


@app.command()
def check(
    reference: Annotated[Path, typer.Argument(help="Folder of results to compare with.")],
    results: Annotated[Path, typer.Argument(help="Folder of results.")],
    tolerances: ToleranceFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="No wider tolerances for weights trained anew.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Markdown file to write as well.")
    ] = None,
) -> None:
    """Compares results with a reference and names each drift; exit code 1 if there is one."""
    from derainbench.audit import drift
    from derainbench.audit.tolerances import load
    from derainbench.files import write_text

    comparison = drift.compare(reference, results, load(tolerances), strict=strict)
    if out:
        write_text(out, drift.markdown(comparison))
    for line in filter(None, (*comparison.all_drifts(), comparison.note(), comparison.summary())):
        typer.echo(line)
    if comparison.all_drifts():
        raise typer.Exit(1)


@app.command()
def report(
    out: Out,
    config: Annotated[
        Path | None, typer.Option("--config", help="Benchmark configuration.")
    ] = None,
    diff: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--diff", metavar="A B", help="Two folders of results, side by side."),
    ] = None,
    tolerances: ToleranceFile = None,
) -> None:
    """index.html, from tables, figures and provenance records; or diff.html, of two folders."""
    if (config is None) == (diff is None):
        raise UsageError("give either --config or --diff A B")
    if diff:
        from derainbench.audit.tolerances import load as load_tolerances
        from derainbench.report.diff import write_diff

        typer.echo(write_diff(*diff, load_tolerances(tolerances), out))
        return
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
