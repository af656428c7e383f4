"""A real SLURM of one node, on loopback, in a temporary folder, for as long as a command runs.

python tools/slurm_node.py COMMAND..

Needs Debian's packages slurm-wlm and munge. It has a key, ports and a state of its own and touches no
other SLURM of the machine. Three partitions: ``cpu`` (the default), ``gpu`` with two GPUs that are
device files and cannot compute, and ``urgent``, whose jobs preempt those of the others, which are
put back into the queue: those of ``cpu`` are told to end themselves first (SIGTERM, 30 seconds), those
of ``gpu`` are killed at once. Without cgroups nothing is held to its memory.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
PATIENCE = 30  # seconds until a daemon that does not answer counts as failed

CONFIGURATION = """
ClusterName=bench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
KillWait=30
MinJobAge=86400
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:2
PartitionName=cpu Nodes=node Default=YES MaxTime=1-00:00:00 PriorityTier=1 GraceTime=30
PartitionName=gpu Nodes=node MaxTime=1-00:00:00 PriorityTier=1 GraceTime=0
PartitionName=urgent Nodes=node MaxTime=1-00:00:00 PriorityTier=9 PreemptMode=OFF
"""


class Unavailable(Exception):
    """SLURM cannot be started here; the message says why."""


@contextmanager
def slurm_node(cores: int = 4, memory: int = 64_000) -> Iterator[dict[str, str]]:
    """Runs the daemons while the block does; gives the environment of clients such as ``sbatch``.

    Args:
        cores: that SLURM may hand out, whatever the machine has.
        memory: that it may hand out, MB.

    Raises:
        Unavailable: if a daemon is not installed or does not come up.
    """
    missing = [name for name in DAEMONS if not _program(name)]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)} (Debian: slurm-wlm, munge)")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-")))
        folder.chmod(0o755)
        for name in ("state", "spool"):
            (folder / name).mkdir()
        ports = _free_ports(2)
        text = CONFIGURATION.format(
            host=socket.gethostname().split(".")[0],
            user=_user(),
            folder=folder,
            cores=cores,
            memory=memory,
            controller_port=ports[0],
            node_port=ports[1],
        )
        (folder / "slurm.conf").write_text(text, encoding="utf-8")
        (folder / "gres.conf").write_text(
            "NodeName=node Name=gpu File=/dev/zero\nNodeName=node Name=gpu File=/dev/full\n"
        )
        environment = {
            **os.environ,
            "SLURM_CONF": str(folder / "slurm.conf"),
            "PATH": os.pathsep.join([str(_wrapped_srun(folder)), os.environ.get("PATH", "")]),
        }
        key = folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        munge = ["--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
        munge += [f"--{what}-file={folder}/munged.{what}" for what in ("pid", "log", "seed")]
        stack.enter_context(_daemon("munged", munge, folder, environment))
        _wait_for(lambda: (folder / "munge.socket").exists(), "munged", folder)
        stack.enter_context(_daemon("slurmctld", ["-D", "-c"], folder, environment))
        stack.enter_context(_daemon("slurmd", ["-D", "-N", "node"], folder, environment))
        _wait_for(lambda: _idle(environment), "slurmd", folder)
        try:
            yield environment
        finally:
            _end_jobs(environment)


def _wrapped_srun(folder: Path) -> Path:
    """A folder with an ``srun`` that knows its SLURM.

    Snakemake's jobs start their steps without the variables of SLURM, ``SLURM_CONF`` included: on a
    cluster the configuration lies where SLURM looks by itself.
    """
    place = folder / "bin"
    place.mkdir()
    program = place / "srun"
    program.write_text(
        f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n'
    )
    program.chmod(0o755)
    return place


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextmanager
def _daemon(
    name: str, arguments: list[str], folder: Path, environment: dict[str, str]
) -> Iterator[None]:
    with open(folder / f"{name}.out", "wb") as log:
        process = subprocess.Popen(
            [str(_program(name)), *arguments], stdout=log, stderr=log, env=environment
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(condition, name: str, folder: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            lines = (folder / f"{name}.out").read_text(errors="replace").splitlines()
            raise Unavailable(f"{name} does not come up: {' | '.join(lines[-3:])}")
        time.sleep(0.1)


def _idle(environment: dict[str, str]) -> bool:
    command = ["sinfo", "--noheader", "--format=%T"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return "idle" in done.stdout.split()


def _end_jobs(environment: dict[str, str]) -> None:
    """Ends what still runs, or the jobs would go on without their SLURM."""
    command = ["scancel", "--full", "--signal=KILL", f"--user={_user()}"]
    subprocess.run(command, env=environment, capture_output=True, check=False)


if __name__ == "__main__":
    try:
        with slurm_node() as found:
            sys.exit(subprocess.call(sys.argv[1:] or ["sinfo"], env=found))
    except Unavailable as error:
        sys.exit(f"slurm_node: {error}")
