"""Which files this process has read: what a result rests on, without anybody having to say it.

Every reader of files asks :func:`derainbench.foundation.files.regular_file` first, which notes them
here (:func:`note`); a provenance record names those of its block (:func:`read_here`). Nothing of a
stage has to remember that, so nothing can forget it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from derainbench.foundation.packages import ROOT, own_packages

# In every folder of results: names of files in it start there, wherever the folder lies.
RESULTS_MARK = "config.json"
_TAIL = 3  # parts of a path elsewhere, whose start is of one machine

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(eq=False)  # two blocks that have read the same are two blocks
class _Block:
    """What a block of code has read: by itself, and with the blocks inside it."""

    own: dict[Path, None] = field(default_factory=dict)
    whole: dict[Path, None] = field(default_factory=dict)


_open = [_Block()]  # the first is the whole process, the last the innermost block


def note(*files: Path) -> None:
    """Notes that files were read."""
    read = dict.fromkeys(files)
    _open[-1].own.update(read)
    for block in _open:
        block.whole.update(read)


@contextmanager
def recording() -> Iterator[dict[Path, None]]:
    """A block with reads of its own; gives the files read in it, in the order of reading.

    A record that is written in it names them and what was read before around it, such as the
    configuration, but not what other blocks beside it have read.
    """
    block = _Block()
    _open.append(block)
    try:
        yield block.whole
    finally:
        _open.remove(block)


@contextmanager
def as_a_process() -> Iterator[None]:
    """A block that knows nothing of what was read before, as in a process of its own."""
    before, _open[:] = _open[:], [_Block()]
    try:
        yield
    finally:
        _open[:] = before


def read_here() -> list[Path]:
    """The files that a result of the innermost block rests on, as far as they are still there."""
    *outer, inner = _open
    files = [file for block in outer for file in block.own] + [*inner.whole]
    return [file for file in dict.fromkeys(files) if file.is_file()]


def cache(function: Callable[P, T]) -> Callable[P, T]:
    """Like :func:`functools.cache`, but what the first call read counts as read at every call."""
    kept: dict[Hashable, tuple[T, tuple[Path, ...]]] = {}

    @functools.wraps(function)
    def again(*args: P.args, **kwargs: P.kwargs) -> T:
        key = (args, tuple(sorted(kwargs.items())))
        if key not in kept:
            with recording() as read:
                value = function(*args, **kwargs)
            kept[key] = value, tuple(read)
        value, files = kept[key]
        note(*files)
        return value

    again.cache_clear = kept.clear  # type: ignore[attr-defined]
    return again


def names(files: list[Path]) -> dict[str, Path]:
    """Files by the names that records know them under, which hold on any machine.

    A file of this project is named from the checkout on, one among results from their folder on
    (where ``config.json`` lies), any other from the working folder on, or by the end of its path.
    Where two would have one name, such as those of two folders of results, both keep their paths.
    """
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(_name(file), []).append(file)
    return {
        (name if len(same) == 1 else file.as_posix()): file
        for name, same in found.items()
        for file in same
    }


def _name(file: Path) -> str:
    place = file.resolve()
    if any(place.is_relative_to(ROOT / package) for package in own_packages()):
        return place.relative_to(ROOT).as_posix()
    for folder in file.parents:
        if (folder / RESULTS_MARK).is_file():
            return file.relative_to(folder).as_posix()
    here = Path.cwd()
    if place.is_relative_to(here):
        return place.relative_to(here).as_posix()
    return Path(*place.parts[-_TAIL:]).as_posix()


def in_folder(files: dict[Path, Any], folder: Path) -> list[Path]:
    """Those of some files that lie below a folder."""
    return [file for file in files if file.is_relative_to(folder)]
