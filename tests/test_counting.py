"""Operation counts are those that can be counted on paper, and counting disturbs nothing."""

import math

import pytest
import torch
from spikingjelly.activation_based import layer, neuron
from torch import nn

from derainbench import models
from derainbench.energy.counting import (
    ANALOG,
    INTEGER,
    SILENT,
    SPIKES,
    UNMEASURED,
    OperationCounter,
    count,
    count_structure,
    firing_rates,
    parameters,
)


def spikes_at(*places: tuple[int, ...], shape=(1, 2, 8, 8)) -> torch.Tensor:
    x = torch.zeros(shape)
    for place in places:
        x[place] = 1
    return x


def only(counts):
    [record] = counts
    return record


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
    record = only(count(convolution, spikes_at(spike)))
    assert (record.operation, record.input) == ("convolution", SPIKES)
    assert record.effective == sops
    assert record.macs == macs
    assert record.rate == pytest.approx(1 / 128)


@pytest.mark.parametrize(
    "convolution",
    [
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        nn.Conv2d(4, 6, (3, 5), padding=(2, 1), dilation=(2, 1)),
        nn.ConvTranspose2d(4, 6, 4, stride=3, padding=2, output_padding=1, groups=2, dilation=2),
    ],
)
def test_many_spikes_through_a_convolution(convolution):
    """The sum over spikes of what each causes alone: outputs reached by a kernel of ones."""
    x = (torch.rand(3, 4, 9, 11, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    nn.init.ones_(convolution.weight)
    nn.init.zeros_(convolution.bias)
    with torch.no_grad():
        expected = convolution(x).sum().item()
    record = only(count(convolution, x))
    assert record.effective == pytest.approx(expected, rel=1e-6)
    assert record.rate == pytest.approx(x.mean().item())


def test_a_sequence_convolution_counts_every_step_and_image():
    convolution = layer.Conv2d(2, 5, 3, padding=1, step_mode="m")
    x = torch.stack([spikes_at(CENTRE), spikes_at(CORNER), spikes_at()])  # [T,N,C,H,W]
    record = only(count(convolution, x))
    assert record.effective == (9 + 4 + 0) * 5
    assert record.macs == 3 * 5 * 64 * 2 * 9


def test_convolutions_in_one_and_three_dimensions():
    line = only(count(nn.Conv1d(2, 5, 3, padding=1), spikes_at((0, 0, 0), shape=(1, 2, 8))))
    assert (line.effective, line.macs) == (2 * 5, 5 * 8 * 2 * 3)
    cube = only(
        count(nn.Conv3d(2, 5, 3, padding=1), spikes_at((0, 0, 0, 0, 0), shape=(1, 2, 4, 4, 4)))
    )
    assert (cube.effective, cube.macs) == (8 * 5, 5 * 64 * 2 * 27)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 10), (2, 3, 10)])
def test_linear_layers(bias, shape):
    x = torch.zeros(shape)
    x[..., :4] = 1
    rows = math.prod(shape[:-1])
    record = only(count(nn.Linear(10, 7, bias=bias), x))
    assert (record.operation, record.input) == ("matmul", SPIKES)
    assert record.macs == rows * 10 * 7
    assert record.effective == pytest.approx(rows * 4 * 7)
    assert record.rate == pytest.approx(0.4)


class Products(nn.Module):
    """Products without any layer: attention's kind."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(torch.ones(1), x @ x.transpose(1, 2), x)


def test_products_outside_layers_are_counted():
    first, second = count(Products(), torch.rand(2, 5, 6))
    assert (first.macs, second.macs) == (2 * 5 * 5 * 6, 2 * 5 * 6 * 5)
    assert first.operation == second.operation == "matmul"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 1, 0], SPIKES),
        ([1, 1, 1, 1], SPIKES),
        ([0, 0, 0, 0], SILENT),
        ([0, 0.5, 1, 0], ANALOG),
        ([0, 2, 1, 0], INTEGER),
        ([0, -1, 1, 0], INTEGER),
        ([0, -1, 1.5, 0], ANALOG),
        ([0, 1, 1, 1e-7], ANALOG),
    ],
)
def test_what_an_input_is_is_read_off_its_values(values, kind):
    x = torch.tensor(values).reshape(1, 1, 2, 2).float()
    assert only(count(nn.Conv2d(1, 1, 1), x)).input == kind


def test_neurons_make_spikes_and_layers_are_named_by_their_path():
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.Sequential(neuron.IFNode(), nn.Conv2d(4, 2, 1))
    )
    nn.init.ones_(model[0].weight)
    counts = count(model, torch.rand(1, 3, 8, 8))
    assert [(c.layer, c.input) for c in counts] == [("0", ANALOG), ("1.1", SPIKES)]
    model[1][0].reset()
    rates = firing_rates(model, torch.ones(1, 3, 8, 8))
    assert rates == {"1.0": 1.0}  # every sum of ones exceeds the threshold


def test_a_layer_used_again_is_counted_again():
    counts = count(models.build("prn_r", recurrent_iter=3), torch.rand(1, 3, 8, 8))
    assert [c.layer for c in counts].count("res_conv1.0") == 3 * 5
    assert [c.layer for c in counts].count("conv.0") == 3


def test_structure_alone_needs_no_values():
    record = only(count_structure(nn.Conv2d(3, 5, 3, padding=1), 10_000, 20_000)[0])
    assert record.macs == 5 * 3 * 9 * 10_000 * 20_000
    assert record.input == UNMEASURED
    assert math.isnan(record.rate) and math.isnan(record.effective)


def test_shared_parameters_count_once():
    convolution = nn.Conv2d(3, 5, 3)
    assert parameters(nn.Sequential(convolution, convolution)) == 5 * 3 * 9 + 5


@pytest.mark.parametrize("name", ["esdnet", "esdnet-ann", "prenet"])
@torch.no_grad()
def test_outputs_are_bit_identical_under_counting(name):
    small = {"dim": 16, "en_num_blocks": (1, 1, 1), "de_num_blocks": (1, 1, 1)}
    model = models.build(name, **(small if name.startswith("esdnet") else {})).eval()
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
    count(model, torch.rand(1, 3, 8, 8))
    firing_rates(model, torch.rand(1, 3, 8, 8))
    for measure in (count, firing_rates):
        with pytest.raises(RuntimeError):
            measure(model, torch.rand(1, 7, 8, 8))
    assert hooks(model) == 0
