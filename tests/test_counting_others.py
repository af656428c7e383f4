"""What is computed besides convolutions and matrix products, as it can be counted on paper."""

import contextlib

import pytest
import torch
import torch.nn.functional as F
from counts import counted_on_paper, only
from helpers import SMALL
from spikingjelly.activation_based import neuron, surrogate
from torch import nn
from toys import Function

from derainbench.catalog.operators import operator_rules
from derainbench.energy import counter, forward_pass
from derainbench.energy.count_tables import image_totals, layer_table, other_table
from derainbench.energy.forward_pass import count_structure
from derainbench.energy.records import MEMBRANE, UNKNOWN
from derainbench.models.construction import build


def operations(other) -> tuple[int, float, float, float]:
    return other.elements, other.adds, other.multiplies, other.specials


@pytest.mark.parametrize(
    ("module", "operator", "category", "expected"),
    [
        # on 60 elements [1,3,4,5]: elements, additions, multiplications, specials
        (nn.ReLU(), "relu", "activation", (60, 60, 0, 0)),
        (nn.ReLU(inplace=True), "relu", "activation", (60, 60, 0, 0)),
        (nn.Sigmoid(), "sigmoid", "activation", (60, 0, 0, 60)),
        (nn.PReLU(), "_prelu_kernel", "activation", (60, 60, 60, 0)),
        (nn.BatchNorm2d(3), "native_batch_norm", "normalisation", (60, 60, 60, 0)),
        # mean and variance of what comes in, then as batch norm
        (nn.LayerNorm(5), "native_layer_norm", "normalisation", (60, 240, 180, 0)),
        # one addition for every element that goes in
        (nn.AdaptiveAvgPool2d(1), "mean", "reduction", (60, 60, 0, 0)),
        (nn.AdaptiveMaxPool2d(1), "adaptive_max_pool2d", "reduction", (60, 60, 0, 0)),
        (Function(lambda x: x.mean(1)), "mean", "reduction", (60, 60, 0, 0)),
        # 240 pixels come out, each of four neighbours
        (
            nn.UpsamplingBilinear2d(scale_factor=2),
            "upsample_bilinear2d",
            "interpolation",
            (240, 720, 960, 0),
        ),
        (Function(lambda x: x + x[:, :1]), "add", "elementwise", (60, 60, 0, 0)),
        (Function(lambda x: x[:, :1] * x), "mul", "elementwise", (60, 0, 60, 0)),
        (Function(lambda x: 1 - x), "rsub", "elementwise", (60, 60, 0, 0)),
        (Function(lambda x: x / x[:, :1]), "div", "elementwise", (60, 0, 0, 60)),
        (Function(lambda x: x.sqrt_()), "sqrt", "elementwise", (60, 0, 0, 60)),
    ],
)
def test_one_operator(module, operator, category, expected):
    counts, others = counted_on_paper(module, 1, 3, 4, 5)
    other = only(others)
    assert counts == []
    assert (other.operator, other.category, other.calls) == (operator, category, 1)
    assert (other.layer, other.type) == ("", type(module).__name__)
    assert operations(other) == expected


@pytest.mark.parametrize(
    "move",
    [
        lambda x: x.view(1, 60).reshape(4, 15).t().contiguous(),
        lambda x: torch.cat((x, x), 1).permute(0, 2, 3, 1)[..., :2],
        lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
        lambda x: F.pixel_shuffle(F.pixel_unshuffle(x[..., :4], 2), 2).flip(3).roll(1, 2),
        lambda x: torch.stack((x, torch.zeros_like(x))).expand(2, 1, 3, 4, 5).clone(),
        lambda x: F.interpolate(x, scale_factor=2),
    ],
)
def test_moving_values_is_no_operation(move):
    assert counted_on_paper(Function(move), 1, 3, 4, 5) == ([], [])


@pytest.mark.parametrize(
    ("module", "shape", "elements"),
    [
        (nn.Conv2d(3, 7, 3, padding=1), (1, 3, 4, 5), 7 * 4 * 5),
        (nn.ConvTranspose2d(3, 7, 2, stride=2), (1, 3, 4, 5), 7 * 8 * 10),
        (nn.Linear(5, 7), (1, 4, 5), 4 * 7),
    ],
)
def test_a_bias_is_an_addition_per_output(module, shape, elements):
    other = only(counted_on_paper(module, *shape)[1])
    assert (other.operator, *operations(other)) == ("add", elements, elements, 0, 0)
    module.bias = None
    assert counted_on_paper(module, *shape)[1] == []


def test_softmax_attention():
    """Five tokens of six channels: 25 scores, scaled and turned into shares."""
    attend = Function(lambda x: (x @ x.mT / 6**0.5).softmax(-1) @ x)
    counts, others = counted_on_paper(attend, 1, 5, 6)
    assert [c.macs for c in counts] == [5 * 6 * 5, 5 * 5 * 6]
    scale, softmax = others
    assert (scale.operator, *operations(scale)) == ("div", 25, 0, 0, 25)
    # subtract the maximum and add up; exponential; times the inverse sum
    assert (softmax.operator, *operations(softmax)) == ("_softmax", 25, 50, 25, 25)
    assert softmax.category == "attention"


@pytest.mark.parametrize(
    "node",
    [
        neuron.LIFNode(tau=2.0, decay_input=False, v_reset=0.0, step_mode="m"),
        neuron.LIFNode(surrogate_function=surrogate.ATan(), step_mode="m", detach_reset=True),
        neuron.IFNode(v_reset=None, step_mode="m"),
        neuron.ParametricLIFNode(step_mode="m"),
    ],
)
def test_neurons_are_updated_once_per_step_and_nothing_else(node):
    counts, others = counted_on_paper(nn.Sequential(node), 3, 1, 2, 4, 5)
    updates = 3 * 1 * 2 * 4 * 5
    other = only(others)
    assert counts == []
    assert (other.layer, other.operator, other.category) == ("0", "membrane update", MEMBRANE)
    assert (other.calls, *operations(other)) == (1, updates, 2 * updates, updates, 0)


def test_neurons_of_single_steps_are_updated_at_every_call():
    node = neuron.LIFNode()
    twice = nn.Sequential(node, node)
    other = only(counted_on_paper(twice, 1, 2, 4, 5)[1])
    assert (other.calls, other.elements, other.adds) == (2, 80, 160)


def test_calls_of_an_operator_add_up_within_a_module_and_modules_stay_apart():
    model = nn.Sequential(Function(lambda x: (x + x) + x), Function(lambda x: x + x))
    first, second = counted_on_paper(model, 1, 3, 4, 5)[1]
    assert (first.layer, first.calls, first.adds) == ("0", 2, 120)
    assert (second.layer, second.calls, second.adds) == ("1", 1, 60)


def test_what_has_no_rule_is_said_to_be_unknown():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), Function(torch.erfinv), nn.ReLU())
    counts, others = counted_on_paper(model, 1, 3, 4, 5)
    [unknown] = [o for o in others if o.category == UNKNOWN]
    assert (unknown.layer, unknown.operator, *operations(unknown)) == ("1", "erfinv", 40, 0, 0, 0)
    found = image_totals(layer_table(counts), other_table(others), spiking=False)
    # 40 elements each: convolution, bias, unknown, ReLU
    assert found["unknown_share"] == pytest.approx(40 / 160)
    counts, others = counted_on_paper(model[::2], 1, 3, 4, 5)
    assert (
        image_totals(layer_table(counts), other_table(others), spiking=False)["unknown_share"] == 0
    )


def test_every_rule_names_one_operator_of_torch():
    text = [name for name in operator_rules() if name != "membrane_update"]
    assert [name for name in text if not hasattr(torch.ops.aten, name)] == []


def small_structure(name: str):
    with torch.device("meta"):
        model = build(name, **SMALL[name])
    counts, others = count_structure(model, 64, 64)
    return [vars(c) for c in counts], [vars(o) for o in others]


def equal(first, second) -> bool:
    return repr(first) == repr(second)  # NaN is not equal to itself


@pytest.mark.parametrize("name", ["esdnet", "esdnet-ann", "nafnet", "restormer", "prenet", "vlif"])
def test_shapes_that_are_known_beforehand_change_no_count(name, monkeypatch):
    short = small_structure(name)
    asked = []
    monkeypatch.setattr(counter, "has_known_shape", lambda *_: asked.append(1))
    assert equal(small_structure(name), short)
    assert asked


def test_shapes_are_not_taken_for_known_where_types_mix():
    """Masks times values are values, of which there is a mean."""
    model = Function(lambda x: torch.mul(x.gt(0), x + 0.5).mean(1))
    assert [o.operator for o in counted_on_paper(model, 1, 3, 4, 5)[1]] == [
        *("gt", "add", "mul", "mean")
    ]


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", ["esdnet", "efficientderain"])
def test_deterministic_algorithms_are_counted_as_the_others(name, deterministic, monkeypatch):
    asked = small_structure(name)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    assert equal(small_structure(name), asked)
    torch.use_deterministic_algorithms(True)
    monkeypatch.setattr(forward_pass, "nondeterministic_algorithms", contextlib.nullcontext)
    assert not equal(small_structure(name), asked)  # interpolation falls apart


def test_esdnets_neurons_are_all_updated_and_in_its_blocks_nothing_else_is():
    """64x64, 16 channels at the top, two steps: inputs of the neurons, level by level."""
    _, others = small_structure("esdnet")
    updates = {o["layer"]: o["elements"] for o in others if o["category"] == MEMBRANE}
    full, half, quarter = 2 * 64 * 64, 2 * 32 * 32, 2 * 16 * 16
    assert updates == {
        **{f"encoder_level1.0.residual.{i}": 16 * full for i in (0, 3)},
        "down1_2.maxpool_conv.0": 16 * full,
        **{f"encoder_level2.0.residual.{i}": 32 * half for i in (0, 3)},
        "down2_3.maxpool_conv.0": 32 * half,
        **{f"encoder_level3.0.residual.{i}": 64 * quarter for i in (0, 3)},
        **{f"decoder_level3.0.residual.{i}": 64 * quarter for i in (0, 3)},
        "up3_2.up.0": 64 * half,
        "reduce_chan_level2.0": 64 * half,
        **{f"decoder_level2.0.residual.{i}": 32 * half for i in (0, 3)},
        "up2_1.up.0": 32 * full,
        **{f"decoder_level1.0.residual.{i}": 32 * full for i in (0, 3)},
    }
    inside = [o for o in others if o["layer"] in updates and o["category"] != MEMBRANE]
    assert inside == []
    assert [o for o in others if o["category"] == UNKNOWN] == []


def test_a_residual_block_by_hand():
    """Batch norms of three convolutions, two sums, and what its attention does."""
    _, others = small_structure("esdnet")
    block = [o for o in others if o["layer"].startswith("encoder_level1.0")]
    size = 2 * 16 * 64 * 64
    norms = [o for o in block if o["category"] == "normalisation"]
    assert [(o["adds"], o["multiplies"]) for o in norms] == [(size, size)] * 3
    [sums] = [o for o in block if (o["layer"], o["operator"]) == ("encoder_level1.0", "add")]
    assert (sums["calls"], sums["adds"]) == (2, 2 * size)
    scaling = [o for o in block if (o["layer"], o["operator"]) == ("encoder_level1.0.attn", "mul")]
    assert [(o["category"], o["calls"], o["multiplies"]) for o in scaling] == [
        ("attention", 3, 3 * size)
    ]
