"""Jobs that the system kills for want of memory: one line, a larger second attempt, and a next run that goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from helpers import ROOT

from derainbench import cli
from derainbench.workflow import failures

CONFIG = {
    "name": "hungry",
    "label": "smoke",
    "title": "A training that is killed",
    "papers": ["esdnet"],
    "datasets": {
        "rain": {"kind": "synthetic", "rain": "light", "size": 64, "train": 4, "val": 1, "test": 1}
    },
    "runs": {
        "analog": {
            "model": "prn_r",
            "kwargs": {"recurrent_iter": 1},
            "train": {
                "dataset": "rain",
                "seeds": [1],
                "set": {
                    **{"epochs": 12, "warmup_epochs": 1, "batch_size": 2, "crop": 16},
                    **{"val_crop": 32, "validate_every": 6},
                },
            },
            "test": ["rain"],
        }
    },
    "figures": {"dataset": "rain"},
}
WEIGHTS = "results/hungry/runs/analog/seed-1/model.safetensors"
LOG = "results/hungry/logs/train/analog/seed-1.log"
PATIENCE = 300  # seconds, on a busy machine


def started(folder: Path, *options: str) -> subprocess.Popen:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "derainbench.workflow", "--cores", "1", *options),
            *("--snakefile", ROOT / "Snakefile", "--configfile", folder / "hungry.yaml"),
            *("--", WEIGHTS),
        ],
        cwd=folder,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        | {"DERAINBENCH_CHECKPOINTS": str(folder / "checkpoints")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def training_of(run: subprocess.Popen, folder: Path) -> psutil.Process:
    """The process that computes, once its training has a checkpoint: a fork, as large as it gets."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and run.poll() is None:
        with suppress(psutil.Error):  # a process that ends meanwhile
            below = psutil.Process(run.pid).children(recursive=True)
            servers = [p for p in below if "derainbench.workflow.fork_server" in p.cmdline()]
            forks = [p for p in servers if p.parent() in servers]
            jobs = [p for p in below if p.cmdline()[2:4] == ["derainbench", "train"]]
            if jobs and forks and [*(folder / "checkpoints").glob("[!.]*.pt")]:
                return forks[0]
        time.sleep(0.05)
    raise AssertionError(run.communicate())


@pytest.mark.slow
def test_a_job_that_is_killed_for_want_of_memory_is_said_tried_larger_and_gone_on_with(tmp_path):
    (tmp_path / "hungry.yaml").write_text(json.dumps(CONFIG))
    run = started(tmp_path)
    training_of(run, tmp_path).send_signal(signal.SIGKILL)  # as the kernel does
    out, err = run.communicate(timeout=PATIENCE)
    assert run.returncode
    said = [line for line in err.splitlines() if line.startswith("derainbench: error: ")]
    assert len(said) == 1 and "Traceback" not in err
    assert said[0].startswith(f"derainbench: error: train ({LOG}): killed (signal 9)")
    assert failures.GOES_ON in said[0]
    assert not (tmp_path / WEIGHTS).exists()

    run = started(tmp_path, "--retries", "1")
    training_of(run, tmp_path).send_signal(signal.SIGKILL)
    out, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, err
    whole = (tmp_path / re.search("Whole log: (.+)", out)[1]).read_text()
    assert re.findall(r"mem_mb=(\d+)", whole) == ["16000", "24000"]
    assert "resumed after" in (tmp_path / LOG).read_text()
    assert (tmp_path / WEIGHTS).is_file()
    assert [*(tmp_path / "results").rglob(".*@*")] == []


ALLOCATIONS = {
    "torch": (lambda: torch.empty(1 << 50), "can't allocate memory: you tried to allocate"),
    "numpy": (lambda: np.empty(1 << 50), "Unable to allocate 8.00 PiB"),
    "Python": (lambda: bytearray(1 << 50), ""),
}


@pytest.mark.parametrize("library", ALLOCATIONS)
def test_a_verb_whose_memory_runs_out_says_so_in_a_line(library, monkeypatch, capsys):
    allocate, detail = ALLOCATIONS[library]
    monkeypatch.setattr(cli, "guarded", lambda group: lambda **_: allocate())
    monkeypatch.setattr(sys, "argv", ["derainbench", "models"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1 and said.count("\n") == 1
    assert said.startswith("derainbench: error: not enough memory") and detail in said


def test_another_error_of_torch_is_not_taken_for_want_of_memory(monkeypatch):
    monkeypatch.setattr(cli, "guarded", lambda group: lambda **_: torch.zeros(2) @ torch.zeros(3))
    with pytest.raises(RuntimeError, match="size"):
        cli.main()


def failed(*ends: str) -> list[str]:
    """Snakemake's lines on jobs that ended in these ways."""
    lines = []
    for number, end in enumerate(ends):
        lines += ["RuleException:", f"Command '…' {end}", "Error in rule train:"]
        lines += [f"    log: logs/{number}.log (check log file(s) for error details)"]
    return lines


def test_what_is_known_of_how_a_job_was_killed_is_said(tmp_path):
    by_signal, by_shell = "died with <Signals.SIGKILL: 9>.", "returned non-zero exit status 137."

    def said(end: str, memory: int | None) -> str:
        (line,) = failures.reasons(failed(end), tmp_path, memory)
        return line.removeprefix("train (logs/0.log): ")

    for end in (by_signal, by_shell):
        assert (
            said(end, None) == f"killed (signal 9) for want of memory, probably; {failures.LARGER}"
        )
        assert "by hand or by a scheduler" in said(end, 0)
        assert "for want of memory, as the machine's count" in said(end, 1)
    by_crash = "returned non-zero exit status 139."
    assert said(by_crash, 0) == "ended by signal 11 (SIGSEGV); the same command goes on"
    assert said("returned non-zero exit status 1.", 0).startswith("ended without a word")


def test_several_jobs_are_told_apart(tmp_path):
    lines = failed("returned non-zero exit status 1.", "returned non-zero exit status 137.")
    first, second = failures.reasons(lines, tmp_path, None)
    assert "without a word" in first and second.startswith("train (logs/1.log): killed (signal 9)")


@pytest.fixture
def little_memory():
    """A control group of 60 MB; gives the file that takes the processes of it."""
    for place, limit in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        group = Path("/sys/fs/cgroup") / place / f"derainbench-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / limit).exists():
            (group / limit).write_text("60000000")
            yield group / "cgroup.procs"
            group.rmdir()
            return
        group.rmdir()
    pytest.skip("no control group can be made here: not root, or no memory controller")


def test_the_machine_counts_its_kills_for_want_of_memory(little_memory):
    hungry = f"echo $$ > {little_memory}; exec {sys.executable} -c 'bytearray(1 << 28)'"
    before = failures.kills_for_memory()
    assert subprocess.run(["bash", "-c", hungry]).returncode == -signal.SIGKILL
    assert failures.kills_for_memory() == before + 1
