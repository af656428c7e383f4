"""Processes of the command line over a catalogue of one set, which end when and as they are told.

Run as a program, it takes jobs as lines of JSON and answers each with a line: every call is a fork
of one process that has imported everything, so that a hundred of them are quick.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from helpers import ROOT, Done, noise, save

PATIENCE = 60  # seconds until a call that hangs is ended
_SIGNALS = {"kill": signal.SIGKILL, "interrupt": signal.SIGINT}


@dataclass(frozen=True)
class Call:
    """A call of the command line.

    Attributes:
        arguments: of the command line.
        event: what happens at a moment: "kill", "full" (the disk) or "interrupt".
        moment: number of the file system's change or look below ``watched``, or of the piece
            of a download, before which it happens.
        watched: folder.
        largest_file: bytes that a file may have at most.
    """

    arguments: tuple[str, ...]
    event: str = ""
    moment: int = 0
    watched: str = ""
    largest_file: int | None = None


@dataclass(frozen=True)
class Ended(Done):
    """How a call ended; the moments that it came through."""

    moments: tuple[str, ...] = ()


class Launcher:
    """The process that forks."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process

    def run(self, entry: dict[str, Any], *calls: Call) -> list[Ended]:
        """Runs calls at the same time."""
        job = {"entry": entry, "calls": [asdict(c) for c in calls]}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return [Ended(**ended) for ended in json.loads(self._process.stdout.readline())]


@contextmanager
def launching(home: Path) -> Iterator[Launcher]:
    """A launcher that lives while the block does."""
    environment = {**os.environ, "HOME": str(home), "NO_PROXY": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, __file__],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Launcher(process)
        process.stdin.close()


def main() -> None:
    import derainbench.cli  # noqa: F401
    from derainbench.data.acquisition import acquire  # noqa: F401
    from derainbench.data.verify import verify
    from derainbench.foundation import provenance

    # What every call would import and find out anew.
    versions = provenance.package_versions()
    provenance.package_versions = lambda: versions
    with tempfile.TemporaryDirectory() as folder:
        for side in ("input", "target"):
            save(Path(folder) / "test" / side / "1.png", noise(16, 16))
        verify(Path(folder), out=Path(folder))

    for line in sys.stdin:
        job = json.loads(line)
        with tempfile.TemporaryDirectory() as folder:
            started = []
            for number, call in enumerate(job["calls"]):
                outputs = [f"{folder}/{number}.{what}" for what in ("out", "err", "moments")]
                process = os.fork()
                if not process:
                    _child(job["entry"], Call(**call), outputs)
                started.append((process, outputs))
                time.sleep(0.05 * (len(job["calls"]) > 1))  # so that the first one is the first
            ended = []
            for process, outputs in started:
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                stdout, stderr, moments = [Path(o).read_text() for o in outputs]
                ended.append(asdict(Ended(code, stdout, stderr, tuple(moments.splitlines()))))
        print(json.dumps(ended), flush=True)


def _child(entry: dict[str, Any], call: Call, outputs: list[str]) -> None:
    from derainbench import cli
    from derainbench.catalog import dataset_entries
    from derainbench.data.acquisition import download

    try:
        files = [os.open(path, os.O_CREAT | os.O_WRONLY) for path in outputs]
        os.dup2(files[0], 1)
        os.dup2(files[1], 2)
        signal.alarm(PATIENCE)
        # A background job of a shell starts with interrupts ignored, and hands that on.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        made = dataset_entries.DatasetEntry(**entry)
        dataset_entries.dataset_entries = lambda: {made.name: made}
        # Downloads of a few kilobytes are to have several moments, too.
        download._CHUNK = 4096
        if call.largest_file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (call.largest_file,) * 2)
        if call.watched:
            moments = _Moments(call, files[2])
            download.TransferReporter.update = lambda *_: moments.come("piece of a download")
            sys.addaudithook(moments.hear)
        sys.argv = ["derainbench", *call.arguments]
        cli.main()
    except SystemExit as ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code or 0)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    os._exit(99)


class _Moments:
    """Counts moments; at the one that was chosen, the event happens."""

    _HEARD = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod")

    def __init__(self, call: Call, log: int) -> None:
        self._call, self._log, self._count = call, log, 0

    def hear(self, what: str, arguments: tuple) -> None:
        if what in self._HEARD:
            path = os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else ""
            below = what in ("os.remove", "os.rmdir") and arguments[-1] != -1  # rmtree's
            reads = what == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)
            takes_room = not reads and what in ("open", "os.mkdir", "os.rename")
            if (path.startswith(self._call.watched) or below) and (
                takes_room or self._call.event != "full"
            ):
                self.come(f"{'read' if reads else what} {path}")

    def come(self, what: str) -> None:
        self._count += 1
        os.write(self._log, f"{what}\n".encode(errors="replace"))
        if self._count != self._call.moment:
            return
        if self._call.event in _SIGNALS:
            os.kill(os.getpid(), _SIGNALS[self._call.event])
        if self._call.event == "full":
            raise OSError(28, "No space left on device")


if __name__ == "__main__":
    main()
