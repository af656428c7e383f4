"""ESDNet computes what the authors' implementation computes; without state, without surprises."""

import copy

import numpy as np
import pytest
import torch
from helpers import GOLDEN, read_json, share_within
from safetensors.torch import load_file
from spikingjelly.activation_based import layer
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from baselines.vlif_neuron import VLIFNode
from derainbench.catalog.model_cards import model_card
from derainbench.energy.networks import parameter_count
from derainbench.energy.spikes.firing_rates import firing_rates
from derainbench.evaluation.inference import restore_tiled, tile_starts
from derainbench.models.weights import load_weights
from esdnet import ESDNet
from esdnet.operators import SpikingOperators

TILING = model_card("esdnet").network.tiling
OPEN = GOLDEN / "esdnet" / "open"
CASE = read_json(OPEN / "case.json")
ARRAYS = np.load(OPEN / "case.npz")
SMALL = {"dim": 16, "en_num_blocks": (1, 1, 1), "de_num_blocks": (1, 1, 1)}


def tensor(name: str) -> torch.Tensor:
    return torch.from_numpy(ARRAYS[name])


@pytest.fixture
def model() -> ESDNet:
    model = ESDNet(**CASE["constructor"])
    load_weights(model, OPEN / "weights.safetensors")
    return model


def test_keys_are_those_of_the_official_weights(model):
    official = load_file(OPEN / "weights.safetensors")
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in official.items()
    }
    assert parameter_count(model) == CASE["n_params"]


@torch.no_grad()
def test_eval_output_equals_the_official_one(model):
    assert share_within(model.eval()(tensor("x")), ARRAYS["y_eval"], 1e-5) >= 0.999


@torch.no_grad()
def test_training_output_equals_the_official_one(model):
    assert share_within(model.train()(tensor("x")), ARRAYS["y_train"], 1e-5) >= 0.999


def test_tiles_start_where_the_official_ones_do():
    height, width = ARRAYS["x_tiled"].shape[2:]
    spots = [
        [top, left]
        for top in tile_starts(height, TILING.side, TILING.overlap)
        for left in tile_starts(width, TILING.side, TILING.overlap)
    ]
    assert spots == ARRAYS["tile_starts"].tolist()


def test_tiled_output_equals_the_official_one(model):
    restored = restore_tiled(model.eval(), tensor("x_tiled")[0], TILING)
    assert share_within(restored, ARRAYS["y_tiled"][0], 1e-5) >= 0.999


def test_gradient_norms_equal_the_official_ones(model):
    model.train()(tensor("x")).square().mean().backward()
    norms = {name: p.grad.double().norm().item() for name, p in model.named_parameters()}
    assert norms.keys() == CASE["grad_norms"].keys()
    assert norms == pytest.approx(CASE["grad_norms"], rel=1e-3, abs=0)


@torch.no_grad()
def test_firing_rates_equal_the_official_ones(model):
    rates = firing_rates(model.eval(), tensor("x"))
    assert rates.keys() == CASE["eval_firing_rate"].keys()
    assert rates == pytest.approx(CASE["eval_firing_rate"], rel=0, abs=1e-4)


@torch.no_grad()
def test_one_training_pass_moves_batch_norm_statistics_as_officially(model):
    model.train()(tensor("x"))
    state = model.state_dict()
    official = {k.removeprefix("bn_after/"): ARRAYS[k] for k in ARRAYS if k.startswith("bn_after/")}
    own = {k for k in state if k.endswith(("running_mean", "running_var"))}
    assert own == official.keys()
    for name, expected in official.items():
        np.testing.assert_allclose(state[name].numpy(), expected, rtol=0, atol=1e-5, err_msg=name)


def test_full_model_has_the_official_keys_shapes_and_order():
    manifest = read_json(GOLDEN / "esdnet" / "full_manifest.json")
    with torch.device("meta"):
        model = ESDNet()
    found = [(k, list(v.shape)) for k, v in model.state_dict().items()]
    assert found == list(manifest["state_dict"].items())
    assert parameter_count(model) == manifest["n_params"] == 12_811_463


def test_fresh_batch_norms_scale_to_the_threshold_as_officially():
    state = ESDNet(**SMALL).state_dict()
    scales = {  # v_th / sqrt(2), with a v_th of 0.03 at the end of a residual branch
        "encoder_level1.0.residual.2.weight": 0.15,
        "encoder_level1.0.residual.5.weight": 0.03,
        "encoder_level1.0.shortcut.1.weight": 0.15,
        "down1_2.maxpool_conv.2.weight": 0.15,
    }
    for name, v_th in scales.items():
        assert torch.equal(state[name], torch.full_like(state[name], v_th / 2**0.5)), name


@torch.no_grad()
def test_calls_leave_no_state_behind(model):
    model.eval()
    x = tensor("x")
    first = model(x)
    model(torch.rand(1, 3, 16, 20))
    assert torch.equal(model(x), first)
    model.features(torch.rand(CASE["constructor"]["T"], *x.shape))  # leaves potentials behind
    assert torch.equal(model(x), first)


@torch.no_grad()
def test_images_of_a_batch_do_not_mix_in_eval_mode(model):
    x = tensor("x")
    together = model.eval()(x)
    alone = torch.cat([model(x[:1]), model(x[1:])])
    assert share_within(alone, together.numpy(), 1e-5) >= 0.999


@torch.no_grad()
def test_a_failed_call_leaves_no_state_behind(model):
    x = tensor("x")
    first = model.eval()(x)
    hook = model.output.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        model(torch.rand(1, 3, 16, 20))
    hook.remove()
    assert torch.equal(model(x), first)


def test_a_used_model_can_be_copied(model):
    x = tensor("x")
    first = model.eval()(x)  # with a graph: membrane potentials must not keep it
    counterpart = copy.deepcopy(model)
    assert torch.equal(counterpart(x), first)
    assert counterpart.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize(
    "arguments",
    [
        {"T": 0},
        {"en_num_blocks": (1, 1)},
        {"de_num_blocks": (2, 2, 2, 4)},
        {"en_num_blocks": (1, 0, 1)},
        {"attentions": ("temporal", "spectral")},
        {"dim": 8},
        {"dim": 2, "attentions": ()},
        {"v_threshold": 0.0},
        {"norm": "layer"},
    ],
    ids=str,
)
def test_invalid_arguments_are_refused(arguments):
    with pytest.raises(ValueError):
        ESDNet(**{**SMALL, **arguments})


@pytest.mark.parametrize(
    "shape", [(3, 16, 16), (1, 1, 16, 16), (1, 4, 16, 16), (1, 3, 18, 16), (1, 3, 16, 30)]
)
def test_invalid_shapes_are_refused(shape):
    with pytest.raises(ValueError):
        ESDNet(**SMALL)(torch.rand(shape))


@torch.no_grad()
@pytest.mark.parametrize(
    "arguments",
    [
        {"T": 1},
        {"T": 2},
        {"T": 6},
        {"attentions": ()},
        {"attentions": ("temporal",)},
        {"attentions": ("channel",)},
        {"attentions": ("spatial",)},
        {"attentions": ("channel", "spatial")},
        {"refine": False},
        {"shortcut": False},
        {"dim": 8, "attentions": ("temporal", "spatial")},
    ],
    ids=str,
)
def test_variants_run(arguments):
    model = ESDNet(**{**SMALL, **arguments})
    x = torch.rand(2, 3, 16, 20)
    y = model(x)
    assert y.shape == x.shape
    assert y.isfinite().all()
    assert parameter_count(model) != parameter_count(ESDNet(**SMALL))


@pytest.mark.parametrize("removed", ["temporal", "channel", "spatial"])
def test_attentions_are_separate_parts(removed):
    names = {"temporal": ".attn.ta.", "channel": ".attn.ca.", "spatial": ".attn.sa."}
    kept = [a for a in names if a != removed]
    keys = ESDNet(**SMALL).state_dict().keys()
    assert ESDNet(**SMALL, attentions=kept).state_dict().keys() == {
        k for k in keys if names[removed] not in k
    }


def test_without_shortcut_its_convolutions_alone_are_gone():
    keys = ESDNet(**SMALL).state_dict().keys()
    kept = ESDNet(**SMALL, shortcut=False).state_dict().keys()
    assert kept == {k for k in keys if ".shortcut." not in k} < keys


def test_tdbn_is_ordinary_batch_norm_with_another_first_weight():
    td, bn = ESDNet(**SMALL), ESDNet(**SMALL, norm="bn")
    assert not any(isinstance(m, layer.ThresholdDependentBatchNorm2d) for m in bn.modules())
    first = {m.weight[0].item() for m in td.modules() if isinstance(m, BatchNorm)}
    assert sorted(first) == pytest.approx([0.03 / 2**0.5, 0.15 / 2**0.5])
    assert {m.weight[0].item() for m in bn.modules() if isinstance(m, BatchNorm)} == {1.0}
    x = torch.rand(2, 3, 16, 16)
    assert not torch.allclose(td(x), bn(x), atol=1e-4)
    bn.load_state_dict(td.state_dict())
    assert torch.equal(td.eval()(x), bn.eval()(x))


@pytest.mark.parametrize("build", [SpikingOperators().activation, VLIFNode])
def test_potentials_stay_float32_where_half_precision_comes_in(build):
    """Spikes are those of the same currents in float32; their precision is that of the input."""
    torch.manual_seed(0)
    current = (torch.randn(4, 2, 8, 8, 8) * 0.4).bfloat16()
    half, full = build(), build()
    spikes = half(current)
    assert half.v.dtype == torch.float32
    assert torch.equal(spikes.float(), full(current.float()))
    double = build()
    double(current.double())
    assert double.v.dtype == torch.float64
