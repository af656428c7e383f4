"""The learning rate is the authors' in every epoch; recipes are checked field by field."""

import pytest
from helpers import GOLDEN, one_line, read_json

from derainbench.errors import BenchError
from derainbench.training.recipe import load_recipe
from derainbench.training.schedule import rate_in_epoch

OFFICIAL = read_json(GOLDEN / "esdnet" / "lr_schedule.json")
LENGTHS = sorted(map(int, OFFICIAL["optimizer_lr_used_in_epoch"]))


def rates(epochs: int, **fields) -> list[float]:
    recipe = load_recipe("esdnet", {"epochs": epochs, **fields})
    return [rate_in_epoch(recipe, epoch) for epoch in range(epochs)]


def test_recipe_is_the_authors():
    recipe = load_recipe("esdnet")
    assert (recipe.lr, recipe.min_lr, recipe.warmup_epochs) == (
        OFFICIAL["lr"],
        OFFICIAL["min_lr"],
        OFFICIAL["warmup_epochs"],
    )
    assert (recipe.epochs, recipe.batch_size, recipe.crop, recipe.loss) == (1000, 12, 64, "ssim")
    assert (recipe.betas, recipe.eps, recipe.weight_decay) == ((0.9, 0.999), 1e-8, 0.01)


def test_their_flaws_are_off():
    recipe = load_recipe("esdnet")
    assert not recipe.zero_first_epoch
    assert recipe.select_on == "val"


@pytest.mark.parametrize("epochs", LENGTHS)
def test_with_their_flaw_every_epoch_has_the_official_rate(epochs):
    official = OFFICIAL["optimizer_lr_used_in_epoch"][str(epochs)]
    assert rates(epochs, zero_first_epoch=True) == pytest.approx(official, rel=0, abs=1e-9)
    assert official[0] == 0


@pytest.mark.parametrize("epochs", LENGTHS)
def test_without_their_flaw_only_the_warm_up_differs(epochs):
    official, ours = rates(epochs, zero_first_epoch=True), rates(epochs)
    warmup = OFFICIAL["warmup_epochs"]
    assert ours[warmup:] == official[warmup:]
    assert all(a > b for a, b in zip(ours[:warmup], official[:warmup], strict=True))
    assert min(ours) > 0


def test_the_warm_up_climbs_in_equal_steps_to_the_base_rate():
    lr = OFFICIAL["lr"]
    assert rates(50)[:4] == pytest.approx([lr / 4, lr / 2, 3 * lr / 4, lr], rel=1e-12)


def test_without_warm_up_the_first_epoch_has_the_base_rate():
    assert rates(10, warmup_epochs=0, zero_first_epoch=True)[0] == OFFICIAL["lr"]


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_the_shortest_runs_have_finite_positive_rates(epochs):
    assert all(0 < r < float("inf") for r in rates(epochs, warmup_epochs=epochs - 1))


def test_single_fields_are_replaced():
    recipe = load_recipe("esdnet", {"epochs": 8, "loss": "l1", "betas": [0.8, 0.9]})
    assert (recipe.epochs, recipe.loss, recipe.betas) == (8, "l1", (0.8, 0.9))
    base = load_recipe("esdnet").model_dump()
    changed = {k for k, v in recipe.model_dump().items() if v != base[k]}
    assert changed == {"epochs", "loss", "betas"}


def test_a_file_may_name_its_base(tmp_path):
    (tmp_path / "short.yaml").write_text("base: esdnet\nepochs: 20\n")
    recipe = load_recipe(tmp_path / "short.yaml", {"crop": 32})
    assert recipe == load_recipe("esdnet", {"epochs": 20, "crop": 32})


def refusal(name, fields=None) -> str:
    with pytest.raises(BenchError) as refused:
        load_recipe(name, fields)
    return one_line(refused.value)


def test_misspelt_field_is_named_with_a_suggestion():
    assert refusal("esdnet", {"epoch": 10}) == (
        "recipe esdnet: epoch: unknown key (did you mean 'epochs'?)"
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", "many"),
        ("batch_size", 0),
        ("crop", 8),
        ("crops_per_image", 0),
        ("lr", 0),
        ("lr", float("nan")),
        ("min_lr", -1e-7),
        ("warmup_epochs", -1),
        ("betas", [0.9]),
        ("betas", [1.5, 0.999]),
        ("betas", [0.9, -0.1]),
        ("eps", 0),
        ("weight_decay", -0.01),
        ("loss", "l2"),
        ("select_on", "train"),
        ("val_fraction", 1),
        ("val_crop", 4),
        ("validate_every", 0),
    ],
)
def test_value_out_of_range_is_refused_naming_the_field(field, value):
    assert refusal("esdnet", {field: value}).startswith(f"recipe esdnet: {field}")


def test_a_run_must_outlast_its_warm_up():
    assert "epochs 3 must exceed warmup_epochs 3" in refusal("esdnet", {"epochs": 3})


def test_the_cosine_must_not_rise():
    assert "min_lr 0.1 is above lr 0.001" in refusal("esdnet", {"min_lr": 0.1})


def test_unknown_recipe_is_answered_with_a_suggestion():
    assert refusal("esdnett") == "unknown recipe 'esdnett' (did you mean 'esdnet'?)"


@pytest.mark.parametrize("text", ["[1, 2", "- 1\n- 2\n", "base: nosuch\n", "epochs: 20\n"])
def test_unusable_recipe_file_is_refused(text, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    refusal(tmp_path / "mine.yaml")


def test_missing_recipe_file_is_refused(tmp_path):
    assert "none.yaml: cannot be read" in refusal(tmp_path / "none.yaml")
