"""The verb that runs the whole workflow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def reproduce(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TARGET]...", help="Files or rules; default: everything."),
    ] = None,
    configfile: Annotated[
        Path | None, typer.Option(help="Configuration; default: config/smoke.yaml.")
    ] = None,
    cores: Annotated[str, typer.Option(help="CPU cores to use at once: a number, or all.")] = "all",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how much there is to do.")
    ] = False,
) -> None:
    """Everything from data sets to the page, below results/ here; a run that was killed goes on."""
    import os
    import sys

    from derainbench.foundation.errors import BenchError
    from derainbench.foundation.packages import ROOT

    snakefile = ROOT / "Snakefile"
    if not snakefile.is_file():
        raise BenchError(
            f"{snakefile}: missing; the workflow is part of a clone, not of the package"
        )
    command = ["--snakefile", str(snakefile), "--cores", cores]
    command += ["--configfile", str(configfile)] if configfile else []
    command += ["--dry-run"] if dry_run else []
    command += ["--", *targets] if targets else []
    os.execv(sys.executable, [sys.executable, "-m", "derainbench.workflow", *command])
