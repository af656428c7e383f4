"""The checks of a GPU, on a CPU: they run, they can fail, and without a GPU there is nothing to test."""

import importlib.util
import sys

import pytest
import torch
from helpers import ROOT, SMALL, one_line

SPEC = importlib.util.spec_from_file_location("gpu_checks", ROOT / "benchmarks" / "gpu.py")
gpu = importlib.util.module_from_spec(SPEC)
sys.modules["gpu_checks"] = gpu  # where dataclasses look for it
SPEC.loader.exec_module(gpu)


def test_without_a_gpu_one_line_says_so_and_nothing_failed(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu.main([]) == 0
    assert "nothing was tested" in one_line(capsys.readouterr().out.strip())
    assert gpu.main(["--required"]) == 1


@pytest.fixture
def small(monkeypatch):
    """The smallest network and two settings."""
    monkeypatch.setattr(gpu, "SMALL", {**SMALL["esdnet"], "T": 1})
    monkeypatch.setattr(gpu, "TRAINING", {**gpu.TRAINING, "epochs": 1, "warmup_epochs": 0})
    settings = {name: gpu.SETTINGS[name] for name in ("float32", "tf32")}
    monkeypatch.setattr(gpu, "SETTINGS", settings)


@pytest.mark.usefixtures("small")
def test_a_cpu_passes_every_check_that_it_can_be_put_to(capsys):
    assert gpu.main(["--device", "cpu"]) == 0
    told = capsys.readouterr().out
    rows = [line for line in told.splitlines() if line.startswith("|")][2:]
    assert sum(line.endswith("| ok     |") or line.endswith("| ok |") for line in rows) >= 11
    for check in ("golden gradient norms", "bf16", "LIF neurons, bfloat16", "MACs", "step, tf32"):
        assert any(check in line for line in rows), check


@pytest.mark.usefixtures("small")
def test_a_check_that_is_not_kept_or_breaks_fails_the_table(monkeypatch, capsys):
    def kept(_):
        yield gpu.Row("this one", "1", "1", passed=True)

    def missed(_):
        yield gpu.Row("that one", "1", "2", passed=False)

    def breaks(_):
        yield gpu.Row("so far", "1")
        raise RuntimeError("no such kernel\nand more")

    for checks, code in (((kept,), 0), ((kept, missed), 1), ((kept, breaks), 1)):
        monkeypatch.setattr(gpu, "CHECKS", checks)
        assert gpu.main(["--device", "cpu"]) == code
    told = capsys.readouterr().out
    assert "RuntimeError: no such kernel" in told and "so far" in told and "and more" not in told


def test_other_values_than_the_golden_ones_are_noticed(monkeypatch):
    network = gpu.golden_network

    def changed(device):
        model, *others = network(device)
        with torch.no_grad():
            model.output[0].bias += 1e-3
        return model, *others

    monkeypatch.setattr(gpu, "golden_network", changed)
    rows = gpu.rows_of(gpu.golden_values, torch.device("cpu"))
    assert [row.passed for row in rows[:2]] == [False, False]
