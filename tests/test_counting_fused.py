"""Products inside fused operators are counted as if they were apart, or stop the account."""

import pytest
import torch
import torch.nn.functional as F
from counts import counted_on_paper
from helpers import one_line
from torch import nn
from torch.utils.flop_counter import flop_registry
from toys import Function

from derainbench.energy.counter import OperationCounter
from derainbench.energy.forward_pass import count_on_image
from derainbench.energy.products import FIRST_FACTOR, FUSED_ATTENTION, aten, refuse_products
from derainbench.energy.records import ANALOG, ATTENTION, LAYER
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError

SIDE, WIDTH, HEADS = 8, 16, 2
PIXELS = SIDE * SIDE


class Attentive(nn.Module):
    """Two convolutions and attention over all pixels between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.last = nn.Conv2d(WIDTH, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = self.first(x)
        pixels = wide.flatten(2).mT
        mixed, _ = self.attention(pixels, pixels, pixels, need_weights=False)
        return self.last(mixed.mT.reshape(wide.shape))


class Encoder(nn.Module):
    """A layer of a transformer, with a kernel of its own in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 32, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def macs(records) -> int:
    return sum(record.macs for record in records)


@pytest.mark.parametrize("training", [False, True])
def test_attention_through_one_kernel_counts_in_full(training):
    prepare("cpu")
    model, image = Attentive().train(training), torch.rand(1, 3, SIDE, SIDE)
    counts = count_on_image(model, image)
    convolutions = 2 * PIXELS * 9 * 3 * WIDTH
    projections = PIXELS * 4 * WIDTH * WIDTH
    products = 2 * PIXELS * PIXELS * WIDTH  # whatever the number of heads
    assert macs(counts) == convolutions + projections + products
    inside = [count for count in counts if count.role == ATTENTION]
    assert [count.macs for count in inside] == [products / 2] * 2
    assert {count.layer for count in inside} == {"attention"}
    assert all(count.weights == 0 and count.input == ANALOG for count in inside)
    on_paper, others = counted_on_paper(Attentive(), 1, 3, SIDE, SIDE)
    assert [(c.layer, c.role, c.output_shape, c.macs) for c in on_paper] == [
        (c.layer, c.role, c.output_shape, c.macs) for c in counts
    ]
    softmax = [other for other in others if "softmax" in other.operator]
    assert [other.elements for other in softmax] == [HEADS * PIXELS * PIXELS]
    assert "unknown" not in {other.category for other in others}


@pytest.mark.parametrize("network", [Attentive, Encoder])
@torch.no_grad()
def test_counting_fused_attention_changes_no_bit(network):
    prepare("cpu")
    model = network().eval()
    x = torch.rand(1, 3, SIDE, SIDE) if network is Attentive else torch.rand(1, 10, WIDTH)
    expected = model(x)
    with OperationCounter(model) as counter:
        assert torch.equal(model(x), expected)
    assert macs(counter.counts) > 0


def test_the_fast_path_is_as_it_was_after_counting():
    torch.backends.mha.set_fastpath_enabled(True)
    try:
        counts = count_on_image(Encoder().eval(), torch.rand(1, 10, WIDTH))
        assert torch.backends.mha.get_fastpath_enabled()
    finally:
        torch.backends.mha.set_fastpath_enabled(False)
    products = 2 * 10 * 10 * WIDTH
    assert macs(counts) == 10 * (4 * WIDTH * WIDTH + 2 * WIDTH * 32) + products


def test_values_without_spikes_cost_nothing_in_a_fused_product():
    def attend(x):
        key = torch.ones(1, 1, 5, 4)
        value = torch.zeros(1, 1, 5, 4)
        value[..., :2, 0] = 1
        return F.scaled_dot_product_attention(x, key, value)

    first, second = count_on_image(Function(attend), torch.eye(3, 4)[None, None])
    assert (first.macs, first.effective_operations) == (3 * 5 * 4, 3 * 5)
    assert (second.macs, second.effective_operations) == (3 * 5 * 4, 3 * 2)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # of x [2,6,6]
        (lambda x: F.linear(x, torch.ones(5, 6)), 2 * 6 * 5 * 6),
        (lambda x: torch.einsum("bij,bkj->bik", x, x), 2 * 6 * 6 * 6),
        (lambda x: x @ x, 2 * 6 * 6 * 6),
        (lambda x: torch.addbmm(x[0], x, x), 2 * 6 * 6 * 6),
        (lambda x: torch.baddbmm(x, x, x), 2 * 6 * 6 * 6),
        (lambda x: torch.addmv(x[0, 0], x[0], x[0, 1]), 6 * 6),
        (lambda x: torch.mv(x[0], x[0, 1]), 6 * 6),
        (lambda x: torch.dot(x[0, 0], x[0, 1]), 6),
        (lambda x: torch._addmm_activation(x[0, 0], x[0], x[1]), 6 * 6 * 6),
        (lambda x: F.conv2d(x[None], torch.ones(3, 2, 3, 3), padding=1), 36 * 3 * 2 * 9),
        (lambda x: F.scaled_dot_product_attention(x, x, x), 2 * 2 * 6 * 6 * 6),
        (lambda x: torch.linalg.multi_dot([x[0], x[0], x[0]]), 2 * 6 * 6 * 6),
    ],
)
def test_products_are_counted_by_whatever_operator(function, expected, mode):
    x = torch.rand(2, 6, 6)
    model = Function(function)
    with mode():
        plain = model(x)
        with OperationCounter(model) as counter:
            assert torch.equal(model(x), plain)
    assert macs(counter.counts) == expected


def test_an_activation_fused_with_a_product_is_one_of_the_other_operators():
    weight = torch.empty(6, 6, device="meta")
    _, others = counted_on_paper(
        Function(lambda x: torch._addmm_activation(x[0], x, weight, use_gelu=True)), 6, 6
    )
    assert {other.operator for other in others} == {"add", "gelu"}


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (lambda x: F.bilinear(x, x, torch.ones(4, 6, 6)), "aten::_trilinear"),
        (lambda x: torch.cdist(x, x), "aten::_cdist_forward"),
        (lambda x: torch.addr(x[0], x[0, 0], x[0, 1]), "aten::addr"),
        (lambda x: torch.fft.rfft(x).real, "aten::_fft_r2c"),
        (lambda x: torch.linalg.cholesky(x @ x.mT), "aten::linalg_cholesky_ex"),
    ],
)
def test_products_that_cannot_be_counted_stop_the_account(function, operator):
    model = nn.Sequential(nn.ReLU(), Function(function))
    for count in (
        lambda: count_on_image(model, torch.rand(2, 6, 6)),
        lambda: counted_on_paper(model, 2, 6, 6),
    ):
        with pytest.raises(BenchError) as refused:
            count()
        message = one_line(refused.value)
        assert message.startswith(f"operator {operator} in 1 (Function) computes products")
        if "trilinear" in operator:  # its weight stays where it was made
            return


def test_a_recurrent_kernel_stops_the_account():
    with pytest.raises(
        BenchError, match=r"mkldnn_rnn_layer in the model \(LSTM\) computes products"
    ):
        count_on_image(nn.LSTM(4, 4).eval(), torch.rand(2, 1, 4))


def test_a_foreign_operator_of_two_tensors_stops_the_account():
    @torch.library.custom_op("bench::mix", mutates_args=())
    def mix(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x @ y

    with pytest.raises(BenchError, match="operator bench::mix in the model"):
        count_on_image(Function(lambda x: mix(x, x)), torch.rand(6, 6))


def test_every_operator_of_torchs_list_of_products_is_counted_or_stops():
    for packet in flop_registry:
        if not isinstance(packet, torch._ops.OpOverloadPacket):
            continue  # operators of higher order refuse to be watched
        for name in packet.overloads():
            func = getattr(packet, name)
            counted = func in FIRST_FACTOR or func in FUSED_ATTENTION
            if counted or func is aten.convolution.default:
                continue
            with pytest.raises(BenchError):
                refuse_products(func, (), "", "")


def test_interpolation_and_pooling_are_no_products():
    for function in (
        lambda x: F.interpolate(x[None], scale_factor=2, mode="bicubic"),
        lambda x: F.interpolate(x, scale_factor=2, mode="linear"),
        lambda x: F.grid_sample(x[None], torch.zeros(1, 2, 2, 2), align_corners=False),
        lambda x: x.cumsum(1).lgamma().lerp(x, x),
    ):
        assert count_on_image(Function(function), torch.rand(2, 6, 6)) == []


def test_weights_are_told_from_activations_whatever_the_operator():
    layer = nn.Linear(6, 5)
    with torch.inference_mode(), OperationCounter(layer) as counter:
        layer(torch.rand(3, 6))
    assert [(c.role, c.weights) for c in counter.counts] == [(LAYER, 30)]
