"""The processes that train one network together: who they are, and what they tell each other.

``torchrun`` starts them and ends them all when one ends badly. What they say to each other about the
run (whether to stop, what was scored) goes over the CPU, also where they compute on GPUs.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

from derainbench.foundation.errors import BenchError
from derainbench.foundation.stop_requests import EXIT_STATUS, Stopped

T = TypeVar("T")
# What torchrun tells the processes that it starts.
VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
# The first process may write a checkpoint, or be slower, for so long while the others wait for it.
PATIENCE = datetime.timedelta(hours=1)
# What gloo and NCCL say when a process at the other end is gone. They raise bare RuntimeErrors.
_GONE = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "ncclRemoteError")


@dataclass(frozen=True)
class Group:
    """A process and those that it trains with; by default none.

    Attributes:
        rank: of this process, from 0. The first one writes files and messages.
        size: number of processes.
        device: that this process computes on, by torch's name or "auto".
    """

    rank: int = 0
    size: int = 1
    device: str = "auto"

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def gathered(self, value: T) -> list[T]:
        """The values of all processes, in order of their ranks. All of them must call this."""
        if self.size == 1:
            return [value]
        found: list[T | None] = [None] * self.size
        dist.all_gather_object(found, value)
        return found  # type: ignore[return-value]

    def highest(self, number: int) -> int:
        """The highest of the numbers of all processes. All of them must call this."""
        if self.size == 1:
            return number
        shared = torch.tensor(number)
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return int(shared)

    def wait(self) -> None:
        """Waits until all processes have come to this place."""
        self.highest(0)

    def part_of(self, batch: Sequence[T]) -> Sequence[T]:
        """This process's part of a batch, whose length the number of processes divides."""
        length = len(batch) // self.size
        return batch[self.rank * length : (self.rank + 1) * length]


def by_torchrun() -> bool:
    """Whether torchrun started this process."""
    return all(name in os.environ for name in VARIABLES)


def group_size() -> int:
    """How many processes torchrun started together; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if by_torchrun() else 1


@contextlib.contextmanager
def joined(device: str = "auto") -> Iterator[Group]:
    """In the block this process is one of those that torchrun started; alone without torchrun.

    All but the first are silent in it. If the block fails in one process it fails in all of them, and
    the one in which it failed first says why; the others end with the same status.

    Args:
        device: "auto", "cpu" or "cuda": process N of a machine computes on its GPU N.

    Raises:
        BenchError: for a numbered GPU, or more processes than the machine has GPUs.
        SystemExit: in the processes that have nothing to say.
    """
    if group_size() == 1:
        yield Group(device=device)
        return
    rank, size, local, here = (int(os.environ[name]) for name in VARIABLES)
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    # Says who speaks; torchrun keeps it, so that it outlives a process that fails.
    store, _, _ = next(dist.rendezvous("env://", rank, size, timeout=PATIENCE))
    try:
        if on_gpu:
            _take_gpu(device, local, here)
        with contextlib.ExitStack() as stack:
            if rank:
                silence = stack.enter_context(open(os.devnull, "w"))
                stack.enter_context(contextlib.redirect_stderr(silence))
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
                store=dist.PrefixStore("training", store),
                rank=rank,
                world_size=size,
                timeout=PATIENCE,
            )
            yield Group(rank, size, f"cuda:{local}" if on_gpu else "cpu")
            dist.destroy_process_group()
    except BaseException as error:
        if isinstance(error, RuntimeError) and any(sign in str(error) for sign in _GONE):
            _end(1)  # another process failed, and has said why, or torchrun says that it was killed
        if not _is_first_to_fail(store, rank):
            _end(_status(error))
        raise


def _take_gpu(device: str, local: int, here: int) -> None:
    if device not in ("auto", "cuda"):
        raise BenchError(f"device '{device}': several processes take a GPU each: use cuda or auto")
    if here > torch.cuda.device_count():
        raise BenchError(
            f"{here} processes need {here} GPUs, and this machine has {torch.cuda.device_count()}: "
            "start fewer, or use --device cpu"
        )
    torch.cuda.set_device(local)


def _is_first_to_fail(store: dist.Store, rank: int) -> bool:
    try:
        return store.add("failures", 1) == 1
    except RuntimeError:  # torchrun itself is gone
        return rank == 0


def _status(error: BaseException) -> int:
    if isinstance(error, Stopped):
        return EXIT_STATUS
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _end(status: int) -> None:
    """At once: what libraries would clear up may wait for processes that are gone."""
    os._exit(status)
