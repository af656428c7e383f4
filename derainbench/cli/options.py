"""Options that several verbs take, and how their values are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from derainbench.foundation.documents import Unreadable, parse_yaml, shown
from derainbench.foundation.seeds import MAX_SEED

if TYPE_CHECKING:
    from derainbench.data.acquisition.download import Patience

# Typer carries its own copy of click; this is the base of all its usage errors.
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__base__)

ModelName = Annotated[str, typer.Option("--model", help="Model name; see `derainbench models`.")]
Weights = Annotated[Path, typer.Option("--weights", help="Weight file (.safetensors, .pth).")]
FOLDER, FILE = "FOLDER", "FILE"
Out = Annotated[Path, typer.Option("--out", metavar=FOLDER, help="Folder to write to.")]
OutFile = Annotated[Path, typer.Option("--out", metavar=FILE, help="File to write.")]
Data = Annotated[Path, typer.Option("--data", help="Split folder with input/ and target/.")]
DatasetFile = Annotated[
    Path | None,
    typer.Option("--dataset", help="dataset.json of `data verify`, for the provenance record."),
]
Seed = Annotated[int, typer.Option(min=0, max=MAX_SEED)]
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
LayersOption = Annotated[
    str,
    typer.Option("--layers", help="reference, exact or fast: see docs/speed.md."),
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
MetricFiles = Annotated[
    Path | None,
    typer.Option("--metric-files", help="Folder with parameter files of NIQE and BRISQUE."),
]
WeightsRoot = Annotated[Path, typer.Option("--root", help="Weights root: ROOT/FOLDER/FILE.")]
ResolvedConfig = Annotated[Path, typer.Option("--config", help="Benchmark configuration.")]
ToleranceFile = Annotated[
    Path | None, typer.Option("--tolerances", help="YAML file; default: the catalogue's.")
]


def assignments(items: list[str] | None, option: str) -> dict[str, Any]:
    """``["dim=16"]`` -> ``{"dim": 16}``; values are YAML."""
    result = {}
    for item in items or []:
        key, separator, value = item.partition("=")
        if not separator or not key:
            raise typer.BadParameter(f"'{item}' is not KEY=VALUE", param_hint=option)
        try:
            result[key] = parse_yaml(value)
        except Unreadable as error:
            text = shown(item)
            raise typer.BadParameter(f"{text}: not YAML ({error})", param_hint=option) from error
    return result


def one_of(value: str | None, choices: tuple[str, ...], option: str) -> None:
    """Refuses a value outside ``choices``, as a usage error."""
    if value is not None and value not in choices:
        raise typer.BadParameter(f"'{value}' is not one of {', '.join(choices)}", param_hint=option)


def patience_of(attempts: int, timeout: float) -> Patience:
    from derainbench.data.acquisition.download import Patience

    return Patience(attempts=attempts, connect=min(15, timeout), read=timeout)


def notice(old: str, new: str) -> None:
    """Says on standard error that a verb has a new spelling."""
    typer.echo(f"derainbench: `{old}` is called `{new}` now", err=True)
