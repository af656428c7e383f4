"""Records say by which kernels spikingjelly computed neurons on a GPU: held to its own code."""

import contextlib

import pytest
import torch
from spikingjelly._ops.lif import _selection
from spikingjelly._ops.selection import _require_automatic_torch

from derainbench.foundation import accelerator
from derainbench.foundation.accelerator import neuron_kernels

GPU = torch.device("cuda", 0)


@pytest.fixture
def gpu(monkeypatch):
    """What spikingjelly asks torch about a GPU before it chooses."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "a GPU")
    monkeypatch.setattr(torch.cuda, "device", lambda index: contextlib.nullcontext())
    for name in ("_selections", "_compiled_selections"):
        monkeypatch.setattr(_selection, name, {})


@pytest.mark.usefixtures("gpu")
def test_the_kernel_that_was_chosen_is_named():
    assert "sj_lif" not in neuron_kernels()
    _selection.get_cuda_forward(GPU)
    [ran] = neuron_kernels()["sj_lif"]
    assert ran.startswith("triton (not cuda: Native operators for spikingjelly._ops.lif were not")


@pytest.mark.usefixtures("gpu")
def test_inputs_that_no_kernel_takes_are_named_too():
    _require_automatic_torch(_selection, GPU, "Torch reference implementation required")
    assert neuron_kernels()["sj_lif"] == ["torch: Torch reference implementation required"]


@pytest.mark.usefixtures("gpu")
def test_a_gpu_is_in_the_record_with_its_settings(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 92400)
    _selection.get_trace_forward(GPU)
    found = accelerator.accelerator("cuda:0")
    assert found["name"] == "a GPU" and found["cuda"] == torch.version.cuda
    assert found["deterministic"] in ("default", "warn", "error")
    assert found["neuron_kernels"]["sj_lif"][0].startswith("triton")
    assert found["neuron_kernels"]["sj_lif"][0].endswith("compiled")


@pytest.mark.parametrize("device", ["cpu", None])
def test_a_cpu_has_no_accelerator(device):
    assert accelerator.accelerator(device) is None
