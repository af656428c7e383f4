"""Former spellings of verbs: still understood, with a notice of the new one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.evaluation import no_reference
from derainbench.cli.options import MetricFiles, OutFile, notice

app = typer.Typer()


@app.command("rate", hidden=True)
def rate(
    images: Annotated[Path, typer.Argument(help="Folder of images.")],
    out: OutFile,
    metric_files: MetricFiles = None,
) -> None:
    """Former spelling of no-reference."""
    notice("rate", "no-reference")
    no_reference(images, out, metric_files)
