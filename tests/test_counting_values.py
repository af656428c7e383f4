"""How an input lies in memory, and in which format, makes no difference to what is seen in it."""

import pytest
import torch
from counts import only
from test_counting import SHAPES
from torch import nn

from derainbench.energy import inspection
from derainbench.energy.forward_pass import count_on_image
from derainbench.energy.records import ANALOG, GRADED, INTEGER, SPIKES


def same(first, second) -> bool:
    """Whether counts agree, in all but what the device adds up in another order."""
    return [vars(c) for c in first] == [
        {k: pytest.approx(v) if isinstance(v, float | tuple) else v for k, v in vars(c).items()}
        for c in second
    ]


LAYOUTS = {
    "channels last": lambda x: x.to(memory_format=torch.channels_last),
    "every other pixel": lambda x: x.repeat_interleave(2, dim=3)[..., ::2],
    "some channels": lambda x: torch.cat((x, x), 1)[:, : x.shape[1]],
    "some channels, last": lambda x: torch.cat((x, x), 1).to(memory_format=torch.channels_last)[
        :, : x.shape[1]
    ],
    "transposed": lambda x: x.mT.contiguous().mT,
}


def spiky(*shape: int, share: float = 0.3) -> torch.Tensor:
    """Spikes in places that differ between channels."""
    return (torch.rand(shape, generator=torch.Generator().manual_seed(1)) < share).float()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("values", ["spikes", "analog"])
@pytest.mark.parametrize("convolution", SHAPES)
def test_the_layout_in_memory_does_not_matter(layout, values, convolution):
    x = spiky(3, 4, 9, 11)
    x = x if values == "spikes" else x * 0.7
    other = LAYOUTS[layout](x)
    assert torch.equal(other, x) and other.stride() != x.stride()
    assert same(count_on_image(convolution, other), count_on_image(convolution, x))


@pytest.mark.parametrize("piece", [1, 7, 64, 1000])
@pytest.mark.parametrize("last", [False, True])
def test_inputs_are_looked_at_in_pieces(piece, last, monkeypatch):
    x = spiky(2, 5, 9, 11)
    x[1, 4, 8, 10] = 1
    variants = [x, x * 0.53, x * 20, x + (x.cumsum(3) == 4) * 0.25, x * 2]
    if last:
        variants = [v.to(memory_format=torch.channels_last) for v in variants]
    model = nn.Conv2d(5, 3, 3, padding=1)
    whole = [only(count_on_image(model, v)) for v in variants]
    assert [c.input for c in whole] == [SPIKES, ANALOG, INTEGER, GRADED, GRADED]
    monkeypatch.setattr(inspection, "PIECE_ELEMENTS", piece)
    assert same([only(count_on_image(model, v)) for v in variants], whole)


@pytest.mark.parametrize("place", [0, -1])
def test_one_odd_element_anywhere_is_seen(place, monkeypatch):
    monkeypatch.setattr(inspection, "PIECE_ELEMENTS", 50)
    for value, kind in ((0.53, ANALOG), (20.0, INTEGER), (0.5, GRADED)):
        x = torch.ones(1, 3, 20, 20)
        x.view(-1)[place] = value
        assert only(count_on_image(nn.Conv2d(3, 1, 1), x)).input == kind


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_number_formats(dtype):
    model = nn.Conv2d(3, 5, 3, padding=1)
    for x in (spiky(1, 3, 8, 8), spiky(1, 3, 8, 8) * 0.5, spiky(1, 3, 8, 8) * 3):
        assert same(count_on_image(model.to(dtype), x.to(dtype)), count_on_image(model.float(), x))


def test_what_single_precision_cannot_hold_is_still_seen():
    x = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    x[0, 0, 0, 0] += 1e-12
    assert only(count_on_image(nn.Conv2d(1, 1, 1).double(), x)).input == ANALOG
