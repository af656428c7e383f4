"""Files that hold no weights are refused in one line, and code in them never runs."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from helpers import one_line, same_state
from safetensors.torch import save_file

from derainbench.foundation.errors import BenchError
from derainbench.models.weight_files import read_state_dict
from derainbench.models.weights import load_weights
from esdnet import ESDNet


def small() -> ESDNet:
    return ESDNet(dim=16, en_num_blocks=(1, 1, 1), de_num_blocks=(1, 1, 1), T=2)


def snapshot(model: torch.nn.Module) -> dict:
    return {k: v.clone() for k, v in model.state_dict().items()}


def truncated(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


def damaged_torch_file(path: Path) -> None:
    torch.save(small().state_dict(), path)
    truncated(path, 0.5)


def damaged_old_torch_file(path: Path) -> None:
    torch.save(small().state_dict(), path, _use_new_zipfile_serialization=False)
    truncated(path, 0.5)


def damaged_safetensors(path: Path) -> None:
    save_file(small().state_dict(), path)
    truncated(path, 0.5)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("cut.pth", damaged_torch_file),
        ("cut-old.pth", damaged_old_torch_file),
        ("cut.safetensors", damaged_safetensors),
        ("none.pth", lambda path: None),
        ("none.safetensors", lambda path: None),
        ("folder.pth", lambda path: path.mkdir()),
        ("empty.pth", lambda path: path.write_bytes(b"")),
        ("empty.safetensors", lambda path: path.write_bytes(b"")),
        ("text.pth", lambda path: path.write_text("404: Not Found")),
        ("page.pth", lambda path: path.write_text("<!DOCTYPE html><html>quota</html>")),
        ("bytes.pth", lambda path: path.write_bytes(bytes(range(256)) * 20)),
        ("tensor.pth", lambda path: torch.save(torch.ones(3), path)),
        ("none-inside.pth", lambda path: torch.save({}, path)),
        ("numbers.pth", lambda path: torch.save({"epoch": 3, "lr": 0.1}, path)),
        ("list.pth", lambda path: torch.save([torch.ones(3)], path)),
        ("numbered.pth", lambda path: torch.save({0: torch.ones(3)}, path)),
    ],
    ids=lambda value: value.replace(".", "-") if isinstance(value, str) else "",
)
def test_files_without_weights_are_refused(name, make, tmp_path):
    path = tmp_path / name
    make(path)
    model = small()
    before = snapshot(model)
    with pytest.raises(BenchError) as refused:
        load_weights(model, path)
    assert one_line(refused.value).startswith(f"{path}: ")
    assert same_state(model.state_dict(), before)


@pytest.mark.parametrize("new", [True, False], ids=["new torch", "old torch"])
def test_a_torch_file_cut_anywhere_is_refused(new, tmp_path):
    path = tmp_path / "weights.pth"
    state = {"a": torch.arange(12.0), "b": torch.ones(5)}
    torch.save(state, path, _use_new_zipfile_serialization=new)
    whole = path.read_bytes()
    for length in range(0, len(whole), 4):
        path.write_bytes(whole[:length])
        with pytest.raises(BenchError) as refused:
            read_state_dict(path)
        assert one_line(refused.value).startswith(f"{path}: ")


class Intruder:
    """Unpickled, it would create a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle"])
def test_code_in_a_weight_file_never_runs(how, tmp_path):
    path, trace = tmp_path / "weights.pth", tmp_path / "trace"
    content = {**small().state_dict(), "intruder": Intruder(trace)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(BenchError) as refused:
        load_weights(small(), path)
    assert one_line(refused.value).startswith(f"{path}: ")
    assert not trace.exists()
    pickle.loads(pickle.dumps(Intruder(trace)))
    assert trace.exists()  # the trap is real
