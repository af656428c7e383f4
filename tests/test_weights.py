"""Weights of every kind of file load; those of another network are refused with the reason."""

import pytest
import torch
from helpers import one_line, same_state
from safetensors.torch import save_file

from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.models.weights import load_model, load_weights
from esdnet import ESDNet

SMALL = {"dim": 16, "en_num_blocks": (1, 1, 1), "de_num_blocks": (1, 1, 1), "T": 2}


def small(**changes) -> ESDNet:
    return ESDNet(**{**SMALL, **changes})


def snapshot(model: torch.nn.Module) -> dict:
    return {k: v.clone() for k, v in model.state_dict().items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {"params": state},
        lambda state: {"net": state},
        lambda state: {f"module.{k}": v for k, v in state.items()},
        lambda state: {"state_dict": {f"module.{k}": v for k, v in state.items()}},
    ],
    ids=["bare", "state_dict", "model", "params", "net", "module.", "state_dict and module."],
)
def test_torch_files_load(wrap, tmp_path):
    state = small().state_dict()
    torch.save(wrap(state), tmp_path / "weights.pth")
    model = small()
    load_weights(model, tmp_path / "weights.pth")
    assert same_state(model.state_dict(), state)


def test_safetensors_load(tmp_path):
    state = small().state_dict()
    save_file(state, tmp_path / "weights.safetensors")
    model = small()
    load_weights(model, tmp_path / "weights.safetensors")
    assert same_state(model.state_dict(), state)


def with_nan(state: dict) -> dict:
    state = {k: v.clone() for k, v in state.items()}
    state["output.0.bias"][1] = float("nan")
    return state


def without_one(state: dict) -> dict:
    return {k: v for k, v in state.items() if k != "output.0.bias"}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: build("prenet").state_dict(), "another model"),
        (lambda: small(dim=32).state_dict(), "width"),
        (lambda: small(T=4).state_dict(), "another T"),
        (lambda: small(en_num_blocks=(1, 1, 2)).state_dict(), "number of blocks"),
        (lambda: small(attentions=("temporal", "channel")).state_dict(), "attentions"),
        (lambda: small(refine=False).state_dict(), "refine"),
        (lambda: without_one(small().state_dict()), "1 missing (output.0.bias)"),
        (lambda: {**small().state_dict(), "extra": torch.ones(1)}, "1 unexpected (extra)"),
        (lambda: with_nan(small().state_dict()), "not finite"),
    ],
    ids=["model", "width", "T", "blocks", "attentions", "refine", "missing", "extra", "NaN"],
)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_of_something_else_are_refused_with_the_reason(make, reason, suffix, tmp_path):
    path = tmp_path / f"weights{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(make(), path)
    model = small()
    before = snapshot(model)
    with pytest.raises(BenchError) as refused:
        load_weights(model, path)
    assert one_line(refused.value).startswith(f"{path}: ")
    assert reason in str(refused.value)
    assert same_state(model.state_dict(), before)


def test_the_harness_reports_the_same_line(tmp_path):
    with pytest.raises(BenchError, match=f"^{tmp_path}/none.pth: no such weight file$"):
        load_model("prenet", tmp_path / "none.pth")


def test_own_weights_carry_model_and_arguments(prn_weights):
    model, arguments = load_model("prn_r", prn_weights)
    assert arguments == {"recurrent_iter": 1}
    assert model.recurrent_iter == 1
    assert not model.training


def test_own_weights_of_another_model_are_refused(prn_weights):
    with pytest.raises(BenchError, match="these are weights of 'prn_r', not of 'prn'"):
        load_model("prn", prn_weights)


def test_other_arguments_than_own_weights_carry_are_refused(prn_weights):
    with pytest.raises(BenchError, match="was trained with"):
        load_model("prn_r", prn_weights, {"recurrent_iter": 2})


@pytest.mark.parametrize(
    ("model", "file"),
    [
        ("prenet", "prenet_rain100l/prenet6.pth"),
        ("prenet_r", "prenet_rain100l/prenet6_r.pth"),
        ("prn", "prenet_rain100l/prn6.pth"),
        ("prn_r", "prenet_rain100l/prn6_r.pth"),
        ("prenet", "recderain_rain200h/prenet.pth"),
    ],
)
def test_official_weights_load(model, file, shared):
    path = shared / "weights" / file
    loaded, _ = load_model(model, path)
    official = torch.load(path, map_location="cpu", weights_only=True)
    assert same_state(loaded.state_dict(), official)


@pytest.mark.parametrize("file", ["brn.pth", "rescan.pth"])
def test_official_weights_of_other_models_are_refused(file, shared):
    path = shared / "weights" / "recderain_rain200h" / file
    with pytest.raises(BenchError) as refused:
        load_model("prenet", path)
    assert one_line(refused.value).startswith(f"{path}: does not fit")
