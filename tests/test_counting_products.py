"""Matrix products are counted as layers if one factor is a weight, else as attention."""

import math

import pytest
import torch
from counts import counted_on_paper, only
from spikingjelly.activation_based import layer
from torch import nn

from derainbench.energy.forward_pass import count_on_image
from derainbench.energy.records import ANALOG, ATTENTION, LAYER, SPIKES


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(3, 10), (2, 3, 10)])
def test_linear_layers(bias, shape):
    x = torch.zeros(shape)
    x[..., :4] = 1
    rows = math.prod(shape[:-1])
    record = only(count_on_image(nn.Linear(10, 7, bias=bias), x))
    assert (record.operation, record.input) == ("matmul", SPIKES)
    assert record.macs == rows * 10 * 7
    assert record.effective_operations == pytest.approx(rows * 4 * 7)
    assert record.activation_density == pytest.approx(0.4)


class Products(nn.Module):
    """Products without any layer: attention's kind."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(torch.ones(1), x @ x.transpose(1, 2), x)


def test_products_outside_layers_are_counted():
    first, second = count_on_image(Products(), torch.rand(2, 5, 6))
    assert (first.macs, second.macs) == (2 * 5 * 5 * 6, 2 * 5 * 6 * 5)
    assert first.operation == second.operation == "matmul"
    assert first.role == second.role == ATTENTION
    assert first.weights == second.weights == 0


class Function(nn.Module):
    """A function as a module, with a weight if wanted."""

    def __init__(self, function, weight=None):
        super().__init__()
        self.function = function
        self.weight = None if weight is None else nn.Parameter(weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x) if self.weight is None else self.function(x, self.weight)


LEFT = [[0.0, 2.0, 0.5], [1.0, 0.0, 3.0]]
RIGHT = [[1.0, 0.0, 4.0, 1.0], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 5.0]]


@pytest.mark.parametrize(
    ("left", "right", "effective"),
    [
        # by inner index: non-zeros of the column (1, 1, 2) times those of the row (3, 2, 1)
        (LEFT, RIGHT, 1 * 3 + 1 * 2 + 2 * 1),
        ([[1.0] * 3] * 2, RIGHT, 2 * (3 + 2 + 1)),
        (LEFT, [[1.0] * 4] * 3, 4 * (1 + 1 + 2)),
        ([[0.0] * 3] * 2, RIGHT, 0),
    ],
)
@pytest.mark.parametrize("batch", [0, 1, 2])
def test_products_of_two_activations_skip_zeros_on_either_side(left, right, effective, batch):
    left, right = torch.tensor(left), torch.tensor(right)
    if batch:
        left, right = left.repeat(batch, 1, 1), right.repeat(batch, 1, 1)
    record = only(count_on_image(Function(lambda x: x @ (right + 0)), left))
    assert record.effective_operations == effective * max(batch, 1)
    assert record.macs == 2 * 3 * 4 * max(batch, 1)
    assert record.role == ATTENTION


def test_products_with_vectors():
    x, vector = torch.tensor(LEFT), torch.tensor([1.0, 0.0, 1.0])
    record = only(count_on_image(Function(lambda x: x @ (vector + 0)), x))
    assert (record.macs, record.effective_operations) == (6, 0 + 1 + 1 + 1)
    record = only(count_on_image(Function(torch.matmul, vector), x))
    assert (record.macs, record.effective_operations, record.role, record.weights) == (
        6,
        4,
        LAYER,
        3,
    )
    record = only(count_on_image(Function(lambda x, w: w @ x, x), vector))
    assert (record.macs, record.effective_operations, record.role, record.weights) == (
        6,
        4,
        LAYER,
        6,
    )


@pytest.mark.parametrize("weight_first", [False, True])
def test_what_is_weighted_is_a_layer_on_either_side(weight_first):
    x = torch.tensor(LEFT) / math.pi
    if weight_first:
        model, x = Function(lambda x, w: w @ x, torch.rand(5, 3)), x.T.contiguous()
    else:
        model = Function(torch.matmul, torch.rand(3, 5))
    record = only(count_on_image(model, x))
    assert (record.role, record.weights, record.input) == (LAYER, 15, ANALOG)
    assert (record.macs, record.effective_operations) == (2 * 3 * 5, 4 * 5)
    assert record.activation_density == pytest.approx(4 / 6)
    assert record.channel_std == pytest.approx(torch.tensor([0.5, 0.5, 1]).std(correction=0))


def test_inside_attention_modules_everything_is_attention():
    unit = layer.MultiDimensionalAttention(T=2, C=4, reduction_t=2, reduction_c=2, kernel_size=3)
    model = nn.Sequential(layer.Conv2d(4, 4, 1, step_mode="m"), unit)
    counts, others = counted_on_paper(model, 2, 1, 4, 6, 6)
    assert [(c.layer, c.role) for c in counts] == [
        ("0", LAYER),
        *((f"1.ta.sharedMLP.{i}", ATTENTION) for i in (0, 2, 0, 2)),
        *((f"1.ca.sharedMLP.{i}", ATTENTION) for i in (0, 2, 0, 2)),
        ("1.sa.conv", ATTENTION),
    ]
    assert counts[-1].macs == 36 * 2 * 9  # one map for all steps, from their mean and maximum
    assert {o.category for o in others if o.layer.startswith("1")} == {ATTENTION}
