"""A training run is repeatable byte for byte and leaves weights, history and a record."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import one_line, read_json, same_state, save
from safetensors.torch import load_file
from spikingjelly.activation_based.neuron import BaseNode, LIFNode

from derainbench.catalog.recipes import load_recipe
from derainbench.data import decoded
from derainbench.foundation.device import prepare
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.models.weights import load_model
from derainbench.training import checkpoint_files, checkpoints, divergence, loop, losses
from derainbench.training.rates import measured_rates, news_of_dead_layers
from derainbench.training.schedule import rate_at

ESDNET = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1], "T": 2}
TINY = {
    "epochs": 3,
    "warmup_epochs": 1,
    "batch_size": 2,
    "crop": 16,
    "crops_per_image": 1,
    "val_crop": 16,
}
FILES = ["history.csv", "model.safetensors", "model.safetensors.provenance.json", "training.json"]


@pytest.fixture
def run(tmp_path, paired_set):
    """Trains on a tiny set and returns the folder of results."""
    data = paired_set(splits={"train": 4, "val": 2, "test": 3}, size=(20, 24))

    def train(out="out", model="prn_r", kwargs=None, seed=7, data=data, **fields):
        kwargs = kwargs or (ESDNET if model == "esdnet" else {"recurrent_iter": 1})
        weights = loop.train(
            model_name=model,
            model_kwargs=kwargs,
            data=data,
            recipe=load_recipe("esdnet", {**TINY, **fields}),
            seed=seed,
            out=tmp_path / out,
            device="cpu",
        )
        assert weights == tmp_path / out / "model.safetensors"
        return tmp_path / out

    return train


def history(out) -> pd.DataFrame:
    return pd.read_csv(out / "history.csv")


def test_a_run_writes_weights_history_and_record(run, tmp_path):
    out = run(model="esdnet")
    assert sorted(p.name for p in out.iterdir()) == FILES
    rows = history(out)
    assert rows["epoch"].tolist() == [0, 1, 2]
    recipe = load_recipe("esdnet", TINY)
    assert rows["lr"].tolist() == pytest.approx([rate_at(recipe, i) for i in range(3)])
    assert np.isfinite(rows[["loss", "selection_psnr_rgb", "seconds"]]).all(axis=None)
    facts = read_json(out / "training.json")
    assert facts["best_epoch"] == rows["selection_psnr_rgb"].idxmax()
    assert facts["best_selection_psnr_rgb"] == pytest.approx(rows["selection_psnr_rgb"].max())
    assert (facts["train_pairs"], facts["selection_pairs"]) == (4, 2)
    record = read_json(out / "model.safetensors.provenance.json")
    assert record["seed"] == 7 and record["device"] == "cpu"
    assert record["settings"]["recipe"]["epochs"] == 3
    assert record["settings"]["kwargs"] == ESDNET
    assert record["inputs"].keys() == {"data", "selection data"}
    assert record["packages"]["torch"] and record["code"]["source_sha256"]
    assert list((tmp_path / "checkpoints").iterdir()) == []


# Of PRN_r with one stage, before recipes could say more than ESDNet's does.
RECORDED_LOSS = [0.08532527089, 0.06986775994, 0.05171599984, 0.04506433010]
RECORDED_PSNR = [18.6828526176, 18.8143774479, 19.7560131005, 20.1343452458]


def test_the_esdnet_recipe_trains_as_it_always_did(run, monkeypatch):
    # In double precision: rounding to float32 differs between processors, and four epochs make
    # 4e-5 of the loss of it.
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    monkeypatch.setattr(loop, "build", lambda *args, **kwargs: build(*args, **kwargs).double())
    rows = history(run(epochs=4))
    assert rows["lr"].tolist() == pytest.approx([5e-4, 1e-3, 1.3333e-3, 1e-3], rel=1e-9)
    assert rows["loss"].tolist() == pytest.approx(RECORDED_LOSS, rel=1e-5)
    assert rows["selection_psnr_rgb"].tolist() == pytest.approx(RECORDED_PSNR, rel=1e-5)


def test_weights_rebuild_their_model(run):
    out = run(model="esdnet")
    model, arguments = load_model("esdnet", out / "model.safetensors")
    assert arguments == ESDNET and model.T == 2
    with pytest.raises(BenchError, match="weights of 'esdnet', not of 'esdnet-ann'"):
        load_model("esdnet-ann", out / "model.safetensors")


@pytest.mark.parametrize("model", ["esdnet", "esdnet-ann", "prenet_r"])
def test_equal_seeds_give_equal_weights_and_history(run, model):
    kwargs = {k: v for k, v in ESDNET.items() if k != "T"} if model == "esdnet-ann" else None
    one, two = (run(out, model, kwargs) for out in ("one", "two"))
    first, second = (load_file(out / "model.safetensors") for out in (one, two))
    assert same_state(first, second)
    pd.testing.assert_frame_equal(
        history(one).drop(columns="seconds"), history(two).drop(columns="seconds"), check_exact=True
    )


def test_every_repetition_gives_the_same_bytes(run):
    # More than two: an order that is random could agree by chance.
    files = [run(f"{i}", epochs=1, warmup_epochs=0) / "model.safetensors" for i in range(10)]
    assert len({file.read_bytes() for file in files}) == 1


def test_another_seed_gives_other_weights(run):
    first, second = (load_file(run(f"{seed}", seed=seed) / "model.safetensors") for seed in (7, 8))
    assert not any(torch.equal(first[k], second[k]) for k in first)


def test_training_lowers_the_loss(run):
    rows = history(run(epochs=12, lr=0.01, loss="l1"))
    assert rows["loss"].iloc[-3:].mean() < 0.9 * rows["loss"].iloc[:3].mean()


def test_every_epoch_has_other_crops_in_another_order(run, tmp_path, monkeypatch):
    for split in ("train", "val"):
        for i in range(5):  # ramps that start at different levels: a crop tells its image
            ramp = np.add.outer(np.arange(20), np.arange(24)).astype(np.uint8) + 48 * i
            for side in ("input", "target"):
                save(tmp_path / "ramps" / split / side / f"{i}.png", np.stack(3 * [ramp], -1))
    seen, l1 = [], losses.LOSSES["l1"]

    def recording(restored, clean):
        seen.append(round(clean.min().item() * 255))
        return l1(restored, clean)

    monkeypatch.setitem(losses.LOSSES, "l1", recording)
    run(data=tmp_path / "ramps", epochs=4, loss="l1", batch_size=1)
    epochs = [seen[5 * e : 5 * e + 5] for e in range(4)]
    orders = [[level // 48 for level in epoch] for epoch in epochs]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len({tuple(order) for order in orders}) > 1
    assert len({tuple(sorted(epoch)) for epoch in epochs}) > 1


def test_weights_are_those_of_the_best_epoch(run, monkeypatch):
    scores, states = iter([1.0, 5.0, 3.0]), []

    def selection_psnr(model, *_):
        states.append({k: v.clone() for k, v in model.state_dict().items()})
        return next(scores)

    monkeypatch.setattr(loop, "selection_psnr", selection_psnr)
    out = run()
    written = load_file(out / "model.safetensors")
    assert all(torch.equal(written[k], states[1][k]) for k in written)
    assert any(not torch.equal(states[2][k], states[1][k]) for k in written)
    assert read_json(out / "training.json")["best_epoch"] == 1


def test_validation_comes_every_so_often_and_at_the_end(run):
    validated = history(run(epochs=6, validate_every=4))["selection_psnr_rgb"].notna()
    assert validated.tolist() == [False, False, False, True, False, True]


def test_selection_psnr_is_the_mean_over_images(paired_set):
    from derainbench.data.crops import Crops
    from derainbench.data.pairs import read_split

    split = read_split(paired_set(splits={"val": 3}) / "val")
    crops = Crops(split.pairs, 16)
    found = loop.selection_psnr(torch.nn.Identity(), crops, 2, torch.device("cpu"))
    pairs = [crops[i] for i in range(len(crops))]
    each = [-10 * np.log10(np.mean((x - y).double().numpy() ** 2)) for x, y in pairs]
    assert found == pytest.approx(np.mean(each), rel=1e-6)


def first_epoch_state(run, tmp_path, monkeypatch, **fields) -> dict[str, torch.Tensor]:
    """The model's tensors after one epoch of a run that is then stopped."""
    save = checkpoints.save

    def save_and_stop(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        run(model="esdnet", **fields)
    [file] = (tmp_path / "checkpoints").iterdir()
    return checkpoints.read(file)["model"]


@pytest.mark.parametrize("flaw", [True, False])
def test_only_the_authors_flaw_wastes_the_first_epoch(run, tmp_path, monkeypatch, flaw):
    after = first_epoch_state(run, tmp_path, monkeypatch, zero_first_epoch=flaw)
    torch.manual_seed(7)
    fresh = build("esdnet", **ESDNET)
    unchanged = [torch.equal(after[name], p) for name, p in fresh.named_parameters()]
    assert all(unchanged) if flaw else not any(unchanged[:3])
    means = [k for k in after if k.endswith("running_mean")]
    assert any(after[k].any() for k in means)  # the epoch did run


def test_without_val_some_training_pairs_are_held_out(run, paired_set):
    data = paired_set("no-val", splits={"train": 4}, size=(20, 24))
    facts = read_json(run(data=data, val_fraction=0.25) / "training.json")
    assert facts["selected_on"] == "held out of train"
    assert (facts["train_pairs"], facts["selection_pairs"]) == (3, 1)


def test_selection_on_test_is_possible_and_recorded(run):
    facts = read_json(run(select_on="test") / "training.json")
    assert (facts["selected_on"], facts["selection_pairs"]) == ("test", 3)


def refusal(run, tmp_path, **options) -> str:
    """The refusal of a run, which must leave nothing behind."""
    with pytest.raises(BenchError) as refused:
        run(**options)
    assert not (tmp_path / "out").exists()
    assert list(tmp_path.glob("checkpoints/*")) == []
    return one_line(refused.value)


def test_selection_on_a_missing_test_split_is_refused(run, paired_set, tmp_path):
    data = paired_set("no-test", splits={"train": 4}, size=(20, 24))
    message = refusal(run, tmp_path, data=data, select_on="test")
    assert message.startswith(f"{data}/test: no such folder")


def test_training_without_clean_images_is_refused(run, paired_set, tmp_path):
    data = paired_set("real", splits={"train": 4}, size=(20, 24), target=False)
    assert "has no target/ folder" in refusal(run, tmp_path, data=data)


@pytest.mark.parametrize("field", ["crop", "val_crop"])
def test_images_smaller_than_the_crop_are_refused(run, tmp_path, field):
    assert "20x24 is smaller than the 32x32 crop" in refusal(run, tmp_path, **{field: 32})


@pytest.mark.parametrize("field", ["crop", "val_crop"])
def test_crops_off_the_size_multiple_are_refused(run, tmp_path, field):
    assert "18" in refusal(run, tmp_path, model="esdnet", **{field: 18})


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_other_optimisers_train_too(run, optimiser):
    rows = history(run(epochs=12, lr=0.01, loss="l1", optimiser=optimiser, momentum=0.9))
    assert rows["loss"].iloc[-3:].mean() < 0.95 * rows["loss"].iloc[:3].mean()


def test_gradients_are_no_longer_than_the_recipe_says(run, monkeypatch):
    clip, lengths = torch.nn.utils.clip_grad_norm_, []

    def recording(parameters, longest):
        parameters = list(parameters)
        before = clip(parameters, longest)
        lengths.append((before, torch.nn.utils.get_total_norm([p.grad for p in parameters])))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", recording)
    run(clip_norm=1e-3)
    assert len(lengths) == 6
    assert all(before > 2e-3 and after <= 1.001e-3 for before, after in lengths)


def test_mixed_precision_differs_by_little_and_leaves_float32_weights(run):
    full, mixed = (run(amp, amp=amp) for amp in ("none", "bf16"))
    weights = load_file(mixed / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert history(mixed)["loss"].tolist() != history(full)["loss"].tolist()
    assert history(mixed)["loss"].tolist() == pytest.approx(history(full)["loss"], rel=0.05)


def test_a_run_of_steps_ends_inside_an_epoch_and_its_rate_falls_in_every_step(run, monkeypatch):
    step, used = torch.optim.AdamW.step, []

    def recording(self, *arguments):
        used.append(self.param_groups[0]["lr"])
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", recording)
    fields = {"steps": 5, "schedule": "linear", "lr": 1e-3, "min_lr": 0}
    rows = history(
        run(epochs=None, **fields)
    )  # 4 images in batches of 2: epochs of 2, 2 and 1 step
    assert used == pytest.approx([1e-3, 8e-4, 6e-4, 4e-4, 2e-4])
    assert rows["lr"].tolist() == pytest.approx([1e-3, 6e-4, 2e-4])


def test_a_training_that_diverges_is_refused_and_names_step_and_layer(run, tmp_path):
    said = refusal(run, tmp_path, lr=1e30, zero_first_epoch=False, loss="l1")
    assert said.startswith("training diverged in epoch 0: in step 1 the output of layer '")


def test_a_gradient_that_is_not_finite_is_found_in_its_layer():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 1))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)

    def epoch(broken: int) -> None:
        for step in range(3):
            loss = model(torch.ones(1, 2)).sum()
            if step == broken:
                loss = loss * float("inf")
            loss.backward()
            optimiser.step()

    said = divergence.first_not_finite(model, optimiser, lambda: epoch(broken=1))
    assert re.fullmatch(r"in step 1 the gradient of layer '1\.(weight|bias)' is not finite", said)
    whole = torch.nn.Linear(2, 1)
    steps = torch.optim.SGD(whole.parameters(), 0.1)
    assert "everything was finite" in divergence.first_not_finite(whole, steps, lambda: None)


def test_the_last_good_checkpoint_of_a_training_that_diverges_stays(run, tmp_path, monkeypatch):
    """Weights that go wrong in the last step of an epoch show in neither its loss nor a score."""
    taken = []

    def broken(parameters, _):
        taken.append(None)
        if len(taken) in (4, 6):  # the last of epoch 1, and that of its repetition
            list(parameters)[3].grad.fill_(float("nan"))

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", broken)
    with pytest.raises(BenchError) as refused:
        run(validate_every=3, clip_norm=1)
    said = one_line(refused.value)
    assert said.startswith("training diverged in epoch 1: in step 1 the weight of layer '")
    [kept] = (tmp_path / "checkpoints").iterdir()
    assert said.endswith(f"{kept} holds the 1 epochs before it")
    content = checkpoints.read(kept)
    assert content["progress"]["epochs_done"] == 1
    assert all(t.isfinite().all() for t in content["model"].values())
    assert not (tmp_path / "out").exists()


def test_firing_rates_of_every_layer_join_the_history(run, capsys):
    rows = history(run(model="esdnet", validate_every=2))
    rates = rows.filter(regex="^rate:")
    assert rates.shape[1] == sum(
        isinstance(m, BaseNode) for m in build("esdnet", **ESDNET).modules()
    )
    assert rates.iloc[0].isna().all()  # not validated
    assert ((rates.iloc[1:] >= 0) & (rates.iloc[1:] <= 1)).all(axis=None)
    assert (rates.iloc[1:] > 0).any(axis=None)
    said = re.findall(r"^epoch (\d): never fires: (.+)$", capsys.readouterr().err, re.MULTILINE)
    silent = [c.removeprefix("rate:") for c in rates if rates[c].iloc[1] == 0]
    assert [layers.split(", ") for epoch, layers in said if epoch == "1"] == [silent] * bool(silent)


def test_rates_count_spikes_over_all_calls():
    class Fires(torch.nn.Module):
        def __init__(self, potential: float) -> None:
            super().__init__()
            self.neuron = LIFNode(tau=2.0, step_mode="m")
            self.potential = potential

        def forward(self, share: float) -> torch.Tensor:
            x = torch.zeros(1, 4, 1)
            x[:, : round(4 * share)] = self.potential
            self.neuron.reset()
            return self.neuron(x)

    model = Fires(9.0)
    with measured_rates(model) as rates:
        model(0.25)
        model(1.0)
    assert rates == {"rate:neuron": 0.625}
    with measured_rates(model) as rates:
        model(1.0)
    assert rates == {"rate:neuron": 1.0}
    assert not model.neuron._forward_hooks


def test_layers_that_are_dead_are_said_once():
    history = [
        {"epoch": 0, "loss": 1.0},
        {"epoch": 1, "rate:a": 0.0, "rate:b": 0.5, "rate:c": 1.0},
        {"epoch": 2, "loss": 1.0},
        {"epoch": 3, "rate:a": 0.0, "rate:b": 0.0, "rate:c": 0.9},
    ]
    assert news_of_dead_layers([]) == news_of_dead_layers(history[:1]) == []
    first = ["epoch 1: never fires: a", "epoch 1: always fires: c"]
    assert news_of_dead_layers(history[:2]) == first
    assert news_of_dead_layers(history[:3]) == []
    assert news_of_dead_layers(history) == ["epoch 3: never fires: b", "epoch 3: fires again: c"]


@pytest.mark.parametrize(
    "fields",
    [{}, {"tf32": True}, {"amp": "bf16"}, {"channels_last": True}, {"determinism": "strict"}],
    ids=str,
)
def test_how_arithmetic_is_done_is_part_of_what_a_run_is(run, monkeypatch, fields):
    """A stopped run goes on only where an earlier one was computed alike."""

    def key_of(**fields) -> str:
        with pytest.raises(KeyboardInterrupt):
            run(**fields)
        return keys.pop()

    def stop(key, folder):
        keys.append(key)
        raise KeyboardInterrupt

    keys = []
    monkeypatch.setattr(checkpoint_files, "checkpoint_path", stop)
    try:
        assert (key_of(**fields) == key_of()) is (not fields)
    finally:
        prepare("cpu")


def test_weights_with_channels_last_differ_by_rounding_and_are_written_as_always(run):
    usual, last = (run(f"{flag}", model="esdnet", channels_last=flag) for flag in (False, True))
    first, second = (load_file(out / "model.safetensors") for out in (usual, last))
    assert all(tensor.is_contiguous() for tensor in second.values())
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-3, atol=1e-4)
    assert history(last)["loss"].tolist() == pytest.approx(history(usual)["loss"], rel=1e-4)


def test_a_compiled_run_trains_what_a_usual_one_does(run, monkeypatch):
    calls = []

    def compiler(model):
        return lambda images: calls.append(len(images)) or model(images)

    monkeypatch.setattr(torch, "compile", compiler)
    usual, compiled = (run(f"{flag}", compile=flag) for flag in (False, True))
    assert calls == 6 * [2]  # steps of training; validation is not compiled
    assert same_state(*(load_file(out / "model.safetensors") for out in (usual, compiled)))


def test_decoded_images_change_no_bit(run, tmp_path, monkeypatch):
    usual = run("usual")
    monkeypatch.setenv("DERAINBENCH_DECODED", str(tmp_path / "decoded"))
    monkeypatch.setattr(decoded, "SMALL", 0)
    for out in ("first", "second"):
        run(out)
        assert same_state(*(load_file(tmp_path / o / "model.safetensors") for o in ("usual", out)))
        assert history(tmp_path / out)["loss"].tolist() == history(usual)["loss"].tolist()
    assert len(list((tmp_path / "decoded").rglob("*.npy"))) == 12  # of 4 pairs and 2 to select on
