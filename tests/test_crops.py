"""Training crops depend on (seed, epoch, index) alone; validation pairs on names alone."""

import numpy as np
import pytest
import torch
from helpers import one_line, save

from derainbench.data.crops import AUGMENTATIONS, CropKey, Crops, hold_out, to_tensor
from derainbench.data.images import read_rgb
from derainbench.data.pairs import Pair, read_split
from derainbench.foundation.errors import BenchError


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
        return {i: crops[CropKey(i, epoch)][0] for i in order}

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


def symmetries(image: torch.Tensor) -> list[torch.Tensor]:
    """The four rotations of [3,S,S], then those of its mirror image."""
    return [torch.rot90(x, k, (1, 2)) for x in (image, image.flip(2)) for k in range(4)]


def test_input_and_target_are_augmented_alike(pairs):
    plain, turned = (Crops(pairs, 16, seed=1, per_image=20, augment=a) for a in ((), AUGMENTATIONS))
    found = []
    for i in range(len(plain)):
        (rainy, clean), (turned_rainy, turned_clean) = plain[i], turned[i]
        # Augmented crops are cut where others are, and are one of eight symmetric ones.
        [k] = [k for k, x in enumerate(symmetries(rainy)) if torch.equal(x, turned_rainy)]
        assert torch.equal(symmetries(clean)[k], turned_clean)
        found.append(k)
    assert set(found) == set(range(8))


@pytest.mark.parametrize(
    ("name", "expected"), [("hflip", {0, 4}), ("vflip", {0, 6}), ("rot90", {0, 1})]
)
def test_augmentations_are_what_they_are_called_and_done_to_half(name, expected, pairs):
    plain, turned = (Crops(pairs, 16, seed=1, per_image=40, augment=a) for a in ((), [name]))
    found = [
        next(k for k, x in enumerate(symmetries(plain[i][0])) if torch.equal(x, turned[i][0]))
        for i in range(len(plain))
    ]
    assert set(found) == expected
    assert 40 <= found.count(0) <= 80  # of 120


def test_augmentation_depends_on_seed_epoch_and_index_alone(pairs):
    def drawn(seed=1, epoch=4):
        crops = Crops(pairs, 16, seed=seed, per_image=4, augment=["hflip", "rot90"])
        return torch.stack([crops[CropKey(i, epoch)][0] for i in range(len(crops))])

    assert torch.equal(drawn(), drawn())
    assert not torch.equal(drawn(), drawn(seed=2))
    assert not torch.equal(drawn(), drawn(epoch=5))


def test_small_images_are_reflected_on_demand(pairs):
    crops = Crops(pairs, 28, seed=1, pad=True)  # images are 24 high, 32 wide
    for i, pair in enumerate(pairs):
        for crop, file in zip(crops[i], (pair.input, pair.target), strict=True):
            assert crop.shape == (3, 28, 28)
            assert torch.equal(crop[:, 24:], crop[:, 19:23].flip(1))
            whole = to_tensor(read_rgb(file))
            windows = [whole[:, :, left : left + 28] for left in range(5)]
            assert any(torch.equal(crop[:, :24], window) for window in windows)


def test_crops_may_be_smaller_than_the_largest(pairs):
    smaller = Crops(pairs, 20, seed=1)[CropKey(0, size=16)]
    assert torch.equal(smaller[0], Crops(pairs, 16, seed=1)[0][0])


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
