"""Verbs that hand results on, and compute from what was handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import Out, OutFile

app = typer.Typer()


@app.command()
def archive(
    results: Annotated[Path, typer.Argument(help="Folder of results, such as results/smoke.")],
    out: OutFile,
) -> None:
    """One zip file of results, images of data sets apart: a Workflow Run RO-Crate."""
    from derainbench.archive.export import write_archive

    typer.echo(write_archive(results, out))


@app.command()
def replay(
    source: Annotated[
        Path, typer.Argument(metavar="ARCHIVE", help="Of `derainbench archive`, or a folder.")
    ],
    out: Out,
    from_code: Annotated[
        bool,
        typer.Option("--from-code", help="Also structure, cross-checks and the like: minutes."),
    ] = False,
) -> None:
    """Tables, figures, verdicts and page from kept scores and counts; exit code 1 if they drift."""
    from derainbench.archive.replay import replay as replayed

    found = replayed(source, out, from_code=from_code)
    drifts = found.comparison.all_drifts()
    for line in filter(None, (*drifts, found.note(), found.comparison.summary())):
        typer.echo(line)
    if drifts:
        raise typer.Exit(1)
