"""Operation counts are those that can be counted on paper, and counting disturbs nothing."""

import math

import pytest
import torch
from counts import only
from spikingjelly.activation_based import layer, neuron
from torch import nn

from derainbench.energy.counter import OperationCounter
from derainbench.energy.forward_pass import count_on_image, count_structure
from derainbench.energy.networks import parameter_count
from derainbench.energy.records import ANALOG, GRADED, INTEGER, SILENT, SPIKES, UNMEASURED
from derainbench.energy.spikes.firing_rates import firing_rates
from derainbench.models.construction import build


def spikes_at(*places: tuple[int, ...], shape=(1, 2, 8, 8)) -> torch.Tensor:
    x = torch.zeros(shape)
    for place in places:
        x[place] = 1
    return x


CORNER, EDGE, CENTRE, ODD = (0, 0, 0, 0), (0, 0, 0, 4), (0, 1, 4, 4), (0, 0, 1, 1)


@pytest.mark.parametrize(
    ("convolution", "spike", "sops", "macs"),
    [
        # 3x3, same size, 5 output channels: taps that fall on the output, times 5
        (nn.Conv2d(2, 5, 3, padding=1), CENTRE, 9 * 5, 5 * 64 * 2 * 9),
        (nn.Conv2d(2, 5, 3, padding=1), EDGE, 6 * 5, 5 * 64 * 2 * 9),
        (nn.Conv2d(2, 5, 3, padding=1), CORNER, 4 * 5, 5 * 64 * 2 * 9),
        (nn.Conv2d(2, 5, 3), CORNER, 1 * 5, 5 * 36 * 2 * 9),
        (nn.Conv2d(2, 5, 1), CORNER, 1 * 5, 5 * 64 * 2),
        # stride 2 (output 4x4): pixel 0 meets one tap each way, odd pixels two
        (nn.Conv2d(2, 5, 3, stride=2, padding=1), CORNER, 1 * 5, 5 * 16 * 2 * 9),
        (nn.Conv2d(2, 5, 3, stride=2, padding=1), ODD, 4 * 5, 5 * 16 * 2 * 9),
        # stride 4 without padding (output 2x2): pixel 3 is never read
        (nn.Conv2d(2, 5, 3, stride=4), (0, 0, 3, 3), 0, 5 * 4 * 2 * 9),
        # dilation 2, same size: from pixel 0, taps 0 and +2 each way
        (nn.Conv2d(2, 5, 3, dilation=2, padding=2), CORNER, 4 * 5, 5 * 64 * 2 * 9),
        # groups: a channel reaches the outputs of its own group only
        (nn.Conv2d(2, 6, 3, padding=1, groups=2), CENTRE, 9 * 3, 6 * 64 * 1 * 9),
        # unequal kernel sides
        (nn.Conv2d(2, 5, (1, 3), padding=(0, 1)), CORNER, 2 * 5, 5 * 64 * 2 * 3),
        # transposed, 8x8 -> 16x16: of the 3x3 outputs of pixel 0, 2x2 lie inside
        (
            nn.ConvTranspose2d(2, 5, 3, stride=2, padding=1, output_padding=1),
            CORNER,
            4 * 5,
            2 * 64 * 5 * 9,
        ),
        (
            nn.ConvTranspose2d(2, 6, 2, stride=2, groups=2),
            CENTRE,
            4 * 3,
            2 * 64 * 3 * 4,
        ),
    ],
)
def test_one_spike_through_a_convolution(convolution, spike, sops, macs):
    record = only(count_on_image(convolution, spikes_at(spike)))
    assert (record.operation, record.input) == ("convolution", SPIKES)
    assert record.effective_operations == sops
    assert record.macs == macs
    assert record.activation_density == pytest.approx(1 / 128)


SHAPES = [
    nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
    nn.Conv2d(4, 6, (3, 5), padding=(2, 1), dilation=(2, 1)),
    nn.ConvTranspose2d(4, 6, 4, stride=3, padding=2, output_padding=1, groups=2, dilation=2),
]


@pytest.mark.parametrize("convolution", SHAPES)
def test_many_spikes_through_a_convolution(convolution):
    """The sum over spikes of what each causes alone: outputs reached by a kernel of ones."""
    x = (torch.rand(3, 4, 9, 11, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    nn.init.ones_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    with torch.no_grad():
        expected = convolution(x).sum().item()
    record = only(count_on_image(convolution, x))
    assert record.effective_operations == pytest.approx(expected, rel=1e-6)
    assert record.activation_density == pytest.approx(x.mean().item())


@pytest.mark.parametrize(
    ("convolution", "side", "reach"),
    [
        # of 8 places along an axis the outer two meet 2 taps, the others 3: 22 in all
        (nn.Conv2d(2, 5, 3, padding=1), 8, 22 * 22 * 2 * 5),
        (nn.Conv2d(2, 5, 3), 8, 18 * 18 * 2 * 5),
        (nn.Conv2d(2, 6, 1, groups=2), 8, 64 * 2 * 3),
        # stride 2, output 4: even places meet 1 tap, odd ones 2, the last of them 1
        (nn.Conv2d(2, 5, 3, stride=2, padding=1), 8, 11 * 11 * 2 * 5),
        # transposed, 4 -> 8: the first place reaches 2 outputs, the others 3
        (nn.ConvTranspose2d(2, 5, 3, stride=2, padding=1, output_padding=1), 4, 11**2 * 2 * 5),
    ],
)
def test_reach_is_what_an_input_of_spikes_alone_would_cause(convolution, side, reach):
    record = only(count_on_image(convolution, torch.ones(1, 2, side, side)))
    assert record.reach == record.effective_operations == reach
    assert record.activation_density == 1 and record.channel_std == 0


@pytest.mark.parametrize("convolution", SHAPES)
def test_reach_in_any_shape(convolution):
    nn.init.ones_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    x = torch.ones(3, 4, 9, 11)
    with torch.no_grad():
        record = only(count_on_image(convolution, x))
        assert record.reach == record.effective_operations == convolution(x).sum().item()
        assert only(count_on_image(convolution, torch.rand(x.shape))).reach == record.reach


def test_a_sequence_convolution_counts_every_step_and_image():
    convolution = layer.Conv2d(2, 5, 3, padding=1, step_mode="m")
    x = torch.stack([spikes_at(CENTRE), spikes_at(CORNER), spikes_at()])  # [T,N,C,H,W]
    record = only(count_on_image(convolution, x))
    assert record.effective_operations == (9 + 4 + 0) * 5
    assert record.macs == 3 * 5 * 64 * 2 * 9


def test_convolutions_in_one_and_three_dimensions():
    line = only(
        count_on_image(nn.Conv1d(2, 5, 3, padding=1), spikes_at((0, 0, 0), shape=(1, 2, 8)))
    )
    assert (line.effective_operations, line.macs) == (2 * 5, 5 * 8 * 2 * 3)
    cube = only(
        count_on_image(
            nn.Conv3d(2, 5, 3, padding=1), spikes_at((0, 0, 0, 0, 0), shape=(1, 2, 4, 4, 4))
        )
    )
    assert (cube.effective_operations, cube.macs) == (8 * 5, 5 * 64 * 2 * 27)


@pytest.mark.parametrize("make", [layer.Conv2d, layer.Linear])
def test_rates_by_step_and_by_channel(make):
    """Three steps of two channels of four pixels; a linear layer sees them as one pixel's."""
    if make is layer.Conv2d:
        model = layer.Conv2d(2, 5, 1, step_mode="m")
        x = torch.zeros(3, 1, 2, 2, 2)
        x[0, 0, 0] = 1  # 4 of 8
        x[1, 0, :, 0, 0] = 1  # 2 of 8
        steps, channels = (0.5, 0.25, 0), (5 / 12, 1 / 12)
    else:
        model = layer.Linear(2, 5, step_mode="m")
        x = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]], [[0.0, 0.0]]])
        steps, channels = (0.5, 1, 0), (2 / 3, 1 / 3)
    model = nn.Sequential(model, neuron.IFNode(step_mode="m"))
    model.T = 3
    record = only(count_on_image(model, x))
    assert record.steps == 3 and record.input == SPIKES and not record.constant
    assert record.step_densities == pytest.approx(steps)
    assert record.activation_density == pytest.approx(sum(steps) / 3)
    assert record.channel_std == pytest.approx((channels[0] - channels[1]) / 2)


@pytest.mark.parametrize(("change", "constant"), [(0, True), (1e-6, False)])
def test_an_input_that_never_changes_is_noticed(change, constant):
    model = nn.Sequential(layer.Conv2d(2, 5, 1, step_mode="m"), neuron.IFNode(step_mode="m"))
    model.T = 3
    x = torch.rand(1, 1, 2, 4, 4).repeat(3, 1, 1, 1, 1)
    x[2, 0, 1, 3, 3] += change
    assert only(count_on_image(model, x)).constant is constant


def test_without_neurons_or_with_one_step_there_are_no_time_steps():
    x = torch.ones(3, 2, 4, 4)
    plain = nn.Sequential(nn.Conv2d(2, 5, 1))
    plain.T = 3
    other = nn.Sequential(nn.Conv2d(2, 5, 1), neuron.IFNode())
    other.T = 1
    for model in (plain, other):
        record = only(count_on_image(model, x))
        assert (record.steps, record.constant) == (1, False)
        assert record.step_densities == (1.0,)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 1, 0], SPIKES),
        ([1, 1, 1, 1], SPIKES),
        ([0, 0, 0, 0], SILENT),
        ([0, 0.5, 1, 0], GRADED),
        ([0, 2, 1, 0], GRADED),
        ([0, -1, 1, 0], GRADED),
        ([0, -1, 1.5, 0], GRADED),
        ([0, 17, 1, 0], INTEGER),
        ([0, -1, 1.53, 0], ANALOG),
        ([0, 1, 1, 1e-7], ANALOG),
    ],
)
def test_what_an_input_is_is_read_off_its_values(values, kind):
    x = torch.tensor(values).reshape(1, 1, 2, 2).float()
    assert only(count_on_image(nn.Conv2d(1, 1, 1), x)).input == kind


def test_neurons_make_spikes_and_layers_are_named_by_their_path():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.Sequential(neuron.IFNode(), nn.Conv2d(4, 2, 1))
    )
    nn.init.ones_(model[0].weight)
    counts = count_on_image(model, torch.rand(1, 3, 8, 8))
    assert [(c.layer, c.input) for c in counts] == [("0", ANALOG), ("1.1", SPIKES)]
    model[1][0].reset()
    rates = firing_rates(model, torch.ones(1, 3, 8, 8))
    assert rates == {"1.0": 1.0}  # every sum of ones exceeds the threshold


def test_a_layer_used_again_is_counted_again():
    counts = count_on_image(build("prn_r", recurrent_iter=3), torch.rand(1, 3, 8, 8))
    assert [c.layer for c in counts].count("res_conv1.0") == 3 * 5
    assert [c.layer for c in counts].count("conv.0") == 3


def test_structure_alone_needs_no_values():
    record = only(count_structure(nn.Conv2d(3, 5, 3, padding=1), 10_000, 20_000)[0])
    assert record.macs == 5 * 3 * 9 * 10_000 * 20_000
    assert record.input == UNMEASURED
    assert math.isnan(record.activation_density) and math.isnan(record.effective_operations)


def test_shared_parameters_count_once():
    convolution = nn.Conv2d(3, 5, 3)
    assert parameter_count(nn.Sequential(convolution, convolution)) == 5 * 3 * 9 + 5


@pytest.mark.parametrize("name", ["esdnet", "esdnet-ann", "prenet"])
@torch.no_grad()
def test_outputs_are_bit_identical_under_counting(name):
    small = {"dim": 16, "en_num_blocks": (1, 1, 1), "de_num_blocks": (1, 1, 1)}
    model = build(name, **(small if name.startswith("esdnet") else {})).eval()
    x = torch.rand(1, 3, 16, 20)
    plain = model(x)
    with OperationCounter(model) as counter:
        counted = model(x)
    assert counter.counts
    assert torch.equal(counted, plain)


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def test_no_hooks_stay_even_after_a_failure():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), neuron.IFNode(), nn.Conv2d(4, 2, 1))
    count_on_image(model, torch.rand(1, 3, 8, 8))
    firing_rates(model, torch.rand(1, 3, 8, 8))
    for measure in (count_on_image, firing_rates):
        with pytest.raises(RuntimeError):
            measure(model, torch.rand(1, 7, 8, 8))
    assert hooks(model) == 0
