"""Every model restores images of any size, whole and in tiles, and says which."""

import numpy as np
import pytest
import torch
from helpers import noise, one_line, save
from networks import SMALL, small
from safetensors.torch import save_file

from derainbench.catalog.card_format import ModelCard
from derainbench.catalog.model_cards import model_card, model_names
from derainbench.data.images import read_rgb
from derainbench.evaluation.inference import describe, restore
from derainbench.evaluation.restoration import Restorer
from derainbench.foundation.errors import BenchError
from derainbench.models.weights import weight_metadata

NAMES = model_names()


@pytest.fixture
def weights(name, tmp_path):
    """Weights of a small model, which carry its constructor arguments."""
    path = tmp_path / f"{name}.safetensors"
    metadata = weight_metadata({"model": name, "kwargs": SMALL[name]})
    save_file(small(name).state_dict(), path, metadata=metadata)
    return path


def shrunk(name: str, side: int = 48, overlap: int = 16) -> ModelCard:
    """A model's card with small tiles, and without memory for more than one."""
    card = model_card(name)
    side = -(-side // card.network.size_multiple) * card.network.size_multiple
    tiling = card.network.tiling.model_copy(update={"side": side, "overlap": overlap})
    return with_network(card, tiling=tiling, max_pixels=side**2)


def with_network(card: ModelCard, **changes: object) -> ModelCard:
    """A card whose network differs in these fields."""
    return card.model_copy(update={"network": card.network.model_copy(update=changes)})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(37, 53), (5, 7), (130, 9)])
def test_odd_sizes_are_restored_as_the_official_evaluation_does(name, size):
    restored = restore(small(name), torch.rand(3, *size), model_card(name))
    assert restored.shape == (3, *size)
    assert restored.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_images_too_large_for_one_pass_are_tiled(name):
    model, card, image = small(name), shrunk(name), torch.rand(3, 70, 133)
    restored = restore(model, image, card)
    assert restored.shape == image.shape
    assert torch.equal(restored, restore(model, image, card, "tiled"))
    with pytest.raises(BenchError) as refused:
        restore(model, image, card, "whole")
    assert name in one_line(refused.value)


@pytest.mark.parametrize("name", ["prenet", "brn", "ddn", "rcdnet", "efficientderain"])
def test_tiles_of_networks_that_see_no_further_show_no_seams(name):
    model, card, image = small(name), shrunk(name, 160, 64), torch.rand(3, 200, 240)
    whole = restore(model, image, with_network(card, max_pixels=10**6), "whole")
    tiled = restore(model, image, card, "tiled")
    assert 0 < (tiled - whole).abs().max() < 1 / 255


@pytest.mark.parametrize("name", ["esdnet", "prenet", "restormer", "uformer_s", "idt"])
def test_what_was_done_is_recorded(name, weights):
    for mode in (None, "tiled", "whole"):
        settings = Restorer(name, weights, mode=mode, device="cpu").settings
        assert settings.items() >= describe(model_card(name), mode).items()
    assert Restorer(name, weights, mode="tiled", device="cpu").settings["overlap"] > 0


@pytest.mark.parametrize("name", ["restormer", "uformer_s", "idt"])
@pytest.mark.parametrize("mode", ["whole", "tiled"])
def test_the_command_line_restores_in_either_mode(cli, name, mode, weights, tmp_path):
    photo = save(tmp_path / "photo.png", noise(37, 53))
    done = cli(
        "derain", photo, "--model", name, "--weights", weights, "--inference", mode,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    assert read_rgb(tmp_path / "out" / "photo.png").shape == (37, 53, 3)


@pytest.mark.parametrize("name", ["idt"])
def test_the_command_line_refuses_whole_images_that_are_too_large(cli, name, weights, tmp_path):
    photo = save(tmp_path / "photo.png", noise(129, 64))
    arguments = ("derain", photo, "--model", name, "--weights", weights, "--out", tmp_path / "out")
    done = cli(*arguments, "--inference", "whole")
    assert done.code == 1 and "use --inference tiled" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()
    assert cli(*arguments).code == 0


@pytest.mark.parametrize("name", ["uformer_b"])
def test_the_size_multiple_is_that_of_the_model_at_hand(name, weights):
    """Small Uformers take squares of 64 pixels, where those of the paper need 128."""
    restorer, seen = Restorer(name, weights, device="cpu"), []
    restorer.model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    image = noise(30, 60)
    assert np.array_equal(restorer(image).shape, image.shape)
    assert seen == [(1, 3, 64, 64)]
