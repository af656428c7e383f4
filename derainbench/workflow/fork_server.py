"""A process that has imported what jobs of a run need, of which short jobs are forks.

Half of a small job is the import of its libraries. While a run lasts, a server waits for calls of
the command line (:mod:`derainbench.workflow.fork_call`); each becomes a fork of it and runs as it would by
itself: in its own process, with the arguments, folder, environment and open files of the caller, which
gives its exit status. What a rule is, what it logs and when it runs again stays the same. Before the first
fork for a verb the server imports what the verb does, so that a run imports once what its
calls need, and nothing else.
Python's own server for forks (:mod:`multiprocessing.forkserver`) takes functions from one program; this
one takes calls from a shell.

Without a server, for jobs of several threads or processes, and on other machines of a cluster, calls
import what they need. Of a fork Snakemake's benchmark files know the seconds alone.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
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
from collections.abc import Iterable, Iterator

from derainbench.foundation.owner import FORK_SERVER, OWNER, this_process
from derainbench.workflow.fork_call import ACCEPTED, STANDARD_FILES, STOPPING, Call, received

# What is imported when it is used first, by the modules whose jobs use it: torch for networks, and for
# shapes on the meta device, scipy for intervals and tests, matplotlib for files of vectors.
_IMPORTED_LATE = {
    "derainbench.config.checks": ("derainbench.models.construction",),
    "derainbench.energy.counter": (
        "torch.fx.experimental.symbolic_shapes",
        "spikingjelly._ops.lif.reference",
    ),
    "derainbench.report.figures.style": (
        "seaborn",
        "matplotlib.backends.backend_pdf",
        "matplotlib.backends.backend_svg",
        "fontTools.subset",
    ),
    "derainbench.report.tables.table": ("tabulate",),
    "derainbench.statistics": ("scipy.stats",),
}


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


def serve(listening: socket.socket) -> None:
    """Forks for every call, importing what its verb needs first, until the standard input ends.

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
        with _ending_with_caller():
            import_basics()
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if sys.stdin in ready:
                return
            if woken in ready:
                woken.recv(4096)
                _tell_of_ends(callers)
            if listening in ready:
                connection, _ = listening.accept()
                if (call := received(connection)) is None:
                    connection.close()
                    continue
                with _ending_with_caller():
                    import_for(call.arguments)
                process = os.fork()
                if not process:
                    signal.set_wakeup_fd(-1)
                    for other in (listening, woken, waker, *callers.values()):
                        other.close()
                    _become_job(connection, call)
                for file in call.files:
                    os.close(file)
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


def import_basics() -> None:
    """Imports what every run needs, whose first call is the check of its configuration.

    Code and packages, which every record names, are looked at once: a run is of one state of them.
    """
    from derainbench.foundation import provenance

    provenance.code_version()
    provenance.package_versions()
    import_for_verb("config check")


@functools.cache
def import_for_verb(verb: str) -> None:
    """Imports the modules of a verb, once; what cannot be imported is for the verb to say."""
    from derainbench.workflow.fingerprints import verb_modules

    _import(sorted(verb_modules(verb)))
    _import(name for user, late in _IMPORTED_LATE.items() if user in sys.modules for name in late)
    gc.freeze()  # no fork searches, and so copies, what it shares with the others


def _import(modules: Iterable[str]) -> None:
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def import_for(arguments: list[str]) -> None:
    """Imports what a call of the command line needs; nothing for one that names no verb."""
    from derainbench.workflow.fingerprints import all_verbs

    for words in (2, 1):
        if (verb := " ".join(arguments[1 : 1 + words])) in all_verbs():
            return import_for_verb(verb)


def _become_job(connection: socket.socket, call: Call) -> None:
    """Runs the call that came by a connection, and ends this process."""
    status = 1
    try:
        connection.sendall(ACCEPTED)
        threading.Thread(target=_end_with_caller, args=[connection], daemon=True).start()
        _take_over(call.files)
        _run(call)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        traceback.print_exc()
    finally:
        for number in STOPPING:  # the caller leaves when it knows the status
            signal.signal(number, signal.SIG_IGN)
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            connection.sendall((status & 255).to_bytes())
        os._exit(status)


def _take_over(files: list[int]) -> None:
    """Makes files of the caller the standard ones; objects of the server know its own by state."""
    for number, file in zip(STANDARD_FILES, files, strict=True):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace")


def _end_with_caller(connection: socket.socket) -> None:
    connection.recv(1)  # nothing is sent: returns when the caller is gone, or is to stop
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGTERM)  # to it, so that it wakes from what it waits for


def _run(call: Call) -> None:
    from derainbench.__main__ import main

    for number in STOPPING:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(call.folder)
    os.environ.clear()
    os.environ.update(call.environment)
    sys.argv = call.arguments
    main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
