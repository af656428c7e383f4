"""A call of the command line that a workflow's server of forks runs: how it is asked for.

A process that calls the command line under a workflow asks the server
(:mod:`derainbench.workflow.fork_server`) to run the call, and waits for its status.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import derainbench
from derainbench.foundation.owner import FORK_SERVER

PACKAGE = str(Path(derainbench.__file__).parent)
STANDARD_FILES = (0, 1, 2)  # of the caller: they go to the server with the request
_LENGTH = 8  # bytes of a request's length
ACCEPTED = b"+"
_PATIENCE = 10.0  # seconds that a caller has for its request
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
            socket.send_fds(connection, [len(content).to_bytes(_LENGTH)], STANDARD_FILES)
            connection.sendall(content)
            if connection.recv(1) != ACCEPTED:
                return None
        except OSError:
            return None
        _hand_on_requests_to_stop(connection)
        return int.from_bytes(connection.recv(1) or b"\1")  # nothing: the server is gone as well


def request() -> dict[str, Any]:
    """What a fork is told of this process, whose call it runs."""
    return {
        "package": PACKAGE,
        "arguments": sys.argv,
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }


def _hand_on_requests_to_stop(connection: socket.socket) -> None:
    """From now on a request to stop this process stops its fork, whose status is still waited for."""

    def hand_on(*_: object) -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)

    for number in STOPPING:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, hand_on)


@dataclass(frozen=True)
class Call:
    """A call of the command line, as its caller would run it.

    Attributes:
        arguments: all of ``sys.argv``.
        folder: that it works in.
        environment: all of it.
        files: descriptors of its standard input, output and error.
    """

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    files: list[int]


def received(connection: socket.socket) -> Call | None:
    """What a caller asks for; None if it has gone, or its call is of another copy of this project."""
    connection.settimeout(_PATIENCE)
    files: list[int] = []
    try:
        first, files, *_ = socket.recv_fds(connection, _LENGTH, len(STANDARD_FILES))
        with connection.makefile("rb") as stream:
            called = json.loads(stream.read(int.from_bytes(first)))
        connection.settimeout(None)
        if called.pop("package") == PACKAGE:
            return Call(**called, files=files)
    except (OSError, ValueError):
        pass
    for file in files:
        os.close(file)
    return None
