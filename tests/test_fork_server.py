"""Jobs that are forks of a process with everything imported: they run as they would by themselves."""

import faulthandler
import importlib.util
import itertools
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from helpers import run_process

from derainbench import cli
from derainbench.foundation.owner import FORK_SERVER
from derainbench.workflow import fork_call, fork_server
from derainbench.workflow.fingerprints import all_verbs

PATIENCE = 120  # seconds, on a busy machine


@contextmanager
def server(verb) -> Iterator[str]:
    """A server whose command line is a function; its standard input is open while the block lasts."""
    address = tempfile.mktemp(dir="/tmp")  # such an address may have a hundred characters
    listening, (reading, writing) = fork_server.listening_at(address), os.pipe()
    process = os.fork()
    if not process:
        try:
            os.close(writing)
            sys.stdin = os.fdopen(reading)
            fork_server.import_basics = lambda: None
            fork_server.import_for = lambda _: None
            cli.main = verb
            fork_server.serve(listening)
        except BaseException:
            os._exit(1)  # never on as a second run of the tests
        os._exit(0)
    os.close(reading)
    listening.close()
    try:
        yield address
    finally:
        os.close(writing)
        os.unlink(address)
        assert os.waitpid(process, 0)[1] == 0


@pytest.fixture(autouse=True)
def own_signals():
    """Callers are this process here, and hand signals on: the next test has them as they were."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def called(monkeypatch, capfd):
    """Calls a function as the command line, in a fork; gives status and standard output."""

    def call(verb, *arguments: str, threads: str = "1") -> tuple[int | None, str]:
        with server(verb) as address:
            monkeypatch.setenv(FORK_SERVER, address)
            monkeypatch.setenv("OMP_NUM_THREADS", threads)
            monkeypatch.setattr(sys, "argv", ["derainbench", *arguments])
            status = fork_call.status_of_fork()
        return status, capfd.readouterr().out

    return call


def test_a_fork_has_arguments_folder_environment_and_files_of_its_caller(
    called, tmp_path, monkeypatch
):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("SAID", "\udcff")  # bytes that are no text come through too

    def verb() -> None:
        print(os.getpid(), os.getcwd(), ascii(os.environ["SAID"]), *sys.argv[1:])

    status, said = called(verb, "audit", "--out", "x y")
    process, folder, *rest = said.split()
    assert status == 0
    assert int(process) != os.getpid() and folder == str(tmp_path / "work")
    assert rest == [r"'\udcff'", "audit", "--out", "x", "y"]


@pytest.mark.parametrize(("code", "status"), [(None, 0), (2, 2), (130, 130), ("message", 1)])
def test_a_fork_ends_with_its_status(called, code, status):
    assert called(lambda: sys.exit(code))[0] == status


def test_a_fork_that_breaks_is_a_failure(called):
    assert called(lambda: 1 / 0)[0] == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_of_a_fork_that_a_signal_ends_the_caller_ends_with_its_number(called, number):
    def verb() -> None:
        faulthandler.disable()  # of the tests, which would say where
        os.kill(os.getpid(), number)

    assert called(verb)[0] == 128 + number


def test_a_server_whose_run_is_killed_while_it_imports_ends_at_once():
    reading, writing = os.pipe()
    with socket.socket() as listening:
        process = os.fork()
        if not process:
            os.close(writing)
            sys.stdin = os.fdopen(reading)
            fork_server.import_basics = lambda: time.sleep(PATIENCE)
            with suppress(BaseException):
                fork_server.serve(listening)
            os._exit(0)
    os.close(reading)
    os.close(writing)
    began = time.monotonic()
    assert os.waitpid(process, 0)[1] == 0
    assert time.monotonic() - began < PATIENCE / 2


def test_processes_of_a_fork_can_be_waited_for(called):
    def verb() -> None:
        sys.exit(os.waitstatus_to_exitcode(os.system("exit 3")))

    assert called(verb)[0] == 3


def test_without_a_server_or_with_several_threads_nothing_is_forked(called, monkeypatch, tmp_path):
    assert called(lambda: print("forked"), threads="2") == (None, "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert fork_call.status_of_fork() is None  # it is gone
    monkeypatch.setenv(FORK_SERVER, str(tmp_path / "nowhere"))
    assert fork_call.status_of_fork() is None
    monkeypatch.delenv(FORK_SERVER)
    assert fork_call.status_of_fork() is None


def test_another_copy_of_the_project_is_not_run_by_this_one(called, monkeypatch):
    request = fork_call.request
    monkeypatch.setattr(fork_call, "request", lambda: request() | {"package": "/elsewhere"})
    assert called(lambda: print("forked")) == (None, "")


def test_a_fork_ends_with_its_caller(tmp_path, monkeypatch):
    said = tmp_path / "process"

    def verb() -> None:
        said.write_text(str(os.getpid()))
        time.sleep(PATIENCE)

    with server(verb) as address:
        monkeypatch.setenv(FORK_SERVER, address)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        caller = os.fork()
        if not caller:
            fork_call.status_of_fork()
            os._exit(0)
        wait_for(lambda: said.exists() and said.read_text())
        os.kill(caller, signal.SIGKILL)
        os.waitpid(caller, 0)
        wait_for(lambda: not is_running(int(said.read_text())))


def wait_for(condition) -> None:
    end = time.monotonic() + PATIENCE / 2
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_verb_gives_the_same_in_a_fork(monkeypatch, capfd):
    """The real server, with all its imports; refusals are the quickest answers."""
    arguments = ("audit", "--config", "nowhere.json", "--out", "results/x")
    alone = run_process(*arguments)
    assert alone.code == 1 and alone.stderr.startswith("derainbench: error: nowhere.json")
    with fork_server.serving() as environment:
        for name, value in (environment | {"OMP_NUM_THREADS": "1"}).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["derainbench", *arguments])
        status = fork_call.status_of_fork()
    said = capfd.readouterr()
    assert (status, said.out, said.err) == (alone.code, alone.stdout, alone.stderr)


@pytest.mark.parametrize(
    ("words", "verb"),
    [
        (["train", "--model", "x"], "train"),
        (["data", "verify", "x"], "data verify"),
        (["data"], None),
        (["--help"], None),
        ([], None),
    ],
)
def test_before_a_fork_the_server_imports_for_its_verb_alone(words, verb, monkeypatch):
    imported = []
    monkeypatch.setattr(fork_server, "import_for_verb", imported.append)
    fork_server.import_for(["derainbench", *words])
    assert imported == [verb] * bool(verb)


def test_what_libraries_import_late_is_there_and_so_are_its_users():
    named = {*fork_server._IMPORTED_LATE, *itertools.chain(*fork_server._IMPORTED_LATE.values())}
    assert [module for module in named if not importlib.util.find_spec(module)] == []


def test_verbs_are_named_as_on_the_command_line():
    assert {"train", "data verify", "energy-figures"} <= set(all_verbs())
