"""What a killed workflow leaves is cleared by the next one, and what lives is left alone and named."""

import json
import os
import platform
import signal
import subprocess
import sys
import time

import pytest
from helpers import ROOT, one_line

from derainbench.config import schema
from derainbench.foundation import files, locks, owner
from derainbench.foundation.errors import BenchError
from derainbench.workflow import failures, recovery, run

GONE = f"{2**22 + 1}:1:{platform.node()}"  # no process can have this number


@pytest.fixture
def process(tmp_path):
    """Starts Python programs that work in the temporary folder, and ends them."""
    started = []

    def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-c", code, *arguments]
        variables = os.environ | {"PYTHONPATH": str(ROOT)} | environment
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        options = pipes | {"text": True}
        started.append(subprocess.Popen(command, cwd=tmp_path, env=variables, **options))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


SLEEP = "print('ready', flush=True); import time; time.sleep(60)"


@pytest.fixture
def lock(tmp_path):
    file = tmp_path / recovery.LOCKS / "0.output.lock"
    file.parent.mkdir(parents=True)
    file.write_text("results/x\n")
    return file


def test_a_lock_whose_owner_is_gone_is_removed(tmp_path, lock, capsys):
    recovery.note_owner(tmp_path, GONE)
    recovery.clear(tmp_path)
    assert not lock.exists()
    assert list((tmp_path / recovery.OWNERS).iterdir()) == []
    assert capsys.readouterr().err == (
        "derainbench: the workflow before this one was killed; its lock is removed\n"
    )
    recovery.clear(tmp_path)
    assert capsys.readouterr().err == ""


def test_a_lock_whose_owner_lives_stays_and_the_owner_is_named(tmp_path, lock, process):
    snakemake = process(SLEEP, "snakemake")
    snakemake.stdout.readline()
    recovery.clear(tmp_path)
    assert lock.exists()
    [said] = recovery.living(tmp_path)
    assert said.startswith(f"process {snakemake.pid}, since 20")
    assert said.endswith(f", in {tmp_path}")
    snakemake.kill()
    snakemake.wait()
    recovery.clear(tmp_path)
    assert not lock.exists()


def test_a_lock_of_another_machine_stays(tmp_path, lock):
    recovery.note_owner(tmp_path, "7:1:elsewhere")
    recovery.clear(tmp_path)
    assert lock.exists()
    assert recovery.living(tmp_path)[0].startswith("process 7 on elsewhere, since ")


def test_a_damaged_note_of_an_owner_counts_as_none(tmp_path, lock):
    for number, text in enumerate(("", "{}", "[]", '{"DERAINBENCH_OWNER": 1, "since": 2}')):
        files.write_text(tmp_path / recovery.OWNERS / f"{number}.json", text)
    assert recovery.living(tmp_path) == []
    recovery.clear(tmp_path)
    assert not lock.exists()


def test_jobs_of_a_workflow_that_is_gone_are_ended(tmp_path, process, capsys):
    orphan = process(SLEEP, **{owner.OWNER: GONE})
    ours = process(SLEEP, **{owner.OWNER: f"{os.getpid()}:{owner._start(os.getpid())}:x"})
    for started in (orphan, ours):
        started.stdout.readline()
    recovery.clear(tmp_path)
    assert not owner._start(orphan.pid)
    assert ours.poll() is None
    assert "1 job of a workflow that has ended went on; stopped" in capsys.readouterr().err


PARENT = """
import os, subprocess, sys
from derainbench.foundation import owner
os.environ[owner.OWNER] = owner.this_process()
job = "import time\\nfrom derainbench.foundation import owner\\nowner.end_with_owner()\\n"
job += "print('ready', flush=True)\\ntime.sleep(60)"
command = ["bash", "-c", f'set -e; "{sys.executable}" -c "$0"; true', job]
process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
process.stdout.readline()
children = open(f"/proc/{process.pid}/task/{process.pid}/children").read()
print(children.split()[0], flush=True)
process.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_a_job_ends_with_its_workflow_through_the_shell_between(process):
    parent = process(PARENT)
    job = int(parent.stdout.readline())
    parent.kill()
    deadline = time.monotonic() + 10
    while owner._start(job) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not owner._start(job)


OWNED = "import sys; from derainbench.workflow.owned import main; sys.argv[1:] = ['busy']; main()"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 128 + signal.SIGINT), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_snakemake_that_is_told_to_end_while_it_imports_says_nothing(
    process, tmp_path, number, status
):
    (tmp_path / "busy.py").write_text(SLEEP)
    owned = process(OWNED)
    owned.stdout.readline()
    owned.send_signal(number)
    assert owned.communicate(timeout=10)[1] == ""
    assert owned.returncode == status


CLEARING = """
import sys, time
from derainbench.foundation.stopping import stop_orderly
stop_orderly()
try:
    print("ready", flush=True)
    time.sleep(60)
finally:
    print("clearing", flush=True)
    sys.stdin.readline()
    print("cleared", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_request_to_end_does_not_break_what_the_first_one_clears_up(process, number):
    job = process(CLEARING)
    job.stdout.readline()
    job.send_signal(signal.SIGTERM)
    assert job.stdout.readline() == "clearing\n"
    job.send_signal(number)
    assert job.communicate("\n", timeout=10) == ("cleared\n", "")
    assert job.returncode == 128 + signal.SIGTERM


def test_a_process_is_told_from_another_one_of_its_number():
    mine = owner.this_process()
    assert owner.is_here(mine) and owner.is_alive(mine)
    process, start, machine = mine.split(":", 2)
    assert not owner.is_alive(f"{process}:{start}1:{machine}")
    assert not owner.is_here(f"{process}:{start}:elsewhere")
    assert not owner.is_here("")


def test_temporaries_of_dead_processes_are_swept(tmp_path, monkeypatch):
    living = tmp_path / "a" / f"{files.temporary_prefix('.table.')}abcdefgh.csv"
    files.write_text(living, "half")
    files.write_text(tmp_path / ".profile", "the user's")
    monkeypatch.setattr(os, "getpid", lambda: 2**22 + 1)
    dead = [
        tmp_path / "a" / f"{files.temporary_prefix('.table.')}abcdefgh.csv",
        tmp_path / f"{files.temporary_prefix(files.STAGE_PREFIX)}abcdefgh" / "x.csv",
    ]
    for file in dead:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("half")
    assert recovery.sweep([tmp_path, tmp_path / "missing"]) == 2
    left = sorted(p.name for p in tmp_path.rglob("*") if p.is_file())
    assert left == sorted([living.name, ".profile"])


def test_a_lock_dies_with_its_process(tmp_path, process):
    code = f"from derainbench.foundation import locks\nfrom pathlib import Path\nwith locks.held(Path('x.lock'), 'it'): {SLEEP.replace('; ', chr(10) + ' ')}"
    holder = process(code.replace("print", "\n print", 1))
    assert holder.stdout.readline() == "ready\n", holder.communicate()
    with pytest.raises(BenchError) as refused, locks.held(tmp_path / "x.lock", "it"):
        pass
    said = one_line(refused.value)
    assert said.startswith(f"it: process {holder.pid} on {platform.node()} works on it since 20")
    assert said.endswith(f", in {tmp_path}; wait for it, or end it")
    holder.kill()
    holder.wait()
    with locks.held(tmp_path / "x.lock", "it"):
        assert (tmp_path / "x.lock").exists()
    assert not (tmp_path / "x.lock").exists()


@pytest.mark.parametrize("module", ["derainbench", "derainbench.workflow"])
def test_an_interrupt_while_everything_is_imported_ends_in_one_line(module, process):
    code = f"""
import os, runpy, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name in ("typer", "rich"):
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
runpy.run_module({module!r}, run_name="__main__")
"""
    interrupted = process(code)
    assert interrupted.communicate(timeout=60) == ("", "derainbench: stopped\n")
    assert interrupted.returncode == 130


def test_snakemake_ends_with_a_run_that_is_killed_before_it_has_read_a_rule(process, tmp_path):
    slow = "import os\nprint(os.getpid(), flush=True)\nimport time\ntime.sleep(60)\n"
    (tmp_path / "snakemake.py").write_text(slow)
    code = """
import sys
from derainbench.workflow import run
run.follow = lambda lines: print(next(iter(lines)), flush=True) or list(lines)
run.main([])
"""
    killed = process(code, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    below = int(killed.stdout.readline())
    killed.kill()
    deadline = time.monotonic() + 30
    while owner._start(below) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not owner._start(below)


def test_a_run_that_is_stopped_ends_snakemake_and_says_how_to_go_on(process, tmp_path):
    snakemake = tmp_path / "snakemake.py"
    snakemake.write_text("import os\nprint(os.getpid(), flush=True)\nimport time\ntime.sleep(60)\n")
    code = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from derainbench.workflow import run
run.follow = lambda lines: print(next(iter(lines)), flush=True) or list(lines)
sys.exit(run.main([]))
"""
    stopped = process(code, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    below = int(stopped.stdout.readline())
    stopped.send_signal(signal.SIGINT)
    _, said = stopped.communicate(timeout=30)
    assert said == "derainbench: stopped by SIGINT; the next run goes on from here\n"
    assert stopped.returncode == 130
    assert not owner._start(below)


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [(["-d", "x"], "x"), (["--cores", "1", "--directory=y"], "y"), (["--cores", "1"], ".")],
)
def test_the_folder_is_the_one_that_snakemake_works_in(arguments, folder):
    assert str(recovery.folder_of(arguments)) == folder


def test_trainings_that_diverged_are_told_from_other_failures(tmp_path):
    logs = {
        "a": "train a: 1/3\nderainbench: error: training diverged in epoch 3: in step 1 x\n",
        "b": "derainbench: error: no such folder\n",
    }
    for name, text in logs.items():
        files.write_text(tmp_path / f"results/n/logs/train/{name}/seed-1.log", text)
    lines = []
    for name in ("a", "b", "missing"):
        log = f"results/n/logs/train/{name}/seed-1.log"
        lines += ["Error in rule train:", f"    log: {log} (check log file(s) for error details)"]
    reason = "training diverged in epoch 3: in step 1 x"
    assert failures.diverged(lines, tmp_path) == {"a/seed-1": reason}
    said = failures.reasons(lines, tmp_path)
    log = "results/n/logs/train/{}/seed-1.log"
    assert said == [
        f"train ({log.format('a')}): {reason}",
        f"train ({log.format('b')}): no such folder",
        f"train ({log.format('missing')}): ended without a word: killed, perhaps for want of memory; "
        f"{failures.LARGER}",
    ]


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (1, "derainbench: error: run a: no width of 0\n", "run a: no width of 0"),
        (1, "a warning\nderainbench: error: no such model\n", "no such model"),
        (-9, "", "the check of it ended with status -9; the same command goes on"),
        (
            1,
            "Fatal Python error: init_import_site\nTraceback (most recent call last):\n"
            '  File "<frozen site>", line 616, in <module>\nKeyboardInterrupt\n',
            "the check of it ended with status 1 (KeyboardInterrupt); the same command goes on",
        ),
    ],
)
def test_a_check_that_a_signal_ended_is_said_in_a_line(status, said, told):
    assert failures.said_by_check(status, said) == told


def test_a_disk_that_is_full_while_snakemake_writes_is_said_in_a_line(tmp_path):
    lines = [
        "Traceback (most recent call last):",
        "OSError: [Errno 28] No space left on device: 'x'",
    ]
    [said] = failures.reasons(lines, tmp_path)
    assert said.startswith(f"{tmp_path}: No space left on device (")
    assert failures.reasons(["WorkflowError:", "something else"], tmp_path) == []


@pytest.mark.parametrize("folder", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_to_is_said_before_anything_starts(
    folder, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(run, "_run", None)
    assert run.main(["--directory", str(tmp_path / folder)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"derainbench: error: {tmp_path / folder}: cannot be written (")


def training(**more: object) -> dict:
    return {"model": "prn_r", "train": {"dataset": "d", "seeds": [1, 2]}, "test": ["d"], **more}


def configuration(**without: str) -> schema.Config:
    values = {
        "name": "n",
        "label": "smoke",
        "title": "t",
        "datasets": {"d": {"kind": "synthetic", "rain": "light", "train": 2, "val": 1, "test": 1}},
        "runs": {"a": training(), "b": training()},
        "figures": {"dataset": "d"},
        "without": without,
    }
    return schema.parse(values, "configuration")


def test_a_configuration_goes_on_without_what_failed():
    config = configuration(**{"a/seed-1": "x", "b/seed-1": "y", "b/seed-2": "z"})
    assert list(config.evaluations()) == [("a", "seed-2", "d")]
    again = schema.parse(json.loads(config.model_dump_json()), "recorded")
    assert again == config
    with pytest.raises(BenchError, match="no run is left: x"):
        configuration(**{f"{r}/seed-{s}": "x" for r in "ab" for s in (1, 2)})
    assert "without" not in configuration().model_dump()


def test_after_a_divergence_the_rest_is_run_and_the_failed_one_named(monkeypatch, capsys, tmp_path):
    calls, reason = [], {"a/seed-1": "training diverged in epoch 0"}

    def once(arguments, folder, without, forks):
        calls.append(dict(without))
        return (0 if without else 1), ["log of the first"]

    monkeypatch.setattr(run, "_run", once)
    monkeypatch.setattr(failures, "diverged", lambda *_: reason)
    monkeypatch.chdir(tmp_path)
    assert run.main([]) == 1
    assert calls == [{}, reason]
    said = "derainbench: missing in all results: a/seed-1: training diverged in epoch 0\n"
    assert capsys.readouterr().err == said


def test_times_that_lie_in_the_future_become_the_present(tmp_path):
    ahead, past = time.time() + 3600, time.time() - 3600
    for name, moment in (("made/a.csv", ahead), ("made/deep/b.csv", ahead), ("c.csv", past)):
        files.write_text(tmp_path / "results" / name, name)
        os.utime(tmp_path / "results" / name, (moment, moment))
    os.utime(tmp_path / "results/made", (ahead, ahead))
    assert recovery.bring_back([tmp_path / "results", tmp_path / "none"]) == 3
    times = {f.name: f.stat().st_mtime for f in (tmp_path / "results").rglob("*")}
    assert max(times.values()) <= time.time() and times["c.csv"] == past
    assert recovery.bring_back([tmp_path / "results"]) == 0
