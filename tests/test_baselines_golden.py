"""The baselines compute what the official code computes: outputs and gradients."""

import copy
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import GOLDEN, read_json
from networks import NETWORKS, fill
from torch import nn

FULL = os.environ.get("DERAIN_FULL") == "1"  # what is skipped else takes minutes
STRONG = {
    "DDN", "DRSformer", "DRSformer_noMEFC", "EfficientDerain", "NAFNet_width32_SIDD", "PReNet",
    "PReNet_r", "PRN_r", "RCDNet_simple", "RESCAN", "RESCAN_LSTM", "Restormer", "Uformer_B",
    "Uformer_S",
}  # fmt: skip
CASES = [(name, "golden") for name in NETWORKS] + [
    (name, "golden_hi") for name in NETWORKS if name in STRONG
]
# Top-k attention meets scores here that are equal but for rounding: float32 may keep other keys than
# the official run did, on some processors, and one output differs by 0.0004. In float64 nothing does.
TIES = {"DRSformer", "DRSformer_noMEFC"}
# Their float64 gradients take 10 to 40 s each.
SLOW = TIES | {"IDT", "RCDNet", "RCDNet_simple", "Restormer", "Uformer_B", "Uformer_S"}


@pytest.fixture
def folder(name, request) -> Path:
    """Where a network's golden values lie: here, or, most of them, in the shared folder."""
    own = GOLDEN / "baselines" / name
    return own if own.is_dir() else request.getfixturevalue("shared") / "golden/baselines" / name


@pytest.fixture
def manifest(folder) -> dict:
    return read_json(folder / "manifest.json")


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array)


def worst(actual: torch.Tensor, expected: np.ndarray) -> float:
    assert actual.shape == expected.shape
    return (actual.detach().double() - tensor(expected)).abs().max().item()


@pytest.mark.parametrize(("name", "fixture"), CASES)
@torch.no_grad()
def test_output_equals_the_official_one(name, fixture, folder, manifest):
    golden = np.load(folder / f"{fixture}.npz")
    model = fill(NETWORKS[name].build(), name, manifest, fixture).eval()
    compute = getattr(model, NETWORKS[name].method)
    facts = manifest if fixture == "golden" else manifest["golden_hi"]
    tolerance = 10 * facts["float32_vs_float64_max_abs"]  # of the official code in float32
    ties = name in TIES and fixture == "golden"
    if "x_rect" in golden:
        x = tensor(golden["x_rect"])
        restored = copy.deepcopy(model).double()(x.double()) if ties else compute(x)
        assert worst(restored, golden["y_rect"]) <= tolerance
    if "y_255" in golden:
        restored, expected = 255 * model(tensor(golden["x"])), golden["y_255"]
        if name == "SPDNet":  # reaches 2e6 there and amplifies rounding: singles say nothing
            off = np.abs(restored.numpy() - expected).mean()
            assert off <= 2e-4 * np.abs(expected).max()
        else:
            assert worst(restored, expected) <= 255 * tolerance
    if ties:
        if name == "DRSformer" or FULL:  # one of the two: they share their attention
            assert worst(model.double()(tensor(golden["x"]).double()), golden["y64"]) <= 1e-12
    else:
        assert worst(compute(tensor(golden["x"])), golden["y64"]) <= tolerance


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            n, marks=pytest.mark.skipif(n in SLOW and not FULL, reason="slow: set DERAIN_FULL=1")
        )
        for n in NETWORKS
    ],
)
def test_gradient_norms_equal_the_official_ones(name, folder, manifest):
    # In float64, like the official norms: in float32 a ReLU input near 0 may take either side,
    # which moves single norms by more than rounding does.
    golden, network = np.load(folder / "golden.npz"), NETWORKS[name]
    model = fill(network.build(), name, manifest, "golden").double()
    model.train(manifest["grad_mode"] == "train")
    restored = getattr(model, network.method)(tensor(golden["x"]).double())
    restored.square().mean().backward()
    norms = {
        key: 0.0 if p.grad is None else p.grad.norm().item() for key, p in model.named_parameters()
    }
    official, relative = golden, 1e-5  # BRN's are in float32
    if (folder / "grad64.npz").is_file():
        official, relative = np.load(folder / "grad64.npz"), 1e-9
    assert list(norms) == official["grad_keys"].tolist()
    column = "grad_norms64" if relative == 1e-9 else "grad_norms"
    expected = dict(zip(norms, official[column].tolist(), strict=True))
    zero = {*manifest.get("grad_check", {}).get("numerically_zero_keys", ())}
    assert {k for k in norms if k not in zero and norms[k] == 0} == {*manifest["grad_none_keys"]}
    for keys, off in ((norms.keys() - zero, 0), (zero, 1e-11)):
        found = {k: norms[k] for k in keys}
        assert found == pytest.approx({k: expected[k] for k in keys}, rel=relative, abs=off)
    if not any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        assert worst(restored, golden["y64"]) <= 1e-12 * np.abs(golden["y64"]).max()
