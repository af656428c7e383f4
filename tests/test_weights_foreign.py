"""Weights as other projects save them: containers, prefixes, precisions; what is none is named."""

import json
import os
import socket
import zipfile

import numpy as np
import pytest
import torch
from helpers import one_line, refusal, same_state
from safetensors.torch import save_file
from torch import nn

from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.models.weights import load_model, load_weights, model_named_by


class Small(nn.Module):
    """A network with what checkpoints go wrong about: batch norm, an index, a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("index", torch.arange(6).reshape(2, 3))
        self.register_buffer("mask", torch.tensor([True, False]))


STATE = Small().state_dict()


def prefixed(prefix: str, state: dict = STATE) -> dict:
    return {prefix + name: value for name, value in state.items()}


def other(state: dict = STATE) -> dict:
    """Tensors of the same names and shapes with other numbers."""
    return {k: v + 1 if v.is_floating_point() else v for k, v in state.items()}


def loaded(content: object, tmp_path, name: str = "weights.pth") -> dict:
    torch.save(content, tmp_path / name)
    model = Small()
    load_weights(model, tmp_path / name)
    return model.state_dict()


def refused(content: object, tmp_path) -> str:
    """The one line about a file; the network is as it was."""
    path = tmp_path / "weights.pth"
    if content is not None:
        torch.save(content, path)
    model = Small()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    with pytest.raises(BenchError) as error:
        load_weights(model, path)
    assert same_state(model.state_dict(), before)
    assert one_line(error.value).startswith(f"{path}: ")
    return str(error.value)


CONTAINERS = [
    *("params", "params_ema", "state_dict", "model_state_dict", "model_state", "model", "net"),
    *("network", "netG", "net_g", "generator", "ema", "model_ema", "weights", "module", "state"),
]


@pytest.mark.parametrize("key", CONTAINERS)
def test_the_customary_containers_are_opened(key, tmp_path):
    content = {"epoch": 3, key: STATE, "optimizer": {"state": {}, "param_groups": []}}
    assert same_state(loaded(content, tmp_path), STATE)


@pytest.mark.parametrize(
    "content",
    [
        {"model": {"state_dict": STATE, "epoch": 1}},
        {"state_dict": {"model": {"net": STATE}}},
        {"params_ema": STATE, "params": other()},
        {"model": other(), "ema": STATE},
        {"ema": {"decay": 0.999, "updates": 5}, "model": STATE},
        {"ema": {k: v for k, v in STATE.items() if "running" not in k}, "model": STATE},
        {"netG": STATE, "netD": {"conv.weight": torch.ones(1)}},
        {"state_dict": prefixed("net."), "pytorch-lightning_version": "2.0", "callbacks": {}},
    ],
    ids=[
        *("nested", "nested twice", "BasicSR", "EMA first", "settings of an EMA"),
        *("EMA of parameters alone", "GAN", "Lightning"),
    ],
)
def test_of_several_state_dicts_the_one_that_is_meant_and_fits_is_taken(content, tmp_path):
    assert same_state(loaded(content, tmp_path), STATE)


@pytest.mark.parametrize(
    "prefix",
    [
        *("module.", "_orig_mod.", "model.", "net.", "netG.", "generator.", "derainer."),
        *("module._orig_mod.", "_orig_mod.module.", "model.net.module."),
    ],
)
def test_a_prefix_of_every_name_is_taken_off(prefix, tmp_path):
    assert same_state(loaded(prefixed(prefix), tmp_path), STATE)


def test_layers_that_were_compiled_one_by_one_load(tmp_path):
    state = {k.replace("conv.", "conv._orig_mod."): v for k, v in STATE.items()}
    assert same_state(loaded(state, tmp_path), STATE)


def test_a_prefix_that_does_not_help_stays_in_the_message(tmp_path):
    text = refused(prefixed("model.", {"other.weight": torch.ones(2)}), tmp_path)
    assert "1 unexpected (model.other.weight)" in text
    assert "another model" in text
    assert "2 unexpected" in refused(
        {**STATE, "net.a": STATE["mask"], "b": STATE["mask"]}, tmp_path
    )


def test_a_prefix_that_the_network_has_itself_is_kept(tmp_path):
    model = nn.Sequential()
    model.add_module("model", nn.Linear(2, 2))
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    load_weights(model, tmp_path / "weights.pth")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_what_the_counter_thop_left_behind_is_dropped(prefix, tmp_path):
    counted = {"total_ops": torch.zeros(1), "conv.total_params": torch.zeros(1)}
    assert same_state(loaded({**counted, **prefixed(prefix)}, tmp_path), STATE)


def test_surplus_tensors_are_not_taken_for_blocks(tmp_path):
    text = refused({**STATE, "head.weight": torch.ones(1), "total_ops": torch.ones(1)}, tmp_path)
    assert "1 unexpected (head.weight)" in text
    assert "blocks" not in text


def test_files_from_before_batches_were_counted_load(tmp_path):
    old = {k: v for k, v in STATE.items() if not k.endswith("num_batches_tracked")}
    assert same_state(loaded(old, tmp_path), STATE)
    del old["norm.running_mean"]
    assert "1 missing (norm.running_mean)" in refused(old, tmp_path)


def converted(dtype: torch.dtype) -> dict:
    return {k: v.to(dtype) if v.is_floating_point() else v for k, v in STATE.items()}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_other_precisions_become_the_networks(dtype, suffix, tmp_path):
    path, model = tmp_path / f"weights{suffix}", Small()
    (torch.save if suffix == ".pth" else save_file)(converted(dtype), path)
    load_weights(model, path)
    assert same_state(
        model.state_dict(), {k: v.to(STATE[k].dtype) for k, v in converted(dtype).items()}
    )
    assert model.conv.weight.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused_in_every_precision(dtype, value, tmp_path):
    state = {k: v.clone() for k, v in converted(dtype).items()}
    state["norm.bias"][1] = value
    assert "not finite in (norm.bias)" in refused(state, tmp_path)


def replaced(**tensors: torch.Tensor) -> dict:
    return STATE | {k.replace("__", "."): v for k, v in tensors.items()}


BIAS = STATE["conv.bias"]
UNFIT = {
    "too large": (
        lambda: replaced(conv__bias=BIAS.double() + 1e300),
        "conv.bias (float64 for float32)",
    ),
    "integers": (lambda: replaced(conv__bias=BIAS.to(torch.int8)), "conv.bias (int8 for float32)"),
    "booleans": (lambda: replaced(conv__bias=BIAS > 0), "conv.bias (bool for float32)"),
    "complex": (lambda: replaced(conv__bias=BIAS + 1j), "conv.bias (complex64 for float32)"),
    "float8": (
        lambda: replaced(conv__bias=BIAS.to(torch.float8_e4m3fn)),
        "(float8_e4m3fn for float32)",
    ),
    "an index beyond": (
        lambda: replaced(index=torch.full((2, 3), 0.5)),
        "index (float32 for int64)",
    ),
    "a complex mask": (lambda: replaced(mask=torch.ones(2) + 0j), "mask (complex64 for bool)"),
    "sparse": (lambda: replaced(conv__bias=BIAS.to_sparse()), "conv.bias is a sparse"),
    "sparse rows": (lambda: replaced(mask=torch.eye(2).to_sparse_csr()), "mask is a sparse"),
    "without numbers": (lambda: replaced(conv__bias=BIAS.to("meta")), "conv.bias holds no numbers"),
    "quantised": (
        lambda: replaced(conv__bias=torch.quantize_per_tensor(BIAS, 0.1, 0, torch.qint8)),
        "conv.bias is quantised",
    ),
    "nested": (lambda: replaced(conv__bias=torch.nested.nested_tensor([BIAS, BIAS])), "conv.bias"),
}


@pytest.mark.parametrize("kind", UNFIT)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_no_plain_numbers_are_refused_by_name(kind, tmp_path):
    make, reason = UNFIT[kind]
    text = refused(make(), tmp_path)
    assert reason in text or kind == "nested"


def test_whole_numbers_may_come_in_another_type(tmp_path):
    state = replaced(index=STATE["index"].to(torch.int32), mask=STATE["mask"].to(torch.uint8))
    assert same_state(loaded(state, tmp_path), STATE)


def test_names_stay_in_one_line(tmp_path):
    assert "'a\\nb'" in refused({**STATE, "a\nb": BIAS}, tmp_path)
    assert len(refused({**STATE, "x" * 100_000: BIAS}, tmp_path)) < 1000


def test_contents_say_what_a_file_is_not_its_name(tmp_path):
    save_file(STATE, tmp_path / "weights.pth")
    torch.save(STATE, tmp_path / "weights.safetensors")
    for name in ("weights.pth", "weights.safetensors"):
        model = Small()
        load_weights(model, tmp_path / name)
        assert same_state(model.state_dict(), STATE)
    assert same_state(loaded({"state_dict": STATE}, tmp_path, "last.ckpt"), STATE)
    (tmp_path / "as.bin").write_bytes((tmp_path / "weights.pth").read_bytes())
    load_weights(Small(), tmp_path / "as.bin")


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"
PAGE = "\ufeff\n <!doctype HTML><html><title>Sign in</title></html>"


def torchscript(path) -> None:
    torch.jit.script(nn.Linear(2, 2)).save(str(path))


def pages(path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/readme.txt", "x")


def occupied(path) -> None:
    with socket.socket(socket.AF_UNIX) as own:
        own.bind(os.path.relpath(path))


FOREIGN = {
    "pointer": (lambda p: p.write_text(POINTER), "Git LFS pointer"),
    "web page": (lambda p: p.write_text(PAGE), "web page"),
    "empty": (lambda p: p.touch(), "is empty"),
    "NumPy": (lambda p: np.savez(p.open("wb"), a=np.ones(2)), "NumPy archive"),
    "ZIP": (pages, "ZIP archive"),
    "gzip": (lambda p: p.write_bytes(b"\x1f\x8b\x08" + bytes(20)), "gzip"),
    "HDF5": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20)), "HDF5"),
    "program": (torchscript, "TorchScript"),
    "pipe": (os.mkfifo, "is a pipe"),
    "socket": (occupied, "is a socket"),
    "device": (lambda p: p.symlink_to("/dev/zero"), "is a device"),
    "folder": (lambda p: p.mkdir(), "is a folder"),
    "link in a circle": (lambda p: p.symlink_to(p), "cannot be read"),
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.filterwarnings("ignore")
def test_other_files_are_refused_by_what_they_are(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    make, reason = FOREIGN[kind]
    make(tmp_path / "weights.pth")
    if kind == "link in a circle":
        with pytest.raises(BenchError, match=reason):
            load_weights(Small(), tmp_path / "weights.pth")
        return
    assert reason in refused(None, tmp_path)


def test_a_pointer_keeps_its_reason_under_the_other_name(tmp_path):
    (tmp_path / "weights.safetensors").write_text(POINTER)
    with pytest.raises(BenchError, match="git lfs pull"):
        load_weights(Small(), tmp_path / "weights.safetensors")


NOTES = {
    "no JSON": "{",
    "deep": "[" * 100_000,
    "huge number": "9" * 10_000,
    "list": "[1]",
    "huge text": json.dumps("x" * 1_000_000),
    "empty": "{}",
    "model of another type": '{"model": 3, "kwargs": {}}',
    "no kwargs": '{"model": "prn_r"}',
    "kwargs as list": '{"model": "prn_r", "kwargs": [1]}',
    "kwargs as null": '{"model": "prn_r", "kwargs": null}',
    "unknown argument": '{"model": "prn_r", "kwargs": {"recurent_iter": 1}}',
    "argument called name": '{"model": "prn_r", "kwargs": {"name": 1}}',
    "argument of another type": '{"model": "prn_r", "kwargs": {"recurrent_iter": "x"}}',
    "other model": json.dumps({"model": "x\ny" * 1000, "kwargs": {}}),
}


@pytest.mark.parametrize("kind", NOTES)
def test_damaged_metadata_is_refused_in_one_line(kind, tmp_path, cli):
    path = tmp_path / "weights.safetensors"
    save_file(build("prn_r", recurrent_iter=1).state_dict(), path, {"derainbench": NOTES[kind]})
    with pytest.raises(BenchError) as error:
        load_model("prn_r", path)
    assert one_line(error.value).startswith(f"{path}: ")
    assert len(str(error.value)) < 1000
    refusal(cli("derain", "none.png", "--weights", path, "--out", tmp_path / "out"), 1)


def test_metadata_of_others_says_nothing(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(build("prn_r").state_dict(), path, {"format": "pt", "notes": "x" * 1_000_000})
    assert load_model("prn_r", path)[1] == {}
    with pytest.raises(BenchError, match="--model"):
        model_named_by(path)
