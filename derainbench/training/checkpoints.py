"""Checkpoints of a run in progress; a killed run finds its own and goes on."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from derainbench.training.checkpoint_files import Damaged, before, content_of, write


@dataclass
class Progress:
    """Everything that a run needs to go on as if it had not stopped.

    Attributes:
        begun: facts of the first steps of the epoch after these, where it was left in its middle:
            fields of :class:`derainbench.training.interruption.StepsDone`.
    """

    epochs_done: int = 0
    best_psnr: float = float("-inf")
    best_epoch: int = -1
    best_state: dict[str, torch.Tensor] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    begun: dict[str, Any] | None = None


def save(
    path: Path, progress: Progress, model: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Writes a checkpoint whole or not at all; the one before it stays.

    Raises:
        BenchError: if it cannot be written.
    """
    content = {
        "progress": asdict(progress),
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    write(path, _packed(content))


def keep_finished(path: Path, progress: Progress, out: Path) -> None:
    """Keeps what a run that has ended gave, until its workflow has taken note of its outputs.

    A workflow that is killed before that deletes them; the run then writes them again from here.

    Args:
        path: of the checkpoint, which is replaced.
        progress: after the last epoch.
        out: folder of the outputs.
    """
    write(path, _packed({"progress": asdict(progress)}), finished=os.path.abspath(out))
    before(path).unlink(missing_ok=True)


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
    content: dict[str, Any] = torch.load(
        io.BytesIO(content_of(path)), map_location="cpu", weights_only=True
    )
    return content


def _packed(content: dict[str, Any]) -> memoryview:
    """The bytes, in memory first: torch wraps what a disk says in a traceback of its own."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getbuffer()
