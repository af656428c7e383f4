"""Verbs about models: what there is, what each is at full size, whether one keeps the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import Kwargs, Out, UsageError, assignments, notice
from derainbench.foundation.errors import BenchError

app = typer.Typer()


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Show one model's card.")] = None,
    size: Annotated[
        int | None, typer.Option(help="Count at this image side, pixels; default: 256.", min=16)
    ] = None,
    out: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Every model: parameters, MACs, origin, licences, weights; one by name: its card."""
    if out:
        notice("models --out", "structure --out")
        structure(out, size or 256, name)
    elif name and size is None:
        from derainbench.catalog.model_cards import model_card
        from derainbench.report.model_description import describe

        typer.echo("\n".join(describe(model_card(name))))
    elif name:
        from derainbench.catalog.model_cards import model_card
        from derainbench.energy.model_structure import amounts
        from derainbench.report.model_description import describe

        typer.echo("\n".join(describe(model_card(name), amounts(name, size or 256))))
    else:
        from derainbench.energy.model_structure import overview

        typer.echo(overview(size or 256))


@app.command()
def structure(
    out: Out,
    size: Annotated[int, typer.Option(help="Image side, pixels.", min=16)] = 256,
    name: Annotated[str | None, typer.Option("--model", help="Of this model only.")] = None,
) -> None:
    """Counts what every model is at full size: models.csv, layers.csv, others.csv, and more."""
    from derainbench.energy.model_structure import write_structure

    for model, layers in write_structure(out, size, name).items():
        typer.echo(
            f"derainbench: not seen: {model}: the input of {', '.join(layers)} is zero in every "
            "probing, so spikes cannot be told from values",
            err=True,
        )


@app.command()
def validate(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL", help="Models; default: all.")
    ] = None,
    kwarg: Kwargs = None,
    size: Annotated[
        int, typer.Option(help="Image side, pixels; rounded up to what a model takes.", min=16)
    ] = 32,
) -> None:
    """Checks that models keep the rules that every model keeps; exit code 1 if one does not."""
    from derainbench.catalog.model_cards import known_model, model_names
    from derainbench.energy.conformance.validation import FAILS, markdown
    from derainbench.energy.conformance.validation import validate as run

    kwargs = assignments(kwarg, "--kwarg")
    chosen = [known_model(name) for name in names or model_names()]
    if kwargs and len(chosen) > 1:
        raise UsageError("--kwarg goes with one model")
    failed = []
    for name in chosen:
        results = run(name, kwargs, size)
        typer.echo(f"{name}\n\n{markdown(results)}\n")
        if broken := [result.check for result in results if result.result == FAILS]:
            failed.append(f"{name}: {', '.join(broken)}")
    if failed:
        raise BenchError(f"rules broken: {'; '.join(failed)}")
