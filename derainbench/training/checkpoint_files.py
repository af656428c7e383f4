"""Files of checkpoints: where they lie, whose they are, and whether they are whole. Without torch.

A file is a line of JSON, then its content. The line holds the SHA-256 of the content, so that no damage
goes unnoticed. The file before the last one is kept until the run has ended.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from derainbench.foundation.files import atomic_path, sync
from derainbench.foundation.locks import held

DEFAULT_FOLDER = ".derainbench/checkpoints"
FORMAT = 1


class Damaged(Exception):
    """A file is no checkpoint, or not the one that was written."""


def checkpoint_path(key: str, folder: str | None = None) -> Path:
    """Where the checkpoint of a run with this key lies: ``$DERAINBENCH_CHECKPOINTS`` or a default.

    It lies outside the results, because Snakemake deletes the outputs of a job that failed.
    """
    return _root(folder) / f"{key}.pt"


def before(path: Path) -> Path:
    """Where the checkpoint before the last one of a run lies."""
    return path.with_name(f"{path.stem}.before{path.suffix}")


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """In the block no other process trains from this checkpoint.

    Temporaries of processes that were killed while they wrote it are removed.

    Raises:
        BenchError: naming the process that does.
    """
    with held(path.with_suffix(".lock"), f"{path}: this training"):
        for leftover in path.parent.glob(f".{path.stem}*.pt"):
            leftover.unlink(missing_ok=True)
        yield


def write(path: Path, content: bytes | memoryview, **facts: str) -> None:
    """Writes a checkpoint whole or not at all; the one that was there becomes :func:`before`.

    Args:
        path: of the checkpoint.
        content: its bytes.
        facts: that its first line says as well.

    Raises:
        BenchError: if it cannot be written; then the last two are still there.
    """
    header = {"format": FORMAT, "sha256": hashlib.sha256(content).hexdigest(), **facts}
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.write(content)
        sync(temporary)  # before the last whole one loses its place
        if path.exists():
            path.replace(before(path))


def content_of(path: Path) -> bytes:
    """The bytes that :func:`write` was given.

    Raises:
        FileNotFoundError: if there is no such file.
        Damaged: if it holds anything else, whatever happened to it.
    """
    with open(path, "rb") as stream:
        header, content = _header(stream.readline()), stream.read()
    if header["sha256"] != hashlib.sha256(content).hexdigest():
        raise Damaged("its digest is another one")
    return content


def remove(path: Path) -> None:
    """Removes a run's checkpoints, if there are any."""
    for file in (before(path), path):
        file.unlink(missing_ok=True)


def remove_finished(outs: Collection[Path], folder: str | None = None) -> None:
    """Removes the checkpoints of runs that have ended, by the folders of their outputs."""
    wanted = {os.path.abspath(out) for out in outs}
    for path in _root(folder).glob("[!.]*.pt"):
        try:
            with open(path, "rb") as stream:
                finished = _header(stream.readline()).get("finished")
        except (OSError, Damaged):
            continue
        if finished in wanted:
            remove(path)


def _root(folder: str | None) -> Path:
    return Path(folder or os.environ.get("DERAINBENCH_CHECKPOINTS", DEFAULT_FOLDER))


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        if header["format"] == FORMAT and isinstance(header["sha256"], str):
            return header
    except (ValueError, KeyError, TypeError):
        pass
    raise Damaged("not a checkpoint of this version")
