"""A run that was stopped, or killed, goes on to the weights of one that was not."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import torch
from helpers import ROOT, one_line, read_json, same_state, tree
from safetensors.torch import load_file

from derainbench.catalog.recipes import load_recipe
from derainbench.foundation import owner
from derainbench.foundation.errors import BenchError
from derainbench.training import checkpoint_files, checkpoints, loop, losses

KWARGS = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1], "T": 1}
FIELDS = {
    "epochs": 5,
    "warmup_epochs": 1,
    "batch_size": 2,
    "crop": 16,
    "crops_per_image": 2,
    "val_crop": 16,
    "validate_every": 2,
}


@pytest.fixture
def data(paired_set):
    return paired_set(splits={"train": 4, "val": 2}, size=(20, 24))


@pytest.fixture
def train(tmp_path, data):
    def run(out, checkpoint_folder="checkpoints", seed=7, model="esdnet", kwargs=KWARGS, **fields):
        loop.train(
            model_name=model,
            model_kwargs=kwargs,
            data=data,
            recipe=load_recipe("esdnet", {**FIELDS, **fields}),
            seed=seed,
            out=tmp_path / out,
            device="cpu",
            checkpoint_folder=str(tmp_path / checkpoint_folder),
        )
        return tmp_path / out

    return run


def assert_same_result(one, two) -> None:
    first, second = (load_file(out / "model.safetensors") for out in (one, two))
    assert same_state(first, second)
    rows = [pd.read_csv(out / "history.csv").drop(columns="seconds") for out in (one, two)]
    pd.testing.assert_frame_equal(*rows, check_exact=True)
    facts = [read_json(out / "training.json") for out in (one, two)]
    assert [f.pop("seconds") > 0 for f in facts] == [True, True]
    assert facts[0] == facts[1]


def stop_after(monkeypatch, epochs: int) -> None:
    """Makes training stop right after the checkpoint of this many epochs."""
    save = checkpoints.save

    def save_and_stop(path, progress, *rest):
        save(path, progress, *rest)
        if progress.epochs_done == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", save_and_stop)


@pytest.mark.parametrize("epochs", [1, 2, 4])
def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    epochs, train, tmp_path, monkeypatch, capsys
):
    whole = train("whole", "others")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, epochs)
        train("stopped")
    assert not (tmp_path / "stopped").exists()
    capsys.readouterr()
    stopped = train("stopped")
    assert f"resumed after {epochs} of 5" in capsys.readouterr().err
    assert_same_result(whole, stopped)
    assert list((tmp_path / "checkpoints").iterdir()) == []


# 8 crops make epochs of 4, 3 (cut short), 2 and 1 steps; crops of 24 pixels need 4 more rows.
PROGRESSIVE = {
    "epochs": None,
    "crop": None,
    "batch_size": None,
    "progressive": [
        {"steps": 7, "crop": 16, "batch_size": 2},
        {"steps": 3, "crop": 24, "batch_size": 5},
    ],
    "pad": True,
    "augment": ["hflip", "vflip", "rot90"],
    "schedule": "cosine",
    "hold": 2,
}


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_stopped_progressive_run_goes_on_as_if_it_had_not_stopped(
    epochs, train, monkeypatch, capsys
):
    whole = train("whole", "others", **PROGRESSIVE)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, epochs)
        train("stopped", **PROGRESSIVE)
    stopped = train("stopped", **PROGRESSIVE)
    assert f"resumed after {epochs} of 4" in capsys.readouterr().err
    assert_same_result(whole, stopped)


def test_stochastic_depth_draws_alike_after_a_stop(train, monkeypatch):
    uformer = {
        "model": "uformer_s",
        "kwargs": {"img_size": 16, "embed_dim": 4, "depths": [2] * 9, "win_size": 2},
    }
    whole = train("whole", "others", **uformer)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 2)
        train("stopped", **uformer)
    torch.rand(5)  # whatever else the process did
    assert_same_result(whole, train("stopped", **uformer))


def test_a_run_stopped_inside_an_epoch_repeats_that_epoch(train, tmp_path, monkeypatch):
    whole = train("whole", "others")
    calls, ssim_loss = [], losses.LOSSES["ssim"]

    def interrupted(*images):
        calls.append(None)
        if len(calls) == 6:  # the second of four steps in the second epoch
            raise KeyboardInterrupt
        return ssim_loss(*images)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(losses.LOSSES, "ssim", interrupted)
        train("stopped")
    assert len(list((tmp_path / "checkpoints").iterdir())) == 1
    assert_same_result(whole, train("stopped"))


@pytest.mark.parametrize("change", [{"seed": 8}, {"lr": 2e-3}, {"epochs": 6}], ids=str)
def test_a_checkpoint_serves_only_a_run_with_equal_settings(change, train, monkeypatch, capsys):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 2)
        train("stopped")
    capsys.readouterr()
    train("other", **change)
    assert "resumed" not in capsys.readouterr().err


def test_a_checkpoint_serves_only_a_run_on_equal_images(train, data, monkeypatch, capsys):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 2)
        train("stopped")
    for side in ("input", "target"):
        (data / "train" / side / "03.png").unlink()
    capsys.readouterr()
    train("other")
    assert "resumed" not in capsys.readouterr().err


@pytest.mark.parametrize("both", [False, True], ids=["the last", "both"])
def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    both, train, tmp_path, monkeypatch, capsys
):
    whole = train("whole", "others")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 3)
        train("stopped")
    last, before = sorted((tmp_path / "checkpoints").iterdir(), key=lambda f: len(f.name))
    assert before == checkpoint_files.before(last)
    for file in (last, before)[: 1 + both]:
        file.write_bytes(file.read_bytes()[:-1000])
    capsys.readouterr()
    stopped = train("stopped")
    said = capsys.readouterr().err
    assert f"{last}: damaged checkpoint" in said
    assert ("resumed after 2 of 5" in said) != both
    assert_same_result(whole, stopped)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_no_damage_of_a_checkpoint_goes_unnoticed(tmp_path):
    model = torch.nn.Linear(30, 30)
    file = tmp_path / "x.pt"
    checkpoints.save(file, checkpoints.Progress(1), model, torch.optim.Adam(model.parameters()))
    content, draw = file.read_bytes(), random.Random(0)
    assert checkpoints.read(file)["progress"]["epochs_done"] == 1
    for number in range(180):
        damaged = bytearray(content)
        place = draw.randrange(len(content))
        match number % 4:
            case 0:
                damaged[place] ^= 1 << draw.randrange(8)
            case 1:
                del damaged[place:]
            case 2:
                damaged[place : place + 512] = bytes(len(damaged[place : place + 512]))
            case 3:
                damaged[place:place] = b"x"
        if bytes(damaged) == content:  # zeros over zeros
            continue
        file.write_bytes(damaged)
        with pytest.raises(checkpoint_files.Damaged):
            checkpoints.read(file)


def test_only_one_process_trains_from_a_checkpoint(train, tmp_path, monkeypatch):
    run_epoch, said = loop.run_epoch, []

    def second(*arguments):
        if not said:
            with pytest.raises(BenchError) as refused:
                said.append(None)
                train("second")
            said[0] = one_line(refused.value)
        return run_epoch(*arguments)

    monkeypatch.setattr(loop, "run_epoch", second)
    train("first")
    assert re.search(rf"\.pt: this training: process {os.getpid()} on .+ since .+, in /", said[0])
    assert not (tmp_path / "second").exists()
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_temporaries_of_a_killed_checkpoint_are_swept(train, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 1)
        train("stopped")
    [checkpoint] = (tmp_path / "checkpoints").iterdir()
    (tmp_path / "checkpoints" / f".{checkpoint.stem}.123@x-abcdefgh.pt").write_bytes(b"half")
    train("stopped")
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_what_a_killed_workflow_had_trained_is_not_trained_again(train, tmp_path, monkeypatch):
    """Snakemake deletes the outputs of jobs that it saw no end of."""
    monkeypatch.setenv(owner.OWNER, "1:1:elsewhere")
    out = train("job")
    before = tree(out)
    shutil.rmtree(out)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run_epoch", None)
        assert_same_files(before, tree(train("job")))
    folder = tmp_path / "checkpoints"
    checkpoint_files.remove_finished([tmp_path / "other"], str(folder))
    assert len(list(folder.iterdir())) == 1
    checkpoint_files.remove_finished([out], str(folder))
    assert list(folder.iterdir()) == []


def assert_same_files(one: dict[str, str], two: dict[str, str]) -> None:
    """Equal bytes, records apart: they hold the time."""
    assert one.keys() == two.keys()
    assert {n for n in one if one[n] != two[n]} <= {"model.safetensors.provenance.json"}


@pytest.mark.slow
def test_a_killed_process_goes_on_as_if_it_had_not_been_killed(train, tmp_path, data):
    folder = tmp_path / "killed-checkpoints"
    fields = {"epochs": 8}
    command = [sys.executable, "-m", "derainbench", "train", "--model", "esdnet", "--seed", "7"]
    command += ["--data", data, "--out", tmp_path / "killed", "--device", "cpu"]
    command += [f"--kwarg={k}={v}" for k, v in KWARGS.items()]
    command += [f"--set={k}={v}" for k, v in {**FIELDS, **fields}.items()]
    environment = {**os.environ, "DERAINBENCH_CHECKPOINTS": str(folder)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not list(folder.glob("[!.]*.pt")):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        errors = process.communicate()[1]
    assert process.returncode == -signal.SIGKILL, errors
    checkpoint = min(folder.glob("[!.]*.pt"), key=lambda file: len(file.name))
    done = checkpoints.read(checkpoint)["progress"]["epochs_done"]
    assert 1 <= done < 8
    assert not (tmp_path / "killed").exists()

    again = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert "resumed after" in again.stderr
    assert not checkpoint.exists()
    assert_same_result(train("whole", "others", **fields), tmp_path / "killed")
