"""A process that has imported everything, of which short jobs of a run are forks.

Half of a small job is the import of its libraries. While a run lasts, a server waits for calls of
the command line; each becomes a fork of it and runs as it would by itself: in its own process, with
the arguments, folder, environment and open files of the caller, which gives its exit status. What a
rule is, what it logs and when it runs again stays the same. Python's own server for forks
(:mod:`multiprocessing.forkserver`) takes functions from one program; this one takes calls from a
shell.

Without a server, for jobs of several threads or processes, and on other machines of a cluster, calls
import what they need. Of a fork Snakemake's benchmark files know the seconds alone.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import derainbench
from derainbench.foundation.owner import FORK_SERVER, OWNER, this_process

PACKAGE = str(Path(derainbench.__file__).parent)
_STANDARD_FILES = (0, 1, 2)
# What libraries import when they are used first: torch for shapes on the meta device, scipy for
# intervals and tests, matplotlib for files of vectors. Each job would do so by itself.
_IMPORTED_LATE = (
    "torch.fx.experimental.symbolic_shapes",
    "spikingjelly._ops.lif.reference",
    "scipy.stats",
    "seaborn",
    "matplotlib.backends.backend_pdf",
    "matplotlib.backends.backend_svg",
    "fontTools.subset",
    "tabulate",
)
_LENGTH = 8  # bytes of a request's length
_ACCEPTED = b"+"
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """A server that lives while the block does; gives the environment of those who call it.

    It is empty where there shall be no server (:data:`FORK_SERVER`) or can be none: a socket's address may
    have a hundred characters only, and CUDA does not outlive a fork, if a library has looked for GPUs
    when it was imported.
    """
    with tempfile.TemporaryDirectory() as folder:
        address = os.path.join(folder, "socket")
        try:
            without = os.environ.get(FORK_SERVER) == "" or shutil.which("nvidia-smi")
            listening = None if without else listening_at(address)
        except OSError:
            listening = None
        if listening is None:
            yield {}
            return
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(listening.fileno())],
            stdin=subprocess.PIPE,  # ends with this process, at which the server ends
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1", OWNER: this_process()},
            pass_fds=[listening.fileno()],
            process_group=0,  # what a terminal sends comes to forks through their callers
        )
        listening.close()
        try:
            yield {FORK_SERVER: address}
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # it may still be importing; and forks, if any
            with process:
                pass


def listening_at(address: str) -> socket.socket:
    """A socket that takes calls; they wait in it until they are accepted."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    return listening


def status_of_fork() -> int | None:
    """Runs this process's call of the command line in a fork of the server.

    Returns:
        Its exit status; None if there is no server for it: the call has not begun.
    """
    address = os.environ.get(FORK_SERVER)
    several = any(word.startswith("--processes") for word in sys.argv[1:])
    if not address or os.environ.get("OMP_NUM_THREADS") != "1" or several:
        return None
    content = json.dumps(request()).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            socket.send_fds(connection, [len(content).to_bytes(_LENGTH)], _STANDARD_FILES)
            connection.sendall(content)
            if connection.recv(1) != _ACCEPTED:
                return None
        except OSError:
            return None
        _hand_on_requests_to_stop(connection)
        return int.from_bytes(connection.recv(1) or b"\1")  # nothing: the server is gone as well


def _hand_on_requests_to_stop(connection: socket.socket) -> None:
    """From now on a request to stop this process stops its fork, whose status is still waited for."""

    def hand_on(*_: object) -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    for number in _STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hand_on)


def request() -> dict[str, Any]:
    """What a fork is told of this process, whose call it runs."""
    return {
        "package": PACKAGE,
        "arguments": sys.argv,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }


def serve(listening: socket.socket) -> None:
    """Imports everything, then forks for every call until the standard input ends.

    Of a fork that a signal ended, its caller is told that, as a shell tells it: 128 and the signal.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # callers hand requests to stop on
    signal.signal(signal.SIGCHLD, lambda *_: None)  # noticed below
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    callers: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for source in (listening, sys.stdin, woken):
            selector.register(source, selectors.EVENT_READ)
        with _ending_with_caller():  # calls wait no longer than they would take to import
            import_everything()
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if sys.stdin in ready:
                return
            if woken in ready:
                woken.recv(4096)
                _tell_of_ends(callers)
            if listening in ready:
                connection, _ = listening.accept()
                process = os.fork()
                if not process:
                    signal.set_wakeup_fd(-1)
                    for other in (listening, woken, waker, *callers.values()):
                        other.close()
                    _become_job(connection)
                callers[process] = connection


@contextlib.contextmanager
def _ending_with_caller() -> Iterator[None]:
    """In the block a thread looks after the standard input, and there is none any more after it.

    No thread lives when a call is forked: forks of it would take its locks along.
    """
    over, tell = os.pipe()

    def look() -> None:
        with selectors.DefaultSelector() as selector:
            for source in (sys.stdin, over):
                selector.register(source, selectors.EVENT_READ)
            if sys.stdin in [key.fileobj for key, _ in selector.select()]:
                os._exit(0)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        os.write(tell, b"+")
        thread.join()
        os.close(over)
        os.close(tell)


def _tell_of_ends(callers: dict[int, socket.socket]) -> None:
    """Looks for forks that have ended, and tells the callers of those that a signal ended."""
    for process in [*callers]:
        ended, status = os.waitpid(process, os.WNOHANG)
        if not ended:
            continue
        with callers.pop(process) as connection:
            if os.WIFSIGNALED(status):
                with contextlib.suppress(OSError):
                    connection.sendall((128 + os.WTERMSIG(status)).to_bytes())


def import_everything() -> None:
    """All modules that verbs import; what cannot be imported is for its verb to say.

    Code and packages, which every record names, are looked at once: a run is of one state of them.
    """
    from derainbench.foundation import provenance
    from derainbench.workflow.fingerprints import all_verbs, verb_modules

    of_verbs = {module for verb in all_verbs() for module in verb_modules(verb)}
    for module in (*of_verbs, *_IMPORTED_LATE):
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    provenance.code_version()
    provenance.package_versions()
    gc.freeze()  # no fork searches, and so copies, what it shares with the others


def _become_job(connection: socket.socket) -> None:
    """Runs the call that a connection brings, and ends this process."""
    status = 1
    try:
        first, files, *_ = socket.recv_fds(connection, _LENGTH, len(_STANDARD_FILES))
        called = _received(connection, int.from_bytes(first))
        if called["package"] != PACKAGE:  # another copy of this project
            os._exit(0)
        connection.sendall(_ACCEPTED)
        threading.Thread(target=_end_with_caller, args=[connection], daemon=True).start()
        _take_over(files)
        _call(called)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        traceback.print_exc()
    finally:
        for number in _STOPPING:  # the caller leaves when it knows the status
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            connection.sendall((status & 255).to_bytes())
        os._exit(status)


def _take_over(files: list[int]) -> None:
    """Makes files of the caller the standard ones; objects of the server know its own by state."""
    for number, file in zip(_STANDARD_FILES, files, strict=True):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")


def _received(connection: socket.socket, length: int) -> dict[str, Any]:
    with connection.makefile("rb") as stream:
        content: dict[str, Any] = json.loads(stream.read(length))
    return content


def _end_with_caller(connection: socket.socket) -> None:
    connection.recv(1)  # nothing is sent: returns when the caller is gone, or is to stop
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGTERM)  # to it, so that it wakes from what it waits for


def _call(called: dict[str, Any]) -> None:
    from derainbench.__main__ import main

    for number in _STOPPING:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(called["folder"])
    os.environ.clear()
    os.environ.update(called["environment"])
    sys.argv = called["arguments"]
    main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
