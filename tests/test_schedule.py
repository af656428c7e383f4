"""The learning rate is the authors' in every epoch; recipes are checked field by field."""

import pytest
from helpers import GOLDEN, one_line, read_json

from derainbench.catalog.recipes import load_recipe
from derainbench.foundation.errors import BenchError
from derainbench.training.schedule import Epoch, plan_epochs, rate_at, rate_in_step

OFFICIAL = read_json(GOLDEN / "esdnet" / "lr_schedule.json")
LENGTHS = sorted(map(int, OFFICIAL["optimizer_lr_used_in_epoch"]))


def rates(epochs: int, **fields) -> list[float]:
    recipe = load_recipe("esdnet", {"epochs": epochs, **fields})
    return [rate_at(recipe, epoch) for epoch in range(epochs)]


def test_recipe_is_the_authors():
    recipe = load_recipe("esdnet")
    assert (recipe.lr, recipe.min_lr, recipe.warmup_epochs) == (
        OFFICIAL["lr"],
        OFFICIAL["min_lr"],
        OFFICIAL["warmup_epochs"],
    )
    assert (recipe.epochs, recipe.batch_size, recipe.crop) == (1000, 12, 64)
    assert recipe.loss == {"ssim": 1} and recipe.stage_weight == 0
    assert (recipe.optimiser, recipe.schedule) == ("adamw", "warmup-cosine")
    assert (recipe.augment, recipe.clip_norm, recipe.amp) == ([], None, "none")
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


STEPS = {"steps": 8, "lr": 1.0, "min_lr": 0.2}


def rates_of(fields: dict) -> list[float]:
    recipe = load_recipe("common", {**STEPS, **fields})
    return [rate_at(recipe, step) for step in range(8)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"schedule": "constant"}, 8 * [1]),
        (
            {"schedule": "multistep", "milestones": [3, 6], "gamma": 0.1},
            [1, 1, 1, 0.1, 0.1, 0.1, 0.01, 0.01],
        ),
        ({"schedule": "linear"}, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]),
        ({"schedule": "linear", "hold": 4}, [1, 1, 1, 1, 1, 0.8, 0.6, 0.4]),
        # cos(45 degrees) is 0.70711, and 0.6 + 0.4 * 0.70711 = 0.88284.
        ({"schedule": "cosine", "hold": 4}, [1, 1, 1, 1, 1, 0.88284, 0.6, 0.31716]),
    ],
    ids=str,
)
def test_rates_are_those_on_paper(fields, expected):
    assert rates_of(fields) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("prenet", {29: 1e-3, 30: 2e-4, 49: 2e-4, 50: 4e-5, 80: 8e-6, 99: 8e-6}),
        ("rcdnet", {24: 1e-3, 25: 2e-4, 75: 8e-6}),
        ("spdnet", {99: 5e-4, 100: 2.5e-4, 280: 5e-4 / 64}),
        ("rescan", {14999: 5e-3, 15000: 5e-4, 17500: 5e-5}),
        ("ddn", {0: 0.1, 100000: 0.01, 200000: 1e-3}),
        ("idt", {0: 1e-4, 100: 1e-5, 399: 1e-7}),
        ("restormer", {0: 3e-4, 92000: 3e-4, 196000: 1.505e-4, 299999: 1e-6}),
        ("nafnet", {0: 1e-3, 100000: 5.0005e-4, 199999: 1e-7}),
        ("efficientderain", {1999: 2e-4, 2000: 2e-4, 3500: 1e-4, 4999: 2e-4 / 3000}),
        ("mprnet", {0: 2e-4 / 3, 1: 4e-4 / 3, 2: 2e-4}),
        ("common", {0: 3e-4, 50000: 1.505e-4}),
    ],
)
def test_rates_of_the_catalogue(name, expected):
    recipe = load_recipe(name)
    found = {position: rate_at(recipe, position) for position in expected}
    assert found == pytest.approx(expected, rel=1e-3)


def test_epochs_of_a_run_are_all_alike_where_epochs_count():
    epochs = plan_epochs(load_recipe("esdnet", {"epochs": 3, "warmup_epochs": 0}), images=25)
    assert epochs == [Epoch(i, 3 * i, 3, 64, 12) for i in range(3)]


def test_epochs_of_a_progressive_run_end_with_their_phase():
    phases = [
        {"steps": 4, "crop": 16, "batch_size": 4},
        {"steps": 3, "crop": 32, "batch_size": 5},
        {"steps": 1, "crop": 48, "batch_size": 99},
    ]
    fields = {"progressive": phases, "crops_per_image": 2, "schedule": "linear", "min_lr": 0}
    recipe = load_recipe("common", {**fields, "lr": 0.8})
    epochs = plan_epochs(recipe, images=5)
    assert epochs == [
        Epoch(0, 0, 3, 16, 4),  # 10 crops, the last step sees two
        Epoch(1, 3, 1, 16, 4),
        Epoch(2, 4, 2, 32, 5),
        Epoch(3, 6, 1, 32, 5),
        Epoch(4, 7, 1, 48, 99),
    ]
    rates = [rate_in_step(recipe, epoch, step) for epoch in epochs for step in range(epoch.steps)]
    assert rates == pytest.approx([0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])


def test_single_fields_are_replaced():
    recipe = load_recipe("esdnet", {"epochs": 8, "loss": "l1", "betas": [0.8, 0.9]})
    assert (recipe.epochs, recipe.loss, recipe.betas) == (8, {"l1": 1}, (0.8, 0.9))
    base = load_recipe("esdnet").model_dump()
    changed = {k for k, v in recipe.model_dump().items() if v != base[k]}
    assert changed == {"epochs", "loss", "betas"}


def test_a_file_may_name_its_base(tmp_path):
    (tmp_path / "short.yaml").write_text("base: esdnet\nepochs: 20\n")
    recipe = load_recipe(tmp_path / "short.yaml", {"crop": 32})
    assert recipe == load_recipe("esdnet", {"epochs": 20, "crop": 32})


PHASES = [{"steps": 4, "crop": 16, "batch_size": 4}]


def test_a_length_given_in_one_way_takes_the_place_of_any_other():
    assert load_recipe("common", {"schedule": "constant", "epochs": 3}).steps is None
    assert load_recipe("prenet", {"schedule": "constant", "steps": 3}).epochs is None
    progressive = load_recipe("prenet", {"progressive": PHASES})
    assert (progressive.epochs, progressive.crop, progressive.batch_size) == (None, None, None)
    assert (progressive.length, progressive.crop_sides) == (4, [16])
    short = load_recipe("restormer", {"steps": 9, "crop": 32, "batch_size": 2, "hold": 0})
    assert (short.progressive, short.length, short.crop_sides) == (None, 9, [32])


def test_a_loss_is_a_name_or_weights():
    assert load_recipe("common", {"loss": "charbonnier"}).loss == {"charbonnier": 1}
    assert load_recipe("mprnet").loss == {"charbonnier": 1, "edge": 0.05}


def refusal(name, fields=None) -> str:
    with pytest.raises(BenchError) as refused:
        load_recipe(name, fields)
    return one_line(refused.value)


def test_misspelt_field_is_named_with_a_suggestion():
    assert refusal("esdnet", {"epoch": 10}) == (
        "recipe esdnet: epoch: unknown key (did you mean 'epochs'?)"
    )


def test_misspelt_field_of_a_phase_is_named_with_a_suggestion():
    assert refusal("restormer", {"progressive": [{"step": 9}]}) == (
        "recipe restormer: progressive.0.step: unknown key (did you mean 'steps'?)"
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
        ("loss", {}),
        ("loss", {"l1": 0}),
        ("loss", {"l1": "much"}),
        ("steps", 0),
        ("progressive", []),
        ("progressive", [{"steps": 0, "crop": 64, "batch_size": 1}]),
        ("augment", ["turn"]),
        ("optimiser", "lion"),
        ("schedule", "step"),
        ("hold", -1),
        ("gamma", 0),
        ("momentum", 1),
        ("clip_norm", 0),
        ("amp", "fp16"),
        ("stage_weight", -1),
        ("select_on", "train"),
        ("val_fraction", 1),
        ("val_crop", 4),
        ("validate_every", 0),
    ],
)
def test_value_out_of_range_is_refused_naming_the_field(field, value):
    assert refusal("esdnet", {field: value}).startswith(f"recipe esdnet: {field}")


def test_a_run_must_outlast_its_warm_up():
    """And the line says no more than that: the recipe's other values are not what is wrong."""
    said = refusal("esdnet", {"epochs": 3})
    assert said == "recipe esdnet: epochs 3 must exceed warmup_epochs 3"


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("esdnet", {"epochs": 3, "steps": 3}, "give one of epochs, steps, progressive"),
        ("esdnet", {"epochs": None}, "give one of epochs, steps, progressive"),
        ("esdnet", {"steps": 9}, "schedule warmup-cosine needs a length in epochs"),
        ("common", {"steps": 9, "hold": 9}, "steps 9 must exceed hold 9"),
        ("prenet", {"milestones": []}, "milestones [] must be rising epochs, at least one"),
        ("rescan", {"milestones": [9, 9]}, "milestones [9, 9] must be rising steps, at least one"),
        ("restormer", {"crop": 64}, "crop: needed, but not beside progressive"),
        ("restormer", {"steps": 9}, "crop: needed, but not beside progressive"),
        ("common", {"augment": ["hflip", "hflip"]}, "names something twice"),
        ("common", {"loss": {"charbonier": 1}}, "loss 'charbonier' (did you mean 'charbonnier'?)"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(name, fields, message):
    assert message in refusal(name, fields)


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
