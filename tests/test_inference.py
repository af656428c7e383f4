"""Tiles and padding leave no trace in the restored image; 8 bits come about as announced."""

import numpy as np
import pytest
import torch
from helpers import noise, one_line
from torch import nn

from derainbench.catalog.card_format import ModelCard, Network, Tiling
from derainbench.catalog.model_cards import model_card
from derainbench.evaluation.inference import (
    BATCH_PIXELS,
    QUANTISE,
    TILE_BATCH,
    describe,
    restore,
    restore_levels,
    restore_tiled,
    restore_whole,
    tile_starts,
    to_levels,
    to_uint8,
)
from derainbench.foundation.errors import BenchError

ESDNET_TILING = Tiling(side=80, overlap=8, blend="distance", exact=True)
TILE, OVERLAP = ESDNET_TILING.side, ESDNET_TILING.overlap
SIZES = [(80, 80), (81, 80), (100, 130), (152, 153), (23, 17), (1, 1), (40, 200), (161, 79)]
SCHEMES = {
    "esdnet": (ESDNET_TILING, 4, "replicate"),
    "idt": (Tiling(side=48, overlap=10, blend="distance", exact=True), 48, "replicate"),
    "ramp": (Tiling(side=48, overlap=16), 8, "reflect"),
    "square": (Tiling(side=64, overlap=16), 16, "square"),
}


def card(inference: str = "whole", **facts) -> ModelCard:
    """A card for models of these tests."""
    network = Network(build="test_inference:Probe", inference=inference, **facts)
    return ModelCard.model_construct(name="probe", title="Probe", network=network)


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
    starts = tile_starts(length, TILE, OVERLAP)
    assert starts[0] == 0 and starts[-1] == length - TILE
    assert starts == sorted(set(starts))
    steps = np.diff(starts)
    assert all(steps[:-1] == TILE - OVERLAP) and all(steps <= TILE - OVERLAP)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_smooth_images_come_back_without_tile_edges(size, scheme):
    image = smooth(*size)
    restored = restore_tiled(Probe(), image, *SCHEMES[scheme])
    torch.testing.assert_close(restored, image, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", SIZES)
def test_constant_images_come_back_constant(size, scheme):
    image = torch.full((3, *size), 0.3)
    restored = restore_tiled(lambda x: 0.5 * x + 0.25, image, *SCHEMES[scheme])
    assert (restored - 0.4).abs().max() < 1e-6


@pytest.mark.parametrize("size", SIZES)
def test_every_official_tile_is_whole(size):
    probe = Probe()
    restore_tiled(probe, smooth(*size), ESDNET_TILING)
    assert {shape[1:] for shape in probe.shapes} == {(3, TILE, TILE)}


@pytest.mark.parametrize(
    ("scheme", "size", "tile"),
    [
        ("ramp", (40, 100), (40, 48)),
        ("ramp", (37, 20), (40, 24)),
        ("ramp", (200, 100), (48, 48)),
        ("square", (40, 100), (64, 64)),
        ("square", (30, 20), (32, 32)),
    ],
)
def test_other_tiles_shrink_with_the_image(scheme, size, tile):
    probe = Probe()
    restore_tiled(probe, smooth(*size), *SCHEMES[scheme])
    assert {shape[2:] for shape in probe.shapes} == {tile}


def row_of_two_tiles(start: int, tiling: Tiling) -> torch.Tensor:
    """One row of an image with tiles of 0 from column 0 on and of 1 from ``start`` on."""
    restored = restore_tiled(
        lambda tiles: torch.arange(2.0)[:, None, None, None].expand_as(tiles),
        torch.zeros(3, tiling.side, tiling.side + start),
        tiling,
    )[0]
    torch.testing.assert_close(restored, restored[:1].expand_as(restored))
    return restored[0]


def test_a_ramp_leads_from_one_tile_to_the_next():
    row = row_of_two_tiles(24, Tiling(side=32, overlap=8))
    assert (row[:24] == 0).all() and (row[32:] == 1).all()
    rise = torch.sin((torch.arange(8) + 0.5) / 8 * torch.pi / 2) ** 2
    torch.testing.assert_close(row[24:32], rise)


def test_tiles_that_overlap_more_share_what_lies_deep_in_both():
    row = row_of_two_tiles(10, Tiling(side=32, overlap=8))
    assert (row[:10] == 0).all() and (row[32:] == 1).all()
    assert (row.diff() >= 0).all() and row.diff().max() < 0.2
    torch.testing.assert_close(row[18:24], torch.full((6,), 0.5))


class Blur(nn.Module):
    """Means over 9x9 pixels with zeros around: a network that sees the edges of its tiles."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(x, 9, 1, padding=4)


@pytest.mark.parametrize("size", [(192, 160), (200, 145), (193, 161), (65, 30)])
@pytest.mark.parametrize("scheme", ["ramp", "square"])
def test_edges_of_tiles_that_a_network_sees_leave_faint_traces(scheme, size):
    image, (tiling, multiple, padding) = smooth(*size), SCHEMES[scheme]
    whole = restore_whole(Blur(), image, multiple, padding)
    traces = {}
    for overlap in (1, 16, 24):
        tiled = restore_tiled(
            Blur(), image, tiling.model_copy(update={"overlap": overlap}), multiple, padding
        )
        traces[overlap] = (tiled - whole).abs().max()
    assert traces[16] < 0.03 and traces[24] < 0.012 and traces[1] > 0.1


@pytest.mark.parametrize("side", [80, 128, 512])
def test_tiles_go_through_in_batches_of_bounded_size(side):
    probe, image = Probe(), torch.zeros(3, 3 * side, 4 * side)
    restore_tiled(probe, image, Tiling(side=side, overlap=8))
    sizes = [shape[0] for shape in probe.shapes]
    assert sum(sizes) == 20
    assert max(sizes) <= TILE_BATCH and (max(sizes) - 1) * side**2 < BATCH_PIXELS
    assert len(sizes) == -(-20 // max(sizes))


def test_the_nearer_tile_counts_more():
    """Tile 0 starts at column 0, tile 1 at column 20: each pixel leans to the nearer centre."""
    restored = restore_tiled(
        lambda tiles: torch.arange(2.0)[:, None, None, None].expand_as(tiles),
        torch.zeros(3, TILE, TILE + 20),
        ESDNET_TILING,
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
    esdnet = card(tiling=ESDNET_TILING, size_multiple=4)
    restore(lambda x: seen.append(x) or x, image, esdnet, mode)
    extended = seen[0][0]
    assert extended.shape == (3, side, side)
    assert torch.equal(extended[:, :6, :7], image)
    assert torch.equal(extended[:, 6:, :7], image[:, -1:].expand(-1, side - 6, -1))
    assert torch.equal(extended[:, :6, 7:], image[:, :, -1:].expand(-1, -1, side - 7))


@pytest.mark.parametrize("size", [(13, 10), (5, 7), (3, 2), (1, 1)])
def test_images_are_extended_by_mirroring_them(size):
    seen, image = [], smooth(*size)
    restore_whole(lambda x: seen.append(x) or x, image, 16, "reflect")
    edges = [(0, 16 - side) for side in size]
    assert np.array_equal(seen[0][0].numpy(), np.pad(image, [(0, 0), *edges], mode="reflect"))


def test_images_are_put_in_the_middle_of_a_square():
    seen, image = [], smooth(21, 50)
    assert torch.equal(restore_whole(lambda x: seen.append(x) or x, image, 32, "square"), image)
    assert seen[0].shape == (1, 3, 64, 64)
    assert torch.equal(seen[0][0, :, 21:42, 7:57], image)
    assert seen[0].count_nonzero() == image.count_nonzero()


def test_modes_are_chosen_by_name():
    for mode, shape in (("whole", (1, 3, 100, 92)), ("tiled", (4, 3, TILE, TILE))):
        for default, asked in ((mode, None), ("whole", mode), ("tiled", mode)):
            probe = Probe()
            facts = card(default, tiling=ESDNET_TILING, size_multiple=4)
            restore(probe, smooth(100, 90), facts, asked)
            assert probe.shapes == [shape]


def test_images_too_large_for_one_pass_are_tiled():
    facts = card(max_pixels=4096, tiling=Tiling(side=32, overlap=8), size_multiple=8)
    for size, shapes in (
        ((64, 60), {(1, 3, 64, 64)}),
        ((65, 60), {(8, 3, 32, 32), (1, 3, 32, 32)}),
    ):
        probe = Probe()
        image = smooth(*size)
        torch.testing.assert_close(restore(probe, image, facts), image)
        assert {*probe.shapes} <= shapes


def test_a_whole_image_that_is_too_large_is_refused():
    with pytest.raises(BenchError) as refused:
        restore(Probe(), smooth(65, 60), card(max_pixels=4096, size_multiple=8), "whole")
    assert "65x60 pixels are too many for model 'probe' in one piece" in one_line(refused.value)


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_a_model_that_fails_is_reported_in_one_line(error):
    def model(x):
        raise error("out of memory\nstack")

    with pytest.raises(BenchError) as refused:
        restore(model, smooth(20, 30), card(size_multiple=4))
    assert one_line(refused.value) == "the model fails on 20x32 pixels: out of memory"


def test_what_is_done_is_described():
    tiles = {"tile": 512, "overlap": 64, "blend": "ramp"}
    assert describe(card(), "whole") == {"inference": "whole"}
    assert describe(card(), None) == {"inference": "whole", "max_pixels": 1_000_000, **tiles}
    assert describe(card(), "tiled") == describe(card("tiled"), None)
    assert describe(card("tiled"), None) == {"inference": "tiled", **tiles}
    assert describe(model_card("esdnet"), None)["tile"] == 80


def test_eight_bits_are_rounded_or_truncated_after_clamping():
    levels = torch.tensor([-0.5, 0.0, 10.4, 10.6, 254.6, 255.0, 300.0]) / 255
    image = to_levels(levels.expand(3, 1, -1))
    assert image[0, :, 0] == pytest.approx([0, 0, 10.4, 10.6, 254.6, 255, 255], abs=1e-4)
    assert to_uint8(image, "round")[0, :, 0].tolist() == [0, 0, 10, 11, 255, 255, 255]
    assert to_uint8(image, "truncate")[0, :, 0].tolist() == [0, 0, 10, 10, 254, 255, 255]
    assert to_uint8(image, "round").shape == (1, 7, 3)
    assert to_uint8(image, "round").dtype == np.uint8


def eight_bits(model, image, mode="whole", quantise="round"):
    facts = {"card": card(size_multiple=4), "device": torch.device("cpu")}
    return to_uint8(restore_levels(model, image, mode=mode, **facts), quantise)


@pytest.mark.parametrize("mode", ["tiled", "whole"])
def test_rounding_returns_the_very_image_through_an_identity(mode):
    image = noise(90, 101)
    restored = eight_bits(Probe(), image, mode=mode)
    assert np.array_equal(restored, image)


def test_channels_keep_their_order():
    image = np.zeros((9, 9, 3), np.uint8)
    image[..., 2] = 200
    assert np.array_equal(eight_bits(lambda x: x.flip(1), image), image[..., ::-1])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("quantise", QUANTISE)
def test_output_that_is_not_finite_is_refused(bad, quantise):
    with pytest.raises(BenchError, match="not finite"):
        eight_bits(lambda x: x * bad, noise(20, 20), quantise=quantise)
