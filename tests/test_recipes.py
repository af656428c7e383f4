"""Every model trains by the recipe of its family and by the common one."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from helpers import SMALL, noise, one_line, save
from safetensors.torch import load_file

from derainbench.catalog.files import matching
from derainbench.catalog.model_cards import model_card, model_names
from derainbench.catalog.recipes import AUGMENTATIONS, CATALOG_FILES, LOSSES, Recipe, load_recipe
from derainbench.data import crops
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.training import loop, losses, steps

FILES = {file.stem: file for file in matching(*CATALOG_FILES)}
RECIPES = sorted(FILES)
# Of the papers' networks: each read line by line in its authors' repository.
PAPERS = sorted(file.stem for file in matching("papers/*/recipes/*.yaml"))
SIDES = {"idt": 128, "uformer_b": 64, "uformer_s": 64, "efficientderain": 32, "mprnet": 32}
# Outputs that a small model's own recipe trains on, where these are more than the last.
STAGES = {"rescan": 2, "rescan_lstm": 2, "rcdnet": 4, "rcdnet_simple": 3, "spdnet": 3, "mprnet": 3}


def family(model: str) -> str:
    """The recipe of a model's authors: that of the name of its module."""
    return model_card(model).network.module.rpartition(".")[2].removesuffix("_ann")


def text_of(recipe: str) -> str:
    return FILES[recipe].read_text(encoding="utf-8")


def test_what_recipes_may_name_is_what_training_offers():
    """The catalogue, which is read without torch, holds the names a second time."""
    assert set(AUGMENTATIONS) == set(crops.AUGMENTATIONS)
    assert set(LOSSES) == set(losses.LOSSES)
    for names in (AUGMENTATIONS, LOSSES):
        assert len(set(names)) == len(names)


def test_there_is_a_recipe_for_every_model_and_none_besides():
    assert set(SMALL) == set(model_names())
    assert set(map(family, SMALL)) | {"common"} == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_loads_and_says_where_it_is_from(name):
    assert load_recipe(name).length >= 1
    comment = " ".join(line[2:] for line in text_of(name).splitlines() if line.startswith("#"))
    if name == "common":
        assert "Chosen" in comment
    elif name in PAPERS:
        assert re.search(r"read in their repository \([\w-]+/[\w-]+ at [0-9a-f]{7}\)", comment)
    else:
        assert "/" in comment  # a repository and its files
        assert "Not verified" in comment


def test_the_common_recipe_and_those_of_papers_say_everything_and_others_what_differs():
    optional = {"epochs", "progressive", "milestones", "gamma", "momentum"}
    assert set(yaml.safe_load(text_of("common"))) == set(Recipe.model_fields) - optional
    assert {"esdnet", "spikerain", "vlif"} <= set(PAPERS)
    for name in PAPERS:  # which no change of the common one may reach
        assert "base" not in yaml.safe_load(text_of(name))
    for name in set(RECIPES) - {"common", *PAPERS}:
        assert yaml.safe_load(text_of(name))["base"] == "common"


@pytest.mark.parametrize("model", SMALL)
def test_crops_of_both_recipes_suit_the_model_at_its_papers_size(model):
    with torch.device("meta"):
        built = build(model)
    for name in (family(model), "common"):
        loop.check_suits(built, model, load_recipe(name))


def shortened(name: str, side: int) -> Recipe:
    """The recipe cut down to two steps on two images."""
    recipe = load_recipe(name)
    fields = {"crops_per_image": 1, "hold": 0, "warmup_epochs": 0, "val_crop": side}
    if recipe.progressive:
        phases = [{"steps": 1, "crop": s, "batch_size": 1} for s in (side, 2 * side)]
        return load_recipe(name, {**fields, "progressive": phases})
    length = {"epochs": 1} if recipe.epochs else {"steps": 2}
    return load_recipe(name, {**fields, **length, "crop": side, "batch_size": 1})


@pytest.fixture
def train(tmp_path):
    """Trains a small model; returns its history and weights."""

    def run(model: str, recipe: Recipe) -> tuple[pd.DataFrame, dict[str, torch.Tensor]]:
        side = recipe.val_crop
        for split, count in (("train", 2), ("val", 1)):
            for i in range(count):
                clean = noise(side, side + 3, seed=i)
                rainy = np.maximum(clean, noise(side, side + 3, seed=10 + i)[..., :1] // 2)
                save(tmp_path / "set" / split / "input" / f"{i}.png", rainy)
                save(tmp_path / "set" / split / "target" / f"{i}.png", clean)
        weights = loop.train(
            model_name=model,
            model_kwargs=SMALL[model],
            data=tmp_path / "set",
            recipe=recipe,
            seed=3,
            out=tmp_path / "out",
            device="cpu",
        )
        return pd.read_csv(tmp_path / "out" / "history.csv"), load_file(weights)

    return run


@pytest.fixture
def outputs_seen(monkeypatch) -> list[int]:
    """Of every step, how many outputs of the model the loss was applied to."""
    seen, total_loss = [], steps.total_loss

    def recording(outputs, *others):
        seen.append(len(outputs))
        return total_loss(outputs, *others)

    monkeypatch.setattr(steps, "total_loss", recording)
    return seen


@pytest.mark.parametrize("own", [True, False], ids=["own", "common"])
@pytest.mark.parametrize("model", SMALL)
def test_every_model_trains(model, own, train, outputs_seen):
    recipe = shortened(family(model) if own else "common", SIDES.get(model, 16))
    rows, weights = train(model, recipe)
    assert outputs_seen == 2 * [STAGES.get(model, 1) if own else 1]
    assert np.isfinite(rows[["loss", "selection_psnr_rgb"]]).all(axis=None)
    torch.manual_seed(3)
    fresh = build(model, **SMALL[model])
    moved = [not torch.equal(weights[k], p) for k, p in fresh.named_parameters()]
    assert sum(moved) > len(moved) / 2  # some networks hold layers that never run


def test_all_stages_of_a_model_that_has_none_are_refused(train):
    recipe = shortened("common", 16).model_copy(update={"stage_weight": 1.0})
    with pytest.raises(BenchError) as refused:
        train("nafnet", recipe)
    assert "model 'nafnet' does not give" in one_line(refused.value)


def test_a_crop_that_the_model_cannot_take_is_refused(train):
    recipe = shortened("common", 256)  # a multiple of 128, but IDT takes nothing else
    with pytest.raises(BenchError) as refused:
        train("idt", recipe)
    assert one_line(refused.value).startswith("recipe: crop 256: IDT takes 128x128 images only")


def test_every_side_of_a_progressive_run_must_suit_the_model(train):
    phases = [{"steps": 1, "crop": side, "batch_size": 1} for side in (16, 20)]
    fields = {"progressive": phases, "hold": 0, "val_crop": 32}
    with pytest.raises(BenchError) as refused:
        train("restormer", load_recipe("restormer", fields))
    assert "crop 20 must be a multiple of 8 for model 'restormer'" in one_line(refused.value)
