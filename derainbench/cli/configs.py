"""Verbs about configurations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Benchmark configurations.", no_args_is_help=True)


@app.command("check")
def config_check(file: Annotated[Path, typer.Argument(help="YAML or JSON file.")]) -> None:
    """Checks a configuration, its models, recipes, folders, images and weight files."""
    from derainbench.config.checks import check_files, check_models, check_restored_images
    from derainbench.config.schema import load

    config = load(file)
    check_files(config)
    check_restored_images(config)
    check_models(config)
    typer.echo(f"{file}: fine, {sum(1 for _ in config.evaluations())} evaluations")


@app.command("schema")
def config_schema() -> None:
    """Prints the JSON schema of a configuration."""
    from derainbench.config.schema import Config

    typer.echo(json.dumps(Config.model_json_schema(), indent=1))
