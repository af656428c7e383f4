"""Checkpoints of a run in progress; a killed run finds its own and goes on.

A checkpoint is a line of JSON, then what :func:`torch.save` writes. The line holds the SHA-256 of the
rest, so that no damage goes unnoticed. The one before the last is kept until the run has ended.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from derainbench.foundation.files import atomic_path, sync
from derainbench.foundation.locks import held

DEFAULT_FOLDER = ".derainbench/checkpoints"
FORMAT = 1


class Damaged(Exception):
    """A file is no checkpoint, or not the one that was written."""


@dataclass
class Progress:
    """Everything that a run needs to go on as if it had not stopped.

    Crops and their order depend on seed and epoch alone, so no generator state is kept.
    """

    epochs_done: int = 0
    best_psnr: float = float("-inf")
    best_epoch: int = -1
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)


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


def save(
    path: Path, progress: Progress, model: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Writes a checkpoint whole or not at all; the one before it stays as :func:`before`."""
    _write(
        path,
        {
            "progress": asdict(progress),
            "model": model.state_dict(),
            "optimiser": optimiser.state_dict(),
        },
    )


def keep_finished(path: Path, progress: Progress, out: Path) -> None:
    """Keeps what a run that has ended gave, until its workflow has taken note of its outputs.

    A workflow that is killed before that deletes them; the run then writes them again from here.

    Args:
        path: of the checkpoint, which is replaced.
        progress: after the last epoch.
        out: folder of the outputs.
    """
    _write(path, {"progress": asdict(progress)}, finished=os.path.abspath(out))
    before(path).unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Removes a run's checkpoints, if there are any."""
    for file in (before(path), path):
        file.unlink(missing_ok=True)


def remove_finished(outs: Collection[Path], folder: str | None = None) -> None:
    """Removes what :func:`keep_finished` kept for some output folders."""
    wanted = {os.path.abspath(out) for out in outs}
    for path in _root(folder).glob("[!.]*.pt"):
        try:
            with open(path, "rb") as stream:
                finished = _header(stream.readline()).get("finished")
        except (OSError, Damaged):
            continue
        if finished in wanted:
            remove(path)


def before(path: Path) -> Path:
    """Where the checkpoint before the last one of a run lies."""
    return path.with_name(f"{path.stem}.before{path.suffix}")


def restore(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    """Loads a run's last checkpoint that is whole; without one the run starts afresh.

    Of damaged ones a line on standard error tells.
    """
    for file in (path, before(path)):
        try:
            content = read(file)
        except FileNotFoundError:
            continue
        except Damaged as error:
            print(f"{file}: damaged checkpoint ({error}); it is not used", file=sys.stderr)
            continue
        if "model" in content:
            model.load_state_dict(content["model"])
            optimiser.load_state_dict(content["optimiser"])
        return Progress(**content["progress"])
    return Progress()


def read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint: ``progress``, and of a run in progress ``model``, ``optimiser``.

    Raises:
        FileNotFoundError: if there is none.
        Damaged: if it is not what was written, whatever happened to it.
    """
    with open(path, "rb") as stream:
        first, rest = stream.readline(), stream.read()
    if _header(first)["sha256"] != hashlib.sha256(rest).hexdigest():
        raise Damaged("its digest is another one")
    return torch.load(io.BytesIO(rest), map_location="cpu", weights_only=True)


def checkpoint_path(key: str, folder: str | None = None) -> Path:
    """Where the checkpoint of a run with this key lies: ``$DERAINBENCH_CHECKPOINTS`` or a default.

    It lies outside the results, because Snakemake deletes the outputs of a job that failed.
    """
    return _root(folder) / f"{key}.pt"


def _root(folder: str | None) -> Path:
    return Path(folder or os.environ.get("DERAINBENCH_CHECKPOINTS", DEFAULT_FOLDER))


def _write(path: Path, content: dict[str, Any], **facts: str) -> None:
    stream = io.BytesIO()  # into memory first: torch wraps what the disk says in a traceback
    torch.save(content, stream)
    payload = stream.getbuffer()
    header = {"format": FORMAT, "sha256": hashlib.sha256(payload).hexdigest(), **facts}
    with atomic_path(path) as temporary:
        with open(temporary, "wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            file.write(payload)
        sync(temporary)  # before the last whole one loses its place
        if path.exists():
            path.replace(before(path))


def _header(line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        if header["format"] == FORMAT and isinstance(header["sha256"], str):
            return header
    except (ValueError, KeyError, TypeError):
        pass
    raise Damaged("not a checkpoint of this version")
