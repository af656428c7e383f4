"""Verbs that try a configuration before its days of work, and say what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
BenchmarkConfig = Annotated[Path, typer.Option("--config", help="Benchmark configuration.")]


@app.command()
def rehearse(
    config: BenchmarkConfig,
    memory: Annotated[
        float | None,
        typer.Option(help="GB that all jobs may take; default: half of this machine's.", min=1),
    ] = None,
    batch: Annotated[
        int | None, typer.Option(help="Most crops per training step; default: the recipe's.", min=1)
    ] = None,
    seeds: Annotated[int, typer.Option(help="Most seeds of a run.", min=1)] = 1,
    cores: Annotated[int | None, typer.Option(help="CPU cores; default: all.", min=1)] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Derive the configuration; run nothing.")
    ] = False,
) -> None:
    """Runs a configuration's whole workflow at full size but for the amount: docs/rehearsal.md."""
    from derainbench.config.schema import load
    from derainbench.rehearsal.running import (
        limits_of,
        measured,
        run_workflow,
        write_configuration,
    )

    limits = limits_of(memory, batch, seeds, cores)
    rehearsed = load(config)
    rehearsal, file = write_configuration(rehearsed, limits)
    typer.echo(f"{file}: the configuration of the rehearsal")
    if dry_run:
        return
    if status := run_workflow(file, limits):
        raise typer.Exit(status)
    typer.echo(
        f"{measured(rehearsed, rehearsal)}: what it took; `derainbench plan` computes from it"
    )


@app.command()
def plan(
    config: BenchmarkConfig,
    measured: Annotated[
        Path | None,
        typer.Option(help="File of a rehearsal; default: results/rehearsal-NAME/measured.json."),
    ] = None,
) -> None:
    """What a configuration costs in hours, memory, disk and downloads, from its rehearsal."""
    from derainbench.config.schema import load
    from derainbench.rehearsal.measurements import read_measured
    from derainbench.rehearsal.page import document

    rehearsed = load(config)
    typer.echo(document(rehearsed, read_measured(rehearsed, measured)), nl=False)
