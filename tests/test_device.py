"""Threads, determinism and precision: what torch is told before anything is computed."""

import os
from typing import get_args

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from derainbench.catalog.recipes import Determinism
from derainbench.foundation.device import DETERMINISM, MAX_THREADS, prepare, wanted_threads


@pytest.mark.parametrize(
    ("text", "threads"),
    [
        *(("1", 1), ("3", 3), (" 2 ", 2), ("+2", 2), ("4,2", 4), ("4, 2,1", 4), ("2,", 2)),
        ("999999", MAX_THREADS),
        *((text, None) for text in ("", ",", "0", "-1", "x", "1.5", "2 3", "0x2", "²", "9" * 5000)),
    ],
)
def test_the_environment_says_how_many_threads(text, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", text)
    assert wanted_threads() == threads


@pytest.mark.parametrize(("text", "threads"), [("2,1", 2), ("many", 1)])
def test_torch_gets_as_many(text, threads, monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        prepare("cpu")
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def as_before():
    """Puts back what ``prepare`` decides for the whole process."""
    yield
    prepare("cpu")


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(
    ("name", "mode", "tries"), [("repeatable", 1, False), ("strict", 2, False), ("fast", 0, True)]
)
def test_determinism_has_a_name(name, mode, tries):
    prepare("cpu", determinism=name)
    assert torch.get_deterministic_debug_mode() == mode
    assert torch.backends.cudnn.benchmark is tries
    prepare("cpu")
    assert torch.get_deterministic_debug_mode() == 1 and not torch.backends.cudnn.benchmark


def test_recipes_know_the_same_names():
    assert set(get_args(Determinism)) == set(DETERMINISM)


@pytest.mark.usefixtures("as_before")
def test_float32_is_float32_unless_tf32_is_asked_for():
    torch.backends.cudnn.allow_tf32 = True  # as torch starts
    for tf32 in (False, True, False):
        prepare("cpu", tf32=tf32)
        assert torch.backends.cudnn.allow_tf32 is tf32
        assert torch.backends.cuda.matmul.allow_tf32 is tf32


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(
    ("device", "name", "expected"),
    [("cuda", "repeatable", ":4096:8"), ("cuda", "fast", None), ("cpu", "repeatable", None)],
)
def test_only_a_gpu_that_repeats_itself_needs_workspaces(device, name, expected, monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that it is removed again afterwards
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    with FakeTensorMode():  # where there is a GPU
        assert prepare(device, determinism=name).type == device
    assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == expected
