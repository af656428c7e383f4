"""Time and memory of a training: measured while it runs, and memory foreseen from one forward pass."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from derainbench.catalog.recipes import Recipe
from derainbench.training.footprint import Footprint
from derainbench.training.losses import total_loss
from derainbench.training.schedule import Epoch
from derainbench.training.steps import Forward, outputs_of

FLOAT = 4  # bytes


@dataclass
class Measured:
    """What a training took, for its provenance record.

    Attributes:
        steps: by crop side and batch size, what a step took in the last epoch of that shape: where
            there are several, the first, which sets kernels up, does not count.
        validation: side of the crops of the last validation, and what one of them took.
    """

    device: torch.device
    steps: dict[tuple[int, int], dict[str, float]] = field(default_factory=dict)
    validation: tuple[int, dict[str, float]] | None = None
    _since: tuple[float, float] = (0.0, 0.0)

    def start(self) -> None:
        """Begins to measure."""
        self._since = time.perf_counter(), time.process_time()

    def stepped(self, epoch: Epoch) -> None:
        """Takes what the steps of an epoch took since the start."""
        self.steps[epoch.crop, epoch.batch_size] = self._taken(epoch.steps, "step")

    def validated(self, crop: int, crops: int) -> None:
        """Takes what a validation took since the steps ended."""
        self.validation = crop, self._taken(crops, "crop")

    def _taken(self, count: int, what: str) -> dict[str, float]:
        """Seconds for one of ``count``, on the clock and of the processors of this process."""
        wall, processor = self._since
        self.start()
        now = self._since
        return {
            f"seconds_per_{what}": round((now[0] - wall) / count, 4),
            f"cpu_seconds_per_{what}": round((now[1] - processor) / count, 4),
        }

    def record(self) -> dict[str, Any]:
        """Everything measured, with the peak of the process's memory and of the GPU's."""
        content: dict[str, Any] = {
            "steps": [
                {"crop": crop, "batch_size": batch, **taken}
                for (crop, batch), taken in self.steps.items()
            ],
            "peak_memory_bytes": peak_memory(),
        }
        if self.validation:
            crop, taken = self.validation
            content["validation"] = {"crop": crop, **taken}
        if self.device.type == "cuda":
            content["peak_gpu_memory_bytes"] = torch.cuda.max_memory_allocated(self.device)
        return content


def peak_memory() -> int:
    """The most memory that this process has held so far, bytes (resident set)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def training_footprint(model: nn.Module, recipe: Recipe, crop: int) -> Footprint:
    """Foresees the memory of a training, by adding up what autograd keeps for one crop.

    Args:
        model: it is moved to torch's device without memory, "meta", where shapes alone are computed.
        recipe: loss, precision and optimiser.
        crop: side of the crop that is tried, pixels; a small one is enough, as what is kept grows with
            the number of pixels.
    """
    weights = sum(p.numel() for p in model.parameters())
    moments = 1 if recipe.optimiser == "sgd" else 2
    model.to("meta").train()
    image = torch.empty(1, 3, crop, crop, device="meta")
    forward: Forward = model.stages if recipe.stage_weight else model  # type: ignore[assignment]
    with _kept_tensors(model) as kept:
        outputs = outputs_of(forward, image, recipe)
        total_loss(outputs, image, recipe.loss, recipe.stage_weight)
    return Footprint(FLOAT * weights * (2 + moments), sum(kept.values()) / crop**2)


@contextmanager
def _kept_tensors(model: nn.Module) -> Iterator[dict[int, int]]:
    """Collects the storages that autograd keeps, weights apart: their identity and bytes."""
    own = {p.untyped_storage()._cdata for p in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield kept
