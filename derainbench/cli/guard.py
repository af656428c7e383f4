"""What holds for every verb with ``--out``: nothing of the user's is written over."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup, TyperOption

from derainbench.cli.options import FILE, FOLDER
from derainbench.foundation.errors import BenchError
from derainbench.foundation.outputs import check_output_file, check_output_folder, overwriting

# Parameters that name images, or folders of images.
_IMAGES = ("images", "data", "restored", "target", "clean", "layers", "folder", "folders", "name")


def guarded(group: TyperGroup) -> TyperGroup:
    """Gives every verb with ``--out`` the option ``--overwrite``, and checks its output first."""
    for command in group.commands.values():
        if isinstance(command, TyperGroup):
            guarded(command)
        elif isinstance(command, TyperCommand):
            for parameter in command.params:
                if parameter.name == "out" and parameter.metavar in (FILE, FOLDER):
                    _guard(command, parameter.metavar)
                    break
    return group


def _guard(command: TyperCommand, kind: str) -> None:
    verb: Callable[..., Any] | None = command.callback
    assert verb is not None

    @functools.wraps(verb)
    def checked(*, overwrite: bool = False, **values: Any) -> Any:
        out = values["out"]
        with overwriting(overwrite):
            if out is not None:
                _refuse_inputs(out, values)
                check_output_file(out) if kind == FILE else check_output_folder(out)
            return verb(**values)

    command.callback = checked
    command.params.append(_overwrite_option())


def _overwrite_option() -> TyperOption:
    app = typer.Typer(add_completion=False)

    @app.command()
    def _verb(
        overwrite: Annotated[
            bool,
            typer.Option("--overwrite", help="Replace what is in --out and was not made here."),
        ] = False,
    ) -> None: ...

    return cast(TyperOption, typer.main.get_command(app).params[0])


def _refuse_inputs(out: Path, values: dict[str, Any]) -> None:
    """An output that is an input, or inside a folder of images that is read."""
    target = out.resolve()
    for name, path in _paths(values):
        place = path.resolve()
        if target == place:
            raise BenchError(f"{out}: is read by this call; choose another --out")
        if name in _IMAGES and place.is_dir() and place in target.parents:
            raise BenchError(
                f"{out}: lies inside {path}, which is read by this call; choose another --out"
            )


def _paths(values: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    for name, value in values.items():
        if name == "out":
            continue
        for path in value if isinstance(value, list | tuple) else [value]:
            if isinstance(path, Path):
                yield name, path
            elif name == "name" and isinstance(path, str) and Path(path).is_dir():
                yield name, Path(path)  # of `data verify`: a set's name, or a folder
