"""The process that a job works for: when it is gone, the job ends too.

A workflow that is killed cannot end its jobs any more, so every job looks after its workflow. Who that
is stands in an environment variable, which all processes below inherit.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

OWNER = "DERAINBENCH_OWNER"  # PROCESS:START:MACHINE
FORK_SERVER = "DERAINBENCH_FORK_SERVER"  # the socket of a workflow's; "": it is to start none
_LOOK = 0.2  # seconds between looks
_GRACE = 3.0  # seconds that a job gets to clear up


def this_process() -> str:
    """The value of :data:`OWNER` for processes that are to end with this one."""
    return _value_of(os.getpid())


def _value_of(process: int) -> str:
    return f"{process}:{_start(process)}:{platform.node()}"


def under_workflow() -> bool:
    """Whether this process is a job of a workflow."""
    return OWNER in os.environ


def end_with_owner() -> None:
    """Sees to it that this process ends soon after the one that it works for, if there is one.

    One on another machine cannot be watched: there the cluster's own keeper ends jobs. A process of
    torchrun's ends with torchrun too.
    """
    owners = [os.environ.get(OWNER, "")]
    if "TORCHELASTIC_RUN_ID" in os.environ:
        owners.append(_value_of(os.getppid()))
    for owner in filter(is_here, owners):
        threading.Thread(target=_watch, args=(owner,), daemon=True, name="owner").start()


def is_here(owner: str) -> bool:
    """Whether a value of :data:`OWNER` names a process of this machine, which may have ended."""
    process, _, rest = owner.partition(":")
    return process.isdigit() and rest.partition(":")[2] == platform.node()


def is_alive(owner: str) -> bool:
    """Whether the process that a value of :data:`OWNER` names still runs on this machine."""
    process, start, _ = owner.split(":", 2)
    return _start(int(process)) == start


def _watch(owner: str) -> None:
    while is_alive(owner):
        time.sleep(_LOOK)
    with suppress(OSError, ValueError):
        print("derainbench: stopped: the process that started it has ended", file=sys.stderr)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os.kill(os.getpid(), signal.SIGKILL)


def _start(process: int) -> str:
    """When a process began, in the system's own count, which no clock changes; "" if it has ended.

    Where the system does not tell (no Linux), all that live have begun at "0".
    """
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return ""
        except OSError:
            pass  # it lives, and is another user's
        return "0"
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]  # a zombie has ended
