"""Training crops depend on (seed, epoch, index) alone; validation pairs on names alone."""

import numpy as np
import pytest
import torch
from helpers import one_line, save
from torch.utils.data import DataLoader

from derainbench.data.crops import Crops, hold_out, to_tensor
from derainbench.data.images import read_rgb
from derainbench.data.pairs import Pair, read_split
from derainbench.errors import BenchError


@pytest.fixture
def pairs(paired_set) -> list[Pair]:
    return list(read_split(paired_set(splits={"train": 3}, size=(24, 32)) / "train").pairs)


def named(*names: str) -> list[Pair]:
    return [Pair(name, None, None) for name in names]


def test_values_are_scaled_to_0_1_and_channels_come_first():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    tensor = to_tensor(image)
    assert tensor.shape == (3, 2, 4) and tensor.dtype == torch.float32
    assert tensor[2, 1, 3] == torch.tensor(23 / 255)


def test_both_images_of_a_pair_are_cut_at_the_same_place(pairs):
    crops = Crops(pairs, 16, seed=1)
    rainy, clean = (to_tensor(read_rgb(f)) for f in (pairs[0].input, pairs[0].target))
    cut_rainy, cut_clean = crops[0]
    places = [
        (t, s)
        for t in range(24 - 16 + 1)
        for s in range(32 - 16 + 1)
        if torch.equal(rainy[:, t : t + 16, s : s + 16], cut_rainy)
    ]
    [(top, left)] = places
    assert torch.equal(clean[:, top : top + 16, left : left + 16], cut_clean)


def test_random_crops_depend_on_seed_epoch_and_index_alone(pairs):
    def drawn(seed, epoch, order=range(3)):
        crops = Crops(pairs, 16, seed=seed)
        crops.epoch = epoch
        return {i: crops[i][0] for i in order}

    first = drawn(1, 4)
    again = drawn(1, 4, order=[2, 0, 1])
    assert all(torch.equal(first[i], again[i]) for i in first)
    assert any(not torch.equal(first[i], drawn(2, 4)[i]) for i in first)
    assert any(not torch.equal(first[i], drawn(1, 5)[i]) for i in first)


def test_several_crops_of_an_image_differ(pairs):
    crops = Crops(pairs, 16, seed=1, per_image=4)
    assert len({crops[i][0].numpy().tobytes() for i in range(12)}) > 6


def test_an_epoch_has_equally_many_crops_of_every_image(tmp_path):
    for i in range(3):
        for side in ("input", "target"):
            save(tmp_path / side / f"{i}.png", np.full((24, 32, 3), 50 * i, dtype=np.uint8))
    crops = Crops(read_split(tmp_path).pairs, 16, seed=1, per_image=4)
    levels = [round(crops[i][0].mean().item() * 255) for i in range(12)]
    assert sorted(levels) == 4 * [0] + 4 * [50] + 4 * [100]


@pytest.mark.slow
def test_worker_processes_change_nothing(pairs):
    crops = Crops(pairs, 16, seed=1)
    crops.epoch = 3
    alone, helped = (list(DataLoader(crops, 2, num_workers=n)) for n in (0, 2))
    for (a, b), (c, d) in zip(alone, helped, strict=True):
        assert torch.equal(a, c) and torch.equal(b, d)


def test_without_a_seed_crops_are_central(pairs):
    rainy = to_tensor(read_rgb(pairs[1].input))
    assert torch.equal(Crops(pairs, 16)[1][0], rainy[:, 4:20, 8:24])


def test_an_image_smaller_than_the_crop_is_refused(pairs):
    Crops(pairs, 24)
    with pytest.raises(BenchError) as refused:
        Crops(pairs, 25)
    assert one_line(refused.value).startswith(f"{pairs[0].input}: 24x32 is smaller than the 25x25")


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.5, 0.99])
def test_held_out_pairs_are_disjoint_and_complete(fraction):
    pairs = named(*(f"{i}.png" for i in range(30)))
    kept, held = hold_out(pairs, fraction)
    assert kept and held
    assert sorted(p.name for p in kept + held) == sorted(p.name for p in pairs)
    assert len(held) == min(max(1, round(30 * fraction)), 29)


def test_held_out_pairs_do_not_depend_on_order_or_folder():
    pairs = named(*(f"{i}.png" for i in range(30)))
    held = {p.name for p in hold_out(pairs, 0.2)[1]}
    assert held == {p.name for p in hold_out(pairs[::-1], 0.2)[1]}
    assert held == {f"{i}.png" for i in (0, 6, 7, 8, 14, 18)}


def test_one_more_pair_displaces_at_most_one():
    names = [f"{i}.png" for i in range(30)]
    held = {p.name for p in hold_out(named(*names), 0.2)[1]}
    for extra in ("a.png", "b.png", "c.png", "d.png", "e.png"):
        assert len(held - {p.name for p in hold_out(named(*names, extra), 0.2)[1]}) <= 1


def test_one_pair_cannot_be_split():
    with pytest.raises(BenchError):
        hold_out(named("a.png"), 0.1)
