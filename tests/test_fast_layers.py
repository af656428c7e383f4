"""Every road to fast layers leads to what the reference layers compute."""

import copy

import numpy as np
import pytest
import torch
from helpers import GOLDEN, read_json, share_within
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import nn

from derainbench.models.construction import build
from derainbench.models.weights import load_weights
from esdnet import ESDNet
from esdnet.fast import EXACT, ROADS, TRAINABLE, take_roads
from esdnet.fast.attention import FastAttention
from esdnet.fast.convolution import weight_gradient
from esdnet.fast.memory import channels_last
from esdnet.operators import SpikingOperators

NETWORKS = ("esdnet", "vlif", "spikerain")
SMALL = {"dim": 16, "en_num_blocks": (1, 1, 1), "de_num_blocks": (1, 1, 1)}


class Case:
    """A small official network with its weights, and what the reference layers make of its input."""

    def __init__(self, name, folder):
        self.name = name
        self.facts = read_json(folder / "case.json")
        self.arrays = np.load(folder / "case.npz")
        self.x = torch.from_numpy(self.arrays["x"])
        self.network = build(name, **self.facts["constructor"])
        load_weights(self.network, folder / "weights.safetensors")
        self.restored, self.spikes = restored_and_spikes(self.network.eval(), self.x)
        self.trained, self.gradients = step(copy.deepcopy(self.network), self.x)

    def on(self, roads, training=False):
        network = copy.deepcopy(self.network).train(training)
        take_roads(network, roads)
        return network


@torch.no_grad()
def restored_and_spikes(network, x):
    spikes = {}
    handles = [
        module.register_forward_hook(lambda _m, _i, fired, name=name: spikes.update({name: fired}))
        for name, module in network.named_modules()
        if isinstance(module, neuron.LIFNode)
    ]
    restored = network(x)
    for handle in handles:
        handle.remove()
    return restored, spikes


def step(network, x):
    restored = network.train()(x)
    restored.square().mean().backward()
    return restored.detach(), {name: p.grad for name, p in network.named_parameters()}


@pytest.fixture(scope="module")
def cases():
    return {}


@pytest.fixture(params=NETWORKS)
def case(request, cases):
    name = request.param
    if name not in cases:
        root = GOLDEN if name == "esdnet" else request.getfixturevalue("shared") / "golden"
        cases[name] = Case(name, root / name / "open")
    return cases[name]


@pytest.mark.parametrize("roads", [(road,) for road in ROADS] + [ROADS], ids="+".join)
def test_restored_images_are_the_official_ones_and_no_spike_differs(case, roads):
    network = case.on(roads)
    restored, spikes = restored_and_spikes(network, case.x)
    assert share_within(restored, case.arrays["y_eval"], 1e-5) >= 0.999
    assert spikes.keys() == case.spikes.keys()
    different = {name for name in spikes if not torch.equal(spikes[name], case.spikes[name])}
    assert not different


@pytest.mark.parametrize("capability", ["AVX2", "AVX512"])
@pytest.mark.parametrize("roads", [(road,) for road in TRAINABLE] + [TRAINABLE], ids="+".join)
def test_a_training_step_is_the_official_one(case, roads, capability, monkeypatch):
    """On every processor: which one it is decides who computes the gradient of weights."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    restored, gradients = step(case.on(roads), case.x)
    assert share_within(restored, case.arrays["y_train"], 1e-5) >= 0.999
    norms = {name: gradient.double().norm().item() for name, gradient in gradients.items()}
    assert norms == pytest.approx(case.facts["grad_norms"], rel=5e-3, abs=1e-12)


def test_an_exact_road_changes_no_bit_of_output_or_gradient(case):
    assert torch.equal(case.on(EXACT)(case.x), case.restored)
    restored, gradients = step(case.on(EXACT), case.x)
    assert torch.equal(restored, case.trained)
    assert not {
        name for name in gradients if not torch.equal(gradients[name], case.gradients[name])
    }


def test_roads_keep_parameters_and_their_names():
    network = ESDNet(**SMALL)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    take_roads(network, TRAINABLE)
    assert {
        name: torch.equal(value, state[name]) for name, value in network.state_dict().items()
    } == (dict.fromkeys(state, True))


def test_unknown_roads_and_folding_in_training_are_refused():
    with pytest.raises(ValueError, match="unknown roads"):
        take_roads(ESDNet(**SMALL), ("shortcut",))
    with pytest.raises(ValueError, match="eval mode"):
        take_roads(ESDNet(**SMALL), ROADS)


def test_folding_leaves_no_norm_behind_a_convolution(case):
    folded = case.on(("folding",))
    assert not [m for m in folded.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def test_several_threads_compute_what_one_does():
    torch.manual_seed(0)
    network = ESDNet(**SMALL)
    take_roads(network, TRAINABLE)
    x, outcomes = torch.rand(1, 3, 20, 28), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        network.zero_grad()
        outcomes.append(step(network, x))
    torch.set_num_threads(1)
    (one, of_one), (three, of_three) = outcomes
    assert share_within(three, one.numpy(), 1e-5) >= 0.999
    for name, gradient in of_three.items():
        assert torch.allclose(gradient, of_one[name], rtol=1e-3, atol=1e-6), name


@torch.no_grad()
def test_a_constant_image_is_embedded_once():
    network, seen = ESDNet(**SMALL).eval(), []
    take_roads(network, ("once",))
    network.patch_embed.proj.register_forward_hook(
        lambda _m, inputs, _y: seen.append(len(inputs[0]))
    )
    network.encoder_level1[0].shortcut[0].register_forward_hook(
        lambda _m, inputs, _y: seen.append(len(inputs[0]))
    )
    network(torch.rand(1, 3, 16, 16))
    assert seen == [1, 1]


def lif(fused=False, **kwargs):
    node = SpikingOperators().activation()
    for name, value in kwargs.items():
        setattr(node, name, value)
    holder = nn.Sequential(node)
    take_roads(holder, ("lif",) if fused else ())
    return node


@pytest.mark.parametrize("order", [torch.Tensor.contiguous, channels_last], ids=["plain", "last"])
@pytest.mark.parametrize("shape", [(4, 2, 3, 5, 7), (1, 1, 2, 4, 4), (6, 1, 33, 16, 32)], ids=str)
def test_fused_neurons_equal_the_library_s_bit_for_bit(shape, order):
    torch.manual_seed(1)
    x, given = order(torch.randn(shape) * 0.3), torch.randn(shape)
    outcomes = []
    for fused in (False, True):
        own = x.clone().requires_grad_()
        spikes = lif(fused)(own)
        spikes.backward(given)
        outcomes.append((spikes.detach(), own.grad))
    for library, ours in zip(*outcomes, strict=True):
        assert torch.equal(library, ours)
    assert 0 < outcomes[0][0].mean() < 1


@pytest.mark.parametrize(
    "change",
    [
        {"decay_input": True},
        {"detach_reset": True},
        {"v_reset": None},
        {"store_v_seq": True},
        {"surrogate_function": surrogate.ATan()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_neurons_of_another_kind_are_left_to_the_library(change):
    x, given = torch.rand(4, 1, 2, 4, 4), torch.rand(4, 1, 2, 4, 4)
    outcomes = []
    for fused in (False, True):
        own = x.clone().requires_grad_()
        lif(fused, **change)(own).backward(given)
        outcomes.append(own.grad)
    assert torch.equal(*outcomes)


def test_a_neuron_goes_on_from_where_it_was_left_as_the_library_s_does():
    x, outcomes = torch.rand(2, 1, 2, 4, 4) * 0.1, []
    for fused in (False, True):
        node = lif(fused)
        node.v = torch.full_like(x[0], 0.1)
        outcomes.append(node(x))
        functional.reset_net(node)
    assert torch.equal(*outcomes)


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 8, 48, 48), (3, 5, 1, 7)], ids=str)
def test_the_gradient_of_weights_equals_torch_s(shape):
    torch.manual_seed(0)
    x, given = torch.randn(shape), torch.randn(shape[0], 6, *shape[2:])
    expected = torch.nn.grad.conv2d_weight(x, (6, shape[1], 3, 3), given, padding=1)
    torch.testing.assert_close(weight_gradient(x, given), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("parts", ["tcs", "t", "c", "s", "cs"])
def test_fused_attention_and_its_gradients_equal_the_library_s(parts):
    torch.manual_seed(0)
    library = layer.MultiDimensionalAttention(
        T=4,
        C=16,
        reduction_t=4,
        kernel_size=3,
        **{f"use_{part}": part[0] in parts for part in ("temporal", "channel", "spatial")},
    )
    fast = copy.deepcopy(library)
    fast.__class__ = FastAttention
    x, beside, given = torch.randn(3, 4, 2, 16, 6, 10)
    outcomes = []
    for compute in (lambda x, y: library(x) + y, fast.plus):
        inputs = [x.clone().requires_grad_(), beside.clone().requires_grad_()]
        y = compute(*inputs)
        y.backward(given)
        outcomes.append([y, *(t.grad for t in inputs)])
    for network, ours in zip(*outcomes, strict=True):
        torch.testing.assert_close(ours, network, rtol=1e-4, atol=1e-5)
    for one, two in zip(library.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(two.grad, one.grad, rtol=1e-3, atol=1e-5)


def test_the_maximum_of_equal_pixels_has_the_library_s_gradient():
    library = layer.MultiDimensionalAttention(T=2, C=16, reduction_t=2, kernel_size=3)
    fast = copy.deepcopy(library)
    fast.__class__ = FastAttention
    gradients = []
    for attention in (library, fast):
        x = torch.full((2, 1, 16, 5, 5), 0.7, requires_grad=True)
        attention(x).square().sum().backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients)


def test_other_numbers_than_float32_are_left_to_the_library():
    torch.manual_seed(0)
    library = ESDNet(**SMALL).eval().double()
    fast = copy.deepcopy(library)
    take_roads(fast, TRAINABLE)
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(fast(x.double()), library(x.double()))
        with torch.autocast("cpu", torch.bfloat16):
            halves = [network.float()(x) for network in (library, fast)]
    assert torch.equal(*halves)


def test_what_is_not_a_number_stays_visible():
    network = ESDNet(**SMALL).eval()
    take_roads(network, ROADS)
    image = torch.rand(1, 3, 16, 16)
    image[0, 0, 3, 3] = torch.nan
    with torch.no_grad():
        assert not network(image).isfinite().all()
