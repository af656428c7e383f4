"""Checkpoints of a run in progress; a killed run finds its own and goes on."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import atomic_path

DEFAULT_FOLDER = ".derainbench/checkpoints"


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


def save(
    path: Path, progress: Progress, model: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Writes a checkpoint whole or not at all."""
    content = {
        "progress": asdict(progress),
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
    }
    with atomic_path(path) as temporary:
        torch.save(content, temporary)


def restore(path: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    """Loads a checkpoint if there is one, else starts afresh.

    Raises:
        BenchError: if the file is damaged.
    """
    if not path.is_file():
        return Progress()
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(content["model"])
        optimiser.load_state_dict(content["optimiser"])
        return Progress(**content["progress"])
    except Exception as error:  # a damaged file makes torch raise nearly anything
        raise BenchError(f"{path}: damaged checkpoint; delete it to train from scratch") from error


def checkpoint_path(key: str, folder: str | None = None) -> Path:
    """Where the checkpoint of a run with this key lies: ``$DERAINBENCH_CHECKPOINTS`` or a default.

    It lies outside the results, because Snakemake deletes the outputs of a job that failed.
    """
    root = folder or os.environ.get("DERAINBENCH_CHECKPOINTS", DEFAULT_FOLDER)
    return Path(root) / f"{key}.pt"
