"""A training that a scheduler tells to stop keeps its step, and goes on after it."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from helpers import ROOT
from test_resume import FIELDS, KWARGS, assert_same_result

from derainbench.catalog.recipes import load_recipe
from derainbench.foundation.stop_requests import EXIT_STATUS, Stopped, stop_requests
from derainbench.training import interruption, loop, losses

STEPS = 4  # of an epoch: 8 crops, two at a time
STOCHASTIC = {
    "model": "uformer_s",
    "kwargs": {"img_size": 16, "embed_dim": 4, "depths": [2] * 9, "win_size": 2},
}


@pytest.fixture
def data(paired_set):
    return paired_set(splits={"train": 4, "val": 2}, size=(20, 24))


@pytest.fixture
def train(tmp_path, data):
    def run(out, model="esdnet", kwargs=KWARGS, **fields):
        loop.train(
            model_name=model,
            model_kwargs=kwargs,
            data=data,
            recipe=load_recipe("esdnet", {**FIELDS, "epochs": 3, **fields}),
            seed=7,
            out=tmp_path / out,
            device="cpu",
            checkpoint_folder=str(tmp_path / f"checkpoints-{out.partition(' ')[0]}"),
        )
        return tmp_path / out

    return run


@pytest.fixture
def in_step(monkeypatch):
    """Makes something happen in a step, counted over all epochs from 1; gives the steps done."""

    def arrange(number=0, happen=lambda: None):
        steps, ssim_loss = [], losses.LOSSES["ssim"]

        def counted(*images):
            steps.append(None)
            if len(steps) == number:
                happen()
            return ssim_loss(*images)

        monkeypatch.setitem(losses.LOSSES, "ssim", counted)
        return steps

    yield arrange


def told_to_stop(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(
    ("step", "setting"),
    [(1, {}), (2 * STEPS, {}), (STEPS + 2, STOCHASTIC)],
    ids=["the first", "the last of an epoch", "with stochastic depth"],
)
def test_a_run_told_to_stop_ends_the_step_it_is_in_and_goes_on_after_it(
    step, setting, train, in_step, monkeypatch
):
    whole = train("whole", **setting)
    with monkeypatch.context():
        in_step(step, told_to_stop)
        with pytest.raises(Stopped, match=r"SIGTERM; the same call goes on there$"):
            train("stopped", **setting)
    torch.rand(5)  # whatever else the process did
    rest = in_step()
    assert_same_result(whole, train("stopped", **setting))
    assert len(rest) == 3 * STEPS - step


def test_a_run_told_to_stop_while_it_validates_ends_after_that_epoch(train, in_step, monkeypatch):
    whole, psnr = train("whole"), loop.selection_psnr

    def told(*arguments):
        told_to_stop(signal.SIGUSR1)
        return psnr(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "selection_psnr", told)
        with pytest.raises(Stopped, match="after epoch 1 on SIGUSR1"):
            train("stopped")
    rest = in_step()
    assert_same_result(whole, train("stopped"))
    assert len(rest) == STEPS


def test_a_run_whose_last_epoch_is_over_ends_well_when_it_is_told_to_stop(train, monkeypatch):
    write = loop._write_results
    monkeypatch.setattr(loop, "_write_results", lambda *a: (told_to_stop(), write(*a))[1])
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        assert (train("late") / "model.safetensors").is_file()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_long_epoch_is_kept_now_and_then_so_that_a_kill_costs_little(train, in_step, monkeypatch):
    def kill():
        raise KeyboardInterrupt

    whole = train("whole")
    monkeypatch.setattr(interruption, "KEPT_EVERY", 0)
    in_step(STEPS + 3, kill)
    with pytest.raises(KeyboardInterrupt):
        train("killed")
    rest = in_step()
    assert_same_result(whole, train("killed"))
    assert len(rest) == 3 * STEPS - (STEPS + 2)  # the step that was killed alone is done again


def test_signals_end_a_process_as_before_when_nothing_waits_for_them():
    before = signal.getsignal(signal.SIGTERM)
    with stop_requests() as request:
        told_to_stop()
        assert request.signal == "SIGTERM"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_job_told_to_stop_with_all_its_processes_ends_with_a_status_of_its_own(
    train, in_step, tmp_path, data
):
    command = [sys.executable, "-m", "derainbench", "train", "--model", "esdnet", "--seed", "7"]
    command += ["--data", data, "--out", tmp_path / "job", "--device", "cpu", "--workers", "1"]
    command += [f"--kwarg={k}={v}" for k, v in KWARGS.items()]
    command += [f"--set={k}={v}" for k, v in {**FIELDS, "epochs": 300}.items()]
    folder = tmp_path / "checkpoints"
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "DERAINBENCH_CHECKPOINTS": str(folder)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not list(folder.glob("[!.]*.pt")):
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGTERM)  # its data loader's worker as well
    errors = process.communicate()[1]
    assert process.returncode == EXIT_STATUS, errors
    assert errors.splitlines()[-1].startswith("derainbench: stopped after ")
    assert not (tmp_path / "job").exists()
