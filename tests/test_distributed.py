"""Several processes train what one does with the same batch; measured tolerances, see docs/endurance.md."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import psutil
import pytest
import torch
from helpers import ROOT, one_line, read_json
from safetensors.torch import load_file
from together import gradients

from derainbench.catalog.recipes import load_recipe
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.training import loop
from derainbench.training.parallel.group import Group
from derainbench.training.parallel.sharing import check_batches, prepare_shared
from derainbench.training.schedule import Epoch, plan_epochs
from derainbench.training.steps import EpochBatches

BLOCKS = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]}
UFORMER = {"img_size": 16, "embed_dim": 4, "depths": [2] * 9, "win_size": 2}
# Threshold-dependent batch norm; batch norm; stochastic depth and no norm over the batch.
NETWORKS = {"esdnet": BLOCKS | {"T": 2}, "esdnet-ann": BLOCKS, "uformer_s": UFORMER}
FIELDS = {
    "epochs": 4,
    "warmup_epochs": 1,
    "batch_size": 4,
    "crop": 16,
    "crops_per_image": 2,
    "val_crop": 16,
    "validate_every": 2,
    "clip_norm": 0.1,
}
# Of recurrent stages: all their outputs count.
STAGES = FIELDS | {"epochs": 2, "stage_weight": 0.5, "clip_norm": None}
DIVERGING = {"lr": 1e30, "zero_first_epoch": False, "loss": "l1"}
# Rounding makes spikes of other neurons; those of the tiny network here move losses by less than this.
LOSS, PSNR, RATE = 1e-3, 0.01, 5e-3
PATIENCE = 300  # seconds, on a machine that has much else to do


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("together")


@pytest.fixture(scope="module")
def data(folder):
    from conftest import paired_set

    return paired_set.__wrapped__(folder)(splits={"train": 4, "val": 5, "test": 3}, size=(20, 24))


@pytest.fixture(scope="module")
def arguments(folder, data):
    def of(name, model="esdnet", checkpoints="checkpoints", **fields):
        return {
            "model_name": model,
            "model_kwargs": NETWORKS.get(model, {"recurrent_iter": 2}),
            "data": str(data),
            "seed": 7,
            "out": str(folder / name),
            "checkpoint_folder": str(folder / checkpoints),
            "fields": FIELDS | fields,
        }

    return of


def alone(arguments, **more):
    """The same training in this process."""
    recipe = load_recipe("esdnet", arguments.pop("fields"))
    return loop.train(recipe=recipe, device="cpu", **arguments | more).parent


@pytest.fixture(scope="module")
def together(folder, data, arguments):
    """What two processes did; one start of them for all tests."""
    stopped = arguments("one-then-two", checkpoints="begun")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        from test_resume import stop_after

        stop_after(patch, 2)
        alone(dict(stopped))
    asked = {
        "out": str(folder),
        "gradients": NETWORKS,
        "trainings": {
            **{f"two-{model}": arguments(f"two-{model}", model) for model in NETWORKS},
            "two-prenet": arguments("two-prenet", "prenet") | {"fields": STAGES, "monitor": "test"},
            "one-then-two": stopped,
            "two-then-one": arguments("two-then-one", checkpoints="left") | {"stop_in": [1, 5]},
            "diverging": arguments("diverging", "prn_r", **DIVERGING),
            "unequal": arguments("unequal", batch_size=5),
            "compiled": arguments("compiled", compile=True),
        },
    }
    (folder / "asked.json").write_text(json.dumps(asked))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
    ]
    done = subprocess.run(
        [*command, str(ROOT / "tests" / "together.py"), str(folder / "asked.json")],
        env=os.environ
        | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = [read_json(folder / f"{rank}.json") for rank in range(2)]
    assert said[0] == said[1]
    assert "[rank1]" not in done.stderr and done.stderr.count("never fires") <= 12
    return said[0]


def assert_alike(one, two):
    first, second = (pd.read_csv(out / "history.csv") for out in (one, two))
    assert first.columns.tolist() == [c for c in second.columns if c != "processes"]
    assert second["loss"].tolist() == pytest.approx(first["loss"].tolist(), rel=LOSS)
    scored = [c for c in first if "psnr" in c]
    assert second[scored].to_numpy() == pytest.approx(
        first[scored].to_numpy(), abs=PSNR, nan_ok=True
    )
    rates = first.filter(regex="^rate:").columns
    assert second[rates].to_numpy() == pytest.approx(first[rates].to_numpy(), abs=RATE, nan_ok=True)
    states = [load_file(out / "model.safetensors") for out in (one, two)]
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        if "running" in name:
            torch.testing.assert_close(states[1][name], tensor, rtol=2e-2, atol=1e-3)


@pytest.mark.parametrize("model", NETWORKS)
def test_two_processes_train_what_one_does(model, together, folder, arguments):
    assert together[f"two-{model}"] == ""
    assert_alike(alone(arguments(f"one-{model}", model)), folder / f"two-{model}")
    rows = pd.read_csv(folder / f"two-{model}" / "history.csv")
    assert rows["processes"].tolist() == 4 * [2]
    record = read_json(folder / f"two-{model}" / "model.safetensors.provenance.json")
    assert record["processes"] == {"2": 4} and record["threads"] == 1


def test_losses_of_all_stages_and_a_monitored_split_too(together, folder, arguments):
    usual = arguments("one-prenet", "prenet") | {"fields": STAGES}
    assert_alike(alone(usual, monitor="test"), folder / "two-prenet")


@pytest.mark.parametrize("model", NETWORKS)
def test_gradients_and_running_statistics_are_those_of_the_whole_batch(model, together, folder):
    expected = gradients(model, NETWORKS[model], Group())
    found, apart = torch.load(folder / "gradients.pt")[model]
    assert found.keys() == expected.keys() == apart.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-9, atol=1e-12)
    # The other way is another gradient: norms over parts of the batch, or depths drawn for parts of it.
    wrong = max((apart[n] - t).abs().max() / t.abs().max() for n, t in expected.items() if t.any())
    assert wrong > 0.5


def test_a_run_of_one_process_goes_on_with_two(together, folder, arguments):
    assert together["one-then-two"] == ""
    rows = pd.read_csv(folder / "one-then-two" / "history.csv")
    assert rows["processes"].tolist() == [1, 1, 2, 2]
    record = read_json(folder / "one-then-two" / "model.safetensors.provenance.json")
    assert record["processes"] == {"1": 2, "2": 2}
    assert_alike(folder / "one-esdnet", folder / "one-then-two")


def test_a_run_of_two_processes_told_to_stop_goes_on_with_one(together, folder, arguments, capsys):
    """One of them was told, in the first step of the third epoch: both stopped after it."""
    stopped = "stopped after step 1 of an epoch on SIGTERM; the same call goes on there"
    assert together["two-then-one"] == stopped
    assert not (folder / "two-then-one").exists()
    out = alone(arguments("two-then-one", checkpoints="left"))
    assert "resumed after 2 of 4" in capsys.readouterr().err
    assert pd.read_csv(out / "history.csv")["processes"].tolist() == [2, 2, 1, 1]
    assert_alike(folder / "one-esdnet", out)


def test_what_cannot_be_shared_is_refused_in_one_line(together, folder):
    assert together["unequal"].startswith(
        "recipe: batch_size: 5 crops cannot be shared equally by 2"
    )
    assert (
        together["compiled"] == "recipe: compile: a compiled network is trained by one process only"
    )
    assert together["diverging"].startswith(
        "training diverged in epoch 0: in step 1 the output of layer '"
    )
    assert not any((folder / name).exists() for name in ("unequal", "compiled", "diverging"))


@pytest.mark.parametrize(
    ("batch_size", "processes", "said"),
    [
        (4, 3, "batch_size: 4 crops"),
        (2, 4, "batch_size: 2 crops"),
        (6, 2, ""),
        (6, 3, "the last batch of an epoch: 4 crops"),
    ],
)
def test_batches_that_cannot_be_shared_equally_are_named(batch_size, processes, said):
    epochs = plan_epochs(load_recipe("esdnet", {"batch_size": batch_size}), 10)
    if not said:
        check_batches(epochs, 10, processes)
        return
    with pytest.raises(BenchError) as refused:
        check_batches(epochs, 10, processes)
    assert one_line(refused.value).startswith(
        f"recipe: {said} cannot be shared equally by {processes}"
    )


def test_dropout_is_refused():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 3, 1), torch.nn.Dropout(0.1))
    with pytest.raises(BenchError, match="layer '1' drops values at random"):
        prepare_shared(network, load_recipe("common"), Group(0, 2))


def test_processes_take_the_parts_of_a_batch_in_order():
    whole, *parts = (EpochBatches(8, 3, group) for group in (None, Group(0, 2), Group(1, 2)))
    for batches in (whole, *parts):
        batches.epoch = Epoch(1, 2, 2, 16, 4)
    assert [a + b for a, b in zip(*parts, strict=True)] == list(whole)
    assert [len(batch) for batch in parts[1]] == [2, 2]


def test_stochastic_depth_of_a_part_is_that_of_the_whole_batch():
    part, whole = (build("uformer_s", **UFORMER).train() for _ in range(2))
    layers = [
        next(m for m in model.modules() if getattr(m, "rate", 0) > 0) for model in (part, whole)
    ]
    layers[0].rate = layers[1].rate = 0.5
    layers[0].draw_part(1, 2)
    x = torch.ones(8, 2, 2, 1)
    torch.manual_seed(0)
    expected = layers[1](x)[4:]
    torch.manual_seed(0)
    assert torch.equal(layers[0](x[4:]), expected) and 0 < expected.count_nonzero() < 16


@pytest.fixture
def command(tmp_path, arguments, data):
    fields = FIELDS | {"epochs": 3000}
    return [
        *(sys.executable, "-m", "derainbench", "train", "--model", "prn_r", "--data", str(data)),
        "--kwarg=recurrent_iter=1",
        *(f"--set={k}={json.dumps(v)}" for k, v in fields.items()),
        *("--config", "esdnet", "--device", "cpu", "--seed", "7", "--out", str(tmp_path / "out")),
        *("--processes", "2"),
    ]


def started(command, tmp_path):
    return subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )


def epochs_done(run, tmp_path, more_than=-1):
    """Waits for a checkpoint that is newer than a time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and run.poll() is None:
        for file in (tmp_path / "checkpoints").glob("[!.]*.pt"):
            if file.stat().st_mtime > more_than:
                return
        time.sleep(0.05)
    run.terminate()
    raise AssertionError(run.communicate()[1])


def test_when_one_process_is_killed_all_end_and_the_same_call_goes_on(command, tmp_path):
    run = started(command, tmp_path)
    epochs_done(run, tmp_path)
    workers = psutil.Process(run.pid).children()
    killed = next(w for w in workers if w.environ().get("RANK") == "1")
    killed.send_signal(signal.SIGKILL)
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 1
    errors = [line for line in said.splitlines() if not line.startswith("train prn_r: ")]
    assert len(errors) == 1, said
    assert errors[0].startswith("derainbench: error: process 1 of 2 was ended by SIGKILL; the same")
    assert psutil.wait_procs(workers, timeout=10)[1] == []

    kept_at = max(f.stat().st_mtime for f in (tmp_path / "checkpoints").glob("[!.]*.pt"))
    run = started(command, tmp_path)
    epochs_done(run, tmp_path, kept_at)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 75, said
    assert said.count("train prn_r: resumed after ") == 1
    assert said.count("derainbench: stopped after ") == 1 and "Traceback" not in said
    assert not (tmp_path / "out").exists()
