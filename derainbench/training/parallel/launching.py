"""Starts the processes of a training with torchrun's engine, and says in one line what became of them.

``torchrun`` itself ends every failure in a traceback of its own, and a request to stop too.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from derainbench.foundation.stop_requests import EXIT_STATUS, SIGNALS

# Seconds that processes get to end the step that they are in and keep their place; SLURM gives a job 300.
GRACE = 240
_HANDED_ON = (*SIGNALS, signal.SIGINT, signal.SIGHUP)


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Runs a call of the command line in several processes of this machine, and waits for them.

    Args:
        processes: how many.
        arguments: of the command line, the verb first.

    Returns:
        The exit status: of the process that failed first, or what follows from a signal that came.
    """
    logging.disable(logging.CRITICAL)  # the engine's own words
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    with tempfile.TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",  # a port that is free
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
            signals_to_handle=",".join(number.name for number in _HANDED_ON),
            shutdown_timeout=GRACE,
        )
        try:
            elastic_launch(config, sys.executable)("-m", "derainbench", *arguments)
        except SignalException as told:
            return EXIT_STATUS if told.sigval in SIGNALS else 128 + told.sigval
        except ChildFailedError as error:
            return _status(error, processes)
    return 0


def _status(error: ChildFailedError, processes: int) -> int:
    """Of a failure that was said by the process itself; those that were killed could say nothing."""
    for rank, failure in error.failures.items():
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            print(
                f"derainbench: error: process {rank} of {processes} was ended by {name}; the same call "
                "goes on after the last epoch that was kept",
                file=sys.stderr,
            )
            return 1
    return error.get_first_failure()[1].exitcode
