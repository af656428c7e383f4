"""VLIF and SpikeRain compute what their authors' implementations compute."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import read_json, share_within
from safetensors.torch import load_file
from spikingjelly.activation_based.neuron import BaseNode

from baselines.vlif_neuron import VLIFNode
from derainbench.catalog.model_cards import model_card
from derainbench.energy.networks import parameter_count
from derainbench.energy.spikes.firing_rates import firing_rates
from derainbench.evaluation.inference import restore_tiled, tile_starts
from derainbench.models.construction import build
from derainbench.models.weights import load_weights

NETWORKS = ("vlif", "spikerain")
OF_THOP = ("total_ops", "total_params")  # left in the authors' state dict by a counter


class Case:
    """A small official network: what it was built with, takes and gives."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.weights = folder / "weights.safetensors"
        self.facts = read_json(folder / "case.json")
        self.arrays = np.load(folder / "case.npz")

    def tensor(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self.arrays[name])


@pytest.fixture(params=NETWORKS)
def case(request, shared) -> Case:
    return Case(request.param, shared / "golden" / request.param / "open")


@pytest.fixture
def model(case) -> torch.nn.Module:
    model = build(case.name, **case.facts["constructor"])
    load_weights(model, case.weights)
    return model


def shapes(state: dict[str, torch.Tensor]) -> dict[str, list[int]]:
    return {key: list(value.shape) for key, value in state.items()}


def test_keys_are_those_of_the_official_weights(model, case):
    assert shapes(model.state_dict()) == shapes(load_file(case.weights))
    assert parameter_count(model) == case.facts["n_params"]


@torch.no_grad()
def test_eval_output_equals_the_official_one(model, case):
    restored = model.eval()(case.tensor("x"))
    assert share_within(restored, case.arrays["y_eval"], 1e-5) >= 0.999


@torch.no_grad()
def test_training_output_and_statistics_equal_the_official_ones(model, case):
    restored = model.train()(case.tensor("x"))
    assert share_within(restored, case.arrays["y_train"], 1e-5) >= 0.999
    state = model.state_dict()
    after = [name for name in case.arrays.files if name.startswith("bn_after/")]
    assert after
    for name in after:
        np.testing.assert_allclose(
            state[name.removeprefix("bn_after/")].numpy(), case.arrays[name], atol=1e-5
        )


def test_tiled_output_equals_the_official_one(model, case):
    tiling = model_card(case.name).network.tiling
    image = case.tensor("x_tiled")[0]
    if "tile_starts" in case.arrays.files:
        spots = [
            [top, left]
            for top in tile_starts(image.shape[1], tiling.side, tiling.overlap)
            for left in tile_starts(image.shape[2], tiling.side, tiling.overlap)
        ]
        assert spots == case.arrays["tile_starts"].tolist()
    restored = restore_tiled(model.eval(), image, tiling).clamp(0, 1)
    assert share_within(restored, case.arrays["y_tiled"][0], 1e-5) >= 0.999


def test_gradient_norms_equal_the_official_ones(model, case):
    model.train()(case.tensor("x")).square().mean().backward()
    norms = {name: p.grad.double().norm().item() for name, p in model.named_parameters()}
    assert norms.keys() == case.facts["grad_norms"].keys()
    assert norms == pytest.approx(case.facts["grad_norms"], rel=1e-3, abs=0)


@torch.no_grad()
def test_firing_rates_equal_the_official_ones(model, case):
    rates = firing_rates(model.eval(), case.tensor("x"))
    official = case.facts["eval_firing_rate"]
    assert {name: rates[name] for name in official} == pytest.approx(official, abs=1e-6)


@torch.no_grad()
def test_levels_of_graded_neurons_equal_the_official_ones(model, case):
    official = case.facts.get("eval_quantised_spikes", {})
    seen = {}

    def look(name):
        def hook(_module, _inputs, fired):
            levels = (4 * fired).unique()
            assert torch.equal(levels, levels.round())
            seen[name] = {
                "mean": fired.mean().item(),
                "nonzero": (fired != 0).float().mean().item(),
                "values": levels.int().tolist(),
            }

        return hook

    for name, module in model.named_modules():
        if isinstance(module, VLIFNode):
            module.register_forward_hook(look(name))
    model.eval()(case.tensor("x"))
    assert seen.keys() == official.keys()
    for name, facts in official.items():
        assert seen[name]["values"] == facts["values"]
        assert seen[name]["mean"] == pytest.approx(facts["mean"], abs=1e-6)
        assert seen[name]["nonzero"] == pytest.approx(facts["nonzero"], abs=1e-6)


def test_a_vlif_neuron_by_hand():
    # m: 1.6; 0.25 (1.6 - 0.5) + 2.6 = 2.875; 0.25 (2.875 - 0.75) + 9 = 9.53; 0.25 (9.53 - 1) - 4 < 0
    x = torch.tensor([1.6, 2.6, 9.0, -4.0], requires_grad=True)
    fired = VLIFNode()(x.view(4, 1))
    assert fired.flatten().tolist() == [0.5, 0.75, 1.0, 0.0]
    fired.sum().backward()
    # Through m_t alone, a quarter where 0 <= m <= 4, and 0.25 times as much one step earlier.
    assert x.grad.tolist() == pytest.approx([0.25 + 0.25 * 0.25, 0.25, 0.0, 0.0])


def test_full_vlif_has_the_official_keys_and_parameters(shared):
    manifest = read_json(shared / "golden/vlif/full_manifest.json")
    refined, plain = build("vlif", use_refinement=True), build("vlif")
    assert shapes(refined.state_dict()) == manifest["keys"]
    more = refined.state_dict().keys() - plain.state_dict().keys()
    assert more == set(manifest["keys_only_with_refinement"])
    assert parameter_count(plain) == manifest["n_params"] == 14_023_911
    assert parameter_count(refined) == manifest["n_params_with_refinement"] == 14_312_031


@pytest.mark.parametrize(
    ("variant", "parameters"), [("S", 1_589_888), ("M", 4_434_392), ("L", 8_048_576)]
)
def test_spikerain_has_the_official_parameters(shared, variant, parameters):
    manifest = read_json(shared / "golden/spikerain/manifest.json")
    facts = manifest["variants"][variant]
    model = build("spikerain", **facts["constructor"])
    assert parameter_count(model) == facts["n_params"] == parameters
    if variant == "M":
        official = {k: v for k, v in manifest["keys_M"].items() if not k.endswith(OF_THOP)}
        assert shapes(model.state_dict()) == official
        assert shapes(build("spikerain").state_dict()) == official


@pytest.mark.parametrize("name", [f"{n}-ann" for n in NETWORKS])
def test_counterparts_have_no_neurons_and_one_step(name):
    arguments = {"dim": 16, "en_num_blocks": (1, 1, 1, 1), "de_num_blocks": (1, 1, 1, 1)}
    model = build(name, **arguments)
    assert model.T == 1
    assert not [m for m in model.modules() if isinstance(m, BaseNode)]
    spiking = build(model_card(name).counterpart_of, **arguments)
    assert parameter_count(model) < parameter_count(spiking) < 1.01 * parameter_count(model)
