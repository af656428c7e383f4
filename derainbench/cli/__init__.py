"""The command line: one verb per stage. Heavy imports happen inside the verbs."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated

import typer
import typer.main

from derainbench import __version__
from derainbench.cli import (
    accounting,
    archiving,
    configs,
    data,
    evaluation,
    former,
    models,
    published,
    rehearsing,
    reporting,
    reproducing,
    training,
    weights,
)
from derainbench.cli.guard import guarded
from derainbench.cli.options import UsageError
from derainbench.foundation.errors import BenchError, want_of_memory
from derainbench.foundation.stop_requests import EXIT_STATUS, Stopped
from derainbench.foundation.stopping import LINE

app = typer.Typer(
    help="Reproducibility benchmark of spiking and ordinary deraining networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verbs in (
    reproducing,
    models,
    training,
    evaluation,
    accounting,
    reporting,
    rehearsing,
    archiving,
    former,
):
    app.add_typer(verbs.app)  # without a name: verbs of the main command
app.add_typer(data.app, name="data")
app.add_typer(weights.weights_app, name="weights")
app.add_typer(configs.app, name="config")
app.add_typer(published.app, name="published")
app.add_typer(weights.metrics_app, name="metrics")


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Reproducibility benchmark of spiking and ordinary deraining networks."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


def _home_replaced(argument: str) -> str:
    """``--data=~/set`` with the home folder in it: shells replace ``~`` after a space only."""
    option, separator, value = argument.partition("=")
    is_path = option.startswith("--") and separator and value.startswith("~")
    return f"{option}={os.path.expanduser(value)}" if is_path else argument


def main() -> None:
    """Entry point: wrong input ends in one line; exit code 2 for usage, 1 for failure, 75 if stopped."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # any file name can be shown, on any terminal
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments = [_home_replaced(argument) for argument in sys.argv[1:]]
        status = guarded(typer.main.get_group(app))(args=arguments, standalone_mode=False)
        sys.exit(status or 0)
    except UsageError as error:
        text = error.format_message()
        is_help = text.startswith("Usage:")  # a command group called without a command
        print(text if is_help else f"derainbench: usage: {text}", file=sys.stderr)
        sys.exit(2)
    except typer.Abort:  # of an interrupt, or of a question that was not answered
        print(LINE, file=sys.stderr)
        sys.exit(130)
    except Stopped as stop:
        print(f"derainbench: {stop}", file=sys.stderr)
        sys.exit(EXIT_STATUS)
    except BenchError as error:
        print(f"derainbench: error: {error}", file=sys.stderr)
        sys.exit(1)
    except (MemoryError, RuntimeError) as error:
        if not (said := want_of_memory(error)):
            raise
        print(f"derainbench: error: {said}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"derainbench: error: {where}{error.strerror or error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(LINE, file=sys.stderr)
        sys.exit(130)
