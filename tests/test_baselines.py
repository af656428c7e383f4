"""The PReNet family computes what the official code computes; ESDNet's twin is ESDNet without spikes."""

import zlib

import numpy as np
import pytest
import torch
from helpers import GOLDEN, read_json
from spikingjelly.activation_based.neuron import BaseNode

from baselines.esdnet_ann import ESDNetANN
from derainbench import models
from derainbench.energy.counting import count_structure, parameters
from derainbench.evaluation.inference import restore_whole
from esdnet import ESDNet

FAMILY = ["PReNet", "PReNet_r", "PRN", "PRN_r"]
FIXTURES = ["golden", "golden_hi"]
CASES = [
    (name, fixture)
    for name in FAMILY
    for fixture in FIXTURES
    if (GOLDEN / "baselines" / name / f"{fixture}.npz").is_file()
]


def manifest_of(name: str) -> dict:
    return read_json(GOLDEN / "baselines" / name / "manifest.json")


def arrays_of(name: str, file: str) -> np.lib.npyio.NpzFile:
    return np.load(GOLDEN / "baselines" / name / f"{file}.npz")


def recipe_weights(model: torch.nn.Module, fixture: str) -> torch.nn.Module:
    """Fills a model by the manifest's `recipe`, or that of its `golden_hi`."""
    state = {}
    for key, old in model.state_dict().items():
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
        if old.ndim >= 2:
            scale = 1 / np.sqrt(np.prod(old.shape[1:]))
            scale = scale if fixture == "golden_hi" else min(0.05, scale)
            values = rng.standard_normal(old.shape) * scale
        elif key.endswith("weight"):
            values = 0.5 + 0.5 * rng.random(old.shape)
        else:
            values = 0.1 * rng.standard_normal(old.shape)
        state[key] = torch.from_numpy(values.astype(np.float32))
    model.load_state_dict(state)
    return model


@pytest.fixture
def model(name, fixture) -> torch.nn.Module:
    return recipe_weights(models.build(name), fixture).eval()


def tolerance(name: str, fixture: str) -> float:
    """Ten times what float32 arithmetic itself is off, as measured on the official code."""
    manifest = manifest_of(name)
    error = (manifest if fixture == "golden" else manifest["golden_hi"])[
        "float32_vs_float64_max_abs"
    ]
    return 10 * error


@pytest.mark.parametrize(("name", "fixture"), CASES)
@pytest.mark.parametrize(("x", "y"), [("x", "y64"), ("x_rect", "y_rect")])
@torch.no_grad()
def test_output_equals_the_official_one(model, name, fixture, x, y):
    golden = arrays_of(name, fixture)
    restored = model(torch.from_numpy(golden[x])).numpy()
    assert restored.shape == golden[y].shape
    assert np.abs(restored - golden[y]).max() <= tolerance(name, fixture)


@pytest.mark.parametrize(("name", "fixture"), [(name, "golden") for name in FAMILY])
def test_gradient_norms_equal_the_official_ones(model, name, fixture):
    # In float64, like the official norms: in float32 a ReLU input near 0 may take either side,
    # which moves single norms of PRN by more than the manifest's tolerance.
    check = manifest_of(name)["grad_check"]
    assert not check["numerically_zero_keys"]
    golden = arrays_of(name, "grad64")
    x = torch.from_numpy(arrays_of(name, fixture)["x"]).double()
    model.double().train()(x).square().mean().backward()
    norms = {key: p.grad.norm().item() for key, p in model.named_parameters()}
    assert list(norms) == golden["grad_keys"].tolist()
    expected = dict(zip(norms, golden["grad_norms64"].tolist(), strict=True))
    assert norms == pytest.approx(expected, rel=1e-9, abs=0)


@pytest.mark.parametrize("name", FAMILY)
def test_structure_is_the_official_one(name):
    manifest = manifest_of(name)
    model = models.build(name)
    found = [(k, list(v.shape)) for k, v in model.state_dict().items()]
    assert found == list(manifest["state_dict"].items())
    assert parameters(model) == manifest["n_params"]
    macs = sum(c.macs for c in count_structure(model, 256, 256))
    assert macs == pytest.approx(manifest["gmacs_256"] * 1e9, rel=0.005)


@pytest.mark.parametrize("name", FAMILY)
def test_official_habits_are_on_the_card(name):
    card = models.card(name)
    assert card.size_multiple == manifest_of(name)["required_multiple"]
    assert (card.inference, card.quantise) == ("whole", "truncate")


def test_every_stage_restores_and_the_last_one_counts():
    model = models.build("prenet", recurrent_iter=3)
    x = torch.rand(2, 3, 9, 11)
    stages = model.stages(x)
    assert [s.shape for s in stages] == 3 * [x.shape]
    assert torch.equal(model(x), stages[-1])


def test_no_stages_are_refused():
    with pytest.raises(ValueError):
        models.card("prn").build(recurrent_iter=0)


def test_twin_is_esdnet_without_spikes_and_temporal_attention():
    with torch.device("meta"):
        twin, original = ESDNetANN(), ESDNet()
    assert twin.T == 1
    assert not any(isinstance(m, BaseNode) for m in twin.modules())
    assert sum(isinstance(m, BaseNode) for m in original.modules()) > 0
    shapes = {k: v.shape for k, v in twin.state_dict().items()}
    assert shapes == {k: v.shape for k, v in original.state_dict().items() if ".attn.ta." not in k}
    assert parameters(twin) == 12_811_463 - 176


@torch.no_grad()
def test_twin_restores_any_multiple_of_four():
    twin = ESDNetANN(dim=16, en_num_blocks=(1, 1, 1), de_num_blocks=(1, 1, 1)).eval()
    x = torch.rand(2, 3, 16, 20)
    assert twin(x).shape == x.shape
    assert torch.equal(twin(x), twin(x))
    with pytest.raises(ValueError):
        twin(torch.rand(1, 3, 18, 20))


@pytest.mark.parametrize("name", models.model_names())
@torch.no_grad()
def test_every_model_takes_the_sizes_its_card_promises(name):
    small = {"dim": 16, "en_num_blocks": (1, 1, 1), "de_num_blocks": (1, 1, 1)}
    model = models.build(name, **(small if name.startswith("esdnet") else {})).eval()
    multiple = models.card(name).size_multiple
    x = torch.rand(1, 3, 5 * multiple, 7 * multiple)
    assert model(x).shape == x.shape
    assert restore_whole(model, torch.rand(3, 21, 30), multiple).shape == (3, 21, 30)
