"""Tiles and padding leave no trace in the restored image; 8 bits come about as announced."""

import numpy as np
import pytest
import torch
from helpers import noise
from torch import nn

from derainbench.errors import BenchError
from derainbench.evaluation.inference import (
    OVERLAP,
    QUANTISE,
    TILE,
    restore,
    restore_image,
    restore_tiled,
    restore_whole,
    tile_starts,
    to_uint8,
)

SIZES = [(80, 80), (81, 80), (100, 130), (152, 153), (23, 17), (1, 1), (40, 200), (161, 79)]


class Probe(nn.Module):
    """The identity; remembers the shapes that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(x.shape))
        return x.clone()


def smooth(height: int, width: int) -> torch.Tensor:
    """[3,H,W] without any edge of its own."""
    y, x = torch.meshgrid(torch.arange(height) / 97, torch.arange(width) / 131, indexing="ij")
    return torch.stack([0.5 + 0.4 * torch.sin(y + c * x) for c in range(3)])


@pytest.mark.parametrize("length", [80, 81, 100, 151, 152, 153, 321, 481])
def test_tiles_cover_a_side_with_overlap(length):
    starts = tile_starts(length)
    assert starts[0] == 0 and starts[-1] == length - TILE
    assert starts == sorted(set(starts))
    steps = np.diff(starts)
    assert all(steps[:-1] == TILE - OVERLAP) and all(steps <= TILE - OVERLAP)


@pytest.mark.parametrize("size", SIZES)
def test_smooth_images_come_back_without_tile_edges(size):
    image = smooth(*size)
    restored = restore_tiled(Probe(), image)
    torch.testing.assert_close(restored, image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_constant_images_come_back_constant(size):
    restored = restore_tiled(lambda x: 0.5 * x + 0.25, torch.full((3, *size), 0.3))
    assert (restored - 0.4).abs().max() < 1e-6


@pytest.mark.parametrize("size", SIZES)
def test_every_tile_is_whole(size):
    probe = Probe()
    restore_tiled(probe, smooth(*size))
    assert {shape[1:] for shape in probe.shapes} == {(3, TILE, TILE)}


def test_the_nearer_tile_counts_more():
    """Tile 0 starts at column 0, tile 1 at column 20: each pixel leans to the nearer centre."""
    restored = restore_tiled(
        lambda tiles: torch.arange(2.0)[:, None, None, None].expand_as(tiles),
        torch.zeros(3, TILE, TILE + 20),
    )[0]
    assert (restored[:, :20] == 0).all()
    assert (restored[:, TILE:] == 1).all()
    assert (restored[:, 20:45] < 0.5).all()
    assert (restored[:, 55:TILE] > 0.5).all()
    first, second = 1 / (5**2 + 1e-3) ** 0.5, 1 / (15**2 + 1e-3) ** 0.5  # row 40, column 45
    assert restored[40, 45].item() == pytest.approx(second / (first + second), abs=1e-6)


@pytest.mark.parametrize("multiple", [1, 4, 16])
@pytest.mark.parametrize("size", [(32, 48), (33, 47), (3, 5)])
def test_whole_mode_pads_to_the_size_multiple_and_cuts_back(size, multiple):
    probe, image = Probe(), smooth(*size)
    assert torch.equal(restore_whole(probe, image, multiple), image)
    padded = [-(-side // multiple) * multiple for side in size]
    assert probe.shapes == [(1, 3, *padded)]


@pytest.mark.parametrize(("mode", "side"), [("whole", 8), ("tiled", TILE)])
def test_images_are_extended_by_repeating_their_edge(mode, side):
    seen = []
    image = smooth(6, 7)
    restore(lambda x: seen.append(x) or x, image, mode, 4)
    extended = seen[0][0]
    assert extended.shape == (3, side, side)
    assert torch.equal(extended[:, :6, :7], image)
    assert torch.equal(extended[:, 6:, :7], image[:, -1:].expand(-1, side - 6, -1))
    assert torch.equal(extended[:, :6, 7:], image[:, :, -1:].expand(-1, -1, side - 7))


def test_modes_are_chosen_by_name():
    probe = Probe()
    restore(probe, smooth(100, 90), "whole", 4)
    restore(probe, smooth(100, 90), "tiled", 4)
    assert probe.shapes == [(1, 3, 100, 92), (4, 3, TILE, TILE)]


def test_eight_bits_are_rounded_or_truncated_after_clamping():
    levels = torch.tensor([-0.5, 0.0, 10.4, 10.6, 254.6, 255.0, 300.0]) / 255
    image = levels.expand(3, 1, -1)
    assert to_uint8(image, "round")[0, :, 0].tolist() == [0, 0, 10, 11, 255, 255, 255]
    assert to_uint8(image, "truncate")[0, :, 0].tolist() == [0, 0, 10, 10, 254, 255, 255]
    assert to_uint8(image, "round").shape == (1, 7, 3)
    assert to_uint8(image, "round").dtype == np.uint8


@pytest.mark.parametrize("mode", ["tiled", "whole"])
def test_rounding_returns_the_very_image_through_an_identity(mode):
    image = noise(90, 101)
    restored = restore_image(
        Probe(), image, mode=mode, quantise="round", size_multiple=4, device=torch.device("cpu")
    )
    assert np.array_equal(restored, image)


def test_channels_keep_their_order():
    image = np.zeros((9, 9, 3), np.uint8)
    image[..., 2] = 200
    restored = restore_image(
        lambda x: x.flip(1),
        image,
        mode="whole",
        quantise="round",
        size_multiple=1,
        device=torch.device("cpu"),
    )
    assert np.array_equal(restored, image[..., ::-1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("quantise", QUANTISE)
def test_output_that_is_not_finite_is_refused(bad, quantise):
    with pytest.raises(BenchError, match="not finite"):
        restore_image(
            lambda x: x * bad,
            noise(20, 20),
            mode="whole",
            quantise=quantise,
            size_multiple=1,
            device=torch.device("cpu"),
        )
