"""An epoch that is left in its middle and gone on with, to the same result as one that was not.

Steps that were done are not done again. The order of crops depends on seed and epoch alone, so what
is kept beside network and optimiser is the number of steps, the sum of their losses, and the states
of torch's generators, from which stochastic depth draws.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from derainbench.foundation.stop_requests import Stopped, StopRequest
from derainbench.training.parallel.group import Group

KEPT_EVERY = 600  # seconds: so much of a long epoch is lost at most when a process is killed


@dataclass
class StepsDone:
    """What the steps of an epoch came to so far.

    Attributes:
        steps: how many were done.
        loss_sum: their losses, each times the number of its crops, but for those not read yet.
        crops: how many they saw, but for the same.
        seconds: that they took before an interruption.
        generators: states of torch's generators after the last of them, by kind of device.
        unread: losses that lie on their device still, with the number of crops of each.
    """

    steps: int = 0
    loss_sum: float = 0.0
    crops: int = 0
    seconds: float = 0.0
    generators: dict[str, torch.Tensor] = field(default_factory=dict)
    unread: list[tuple[torch.Tensor, int]] = field(default_factory=list)

    @property
    def mean_loss(self) -> float:
        """Mean over crops, once the losses are read."""
        return self.loss_sum / self.crops

    def add(self, loss: torch.Tensor, crops: int) -> None:
        """Counts one step; its loss, a scalar, is not waited for."""
        self.steps += 1
        self.unread.append((loss, crops))

    def read_losses(self, group: Group | None = None) -> None:
        """Asks the device for the losses of all steps at once.

        Those of several processes, which share each step's crops equally, are put together.
        """
        if not self.unread:
            return
        losses, crops = zip(*self.unread, strict=True)
        parts = zip(*(group or Group()).gathered(torch.stack(losses).tolist()), strict=True)
        for part, number in zip(parts, crops, strict=True):
            # Not sum(), which rounds otherwise since Python 3.12.
            for loss in part:
                self.loss_sum += loss * number
            self.crops += number * len(part)
        self.unread = []

    def keep_generators(self, device: torch.device) -> None:
        """Notes the states of the generators that a network on a device draws from."""
        self.generators = {"cpu": torch.get_rng_state()}
        if device.type == "cuda":
            self.generators["cuda"] = torch.cuda.get_rng_state(device)

    def restore_generators(self, device: torch.device) -> None:
        """Puts the generators into the noted states, if any were noted."""
        if "cpu" in self.generators:
            torch.set_rng_state(self.generators["cpu"])
        if "cuda" in self.generators and device.type == "cuda":
            torch.cuda.set_rng_state(self.generators["cuda"], device)


class Interruptions:
    """Keeps a run's place inside an epoch: every ten minutes, and when it is told to stop.

    Args:
        request: whether the run was told to stop.
        keep: writes a checkpoint with these facts of the epoch's first steps.
        begun: the facts that a checkpoint held; the first epoch starts there.
        group: processes that train together: told to stop, they stop after the same step.
    """

    def __init__(
        self,
        request: StopRequest | None = None,
        keep: Callable[[dict[str, Any]], None] = lambda _: None,
        begun: dict[str, Any] | None = None,
        group: Group | None = None,
    ) -> None:
        self._request, self._keep, self._begun = request or StopRequest(), keep, begun
        self.group = group or Group()
        self._kept_at = self._began = time.monotonic()

    def first_steps(self, device: torch.device) -> StepsDone:
        """Steps that are done of the epoch that begins now: none, but after an interruption.

        After one, the generators of a network on the device are as they were then.
        """
        done = StepsDone(**self._begun) if self._begun else StepsDone()
        self._begun, self._began = None, time.monotonic()
        done.restore_generators(device)
        return done

    def after_step(self, done: StepsDone, device: torch.device) -> None:
        """Keeps the place, if it is time to.

        Raises:
            Stopped: if the run was told to stop.
        """
        now = time.monotonic()
        agreed = self._agreed(now - self._kept_at >= KEPT_EVERY)
        if agreed:
            done.keep_generators(device)
            done.read_losses(self.group)
            self._keep(asdict(done) | {"seconds": done.seconds + now - self._began})
            self._kept_at = now
        _stop_if_told(agreed, f"after step {done.steps} of an epoch")

    def stop_if_told(self, where: str) -> None:
        """Ends the run at a place that a checkpoint holds, if it was told to stop.

        Raises:
            Stopped: then.
        """
        _stop_if_told(self._agreed(False), where)

    def _agreed(self, due: bool) -> int:
        """A signal by which a process of the group was told to stop; else 1 if it is due, or 0."""
        told = signal.Signals[self._request.signal] if self._request.signal else int(due)
        return self.group.highest(int(told))


def _stop_if_told(agreed: int, where: str) -> None:
    if agreed > 1:  # no signal that asks to stop has the number 1
        name = signal.Signals(agreed).name
        raise Stopped(f"stopped {where} on {name}; the same call goes on there")
