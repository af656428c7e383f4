"""A split that is only watched changes no weight and no choice, and what it shows is right."""

import pandas as pd
import pytest
import torch
from helpers import one_line, read_json, run_process
from helpers import refusal as refused_by_cli
from safetensors.torch import load_file

from derainbench.catalog.recipes import load_recipe
from derainbench.data.crops import Crops
from derainbench.data.pairs import read_split
from derainbench.foundation.errors import BenchError
from derainbench.models.weights import load_model
from derainbench.results.reading import read_table
from derainbench.training import checkpoints, loop

UNET = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]}
KWARGS = {
    "esdnet": {**UNET, "T": 2},
    "esdnet-ann": UNET,
    # Stochastic depth: the network that draws random numbers while it trains.
    "uformer_s": {"img_size": 16, "embed_dim": 4, "depths": [2] * 9, "win_size": 2},
}
FIELDS = {
    "epochs": 5,
    "warmup_epochs": 1,
    "batch_size": 2,
    "crop": 16,
    "val_crop": 16,
    "validate_every": 2,
}


@pytest.fixture
def data(paired_set):
    return paired_set(splits={"train": 4, "val": 2, "test": 3}, size=(20, 24))


@pytest.fixture
def train(tmp_path, data):
    def run(out, monitor=None, model="esdnet", data=data, **fields):
        loop.train(
            model_name=model,
            model_kwargs=KWARGS[model],
            data=data,
            recipe=load_recipe("esdnet", {**FIELDS, **fields}),
            seed=7,
            out=tmp_path / out,
            device="cpu",
            monitor=monitor,
        )
        return tmp_path / out

    return run


def history(out) -> pd.DataFrame:
    return read_table(out / "history.csv").drop(columns="seconds")


@pytest.mark.parametrize("model", KWARGS)
def test_monitoring_changes_no_byte_of_the_weights_and_no_other_column(model, train):
    plain, watched = train("plain", model=model), train("watched", "test", model=model)
    weights = [(out / "model.safetensors").read_bytes() for out in (plain, watched)]
    assert weights[0] == weights[1]
    rows = history(watched)
    pd.testing.assert_frame_equal(
        rows.drop(columns="monitored_psnr_rgb"), history(plain), check_exact=True
    )
    facts = [read_json(out / "training.json") for out in (plain, watched)]
    extra = {"monitored_on": "test", "monitored_pairs": 3}
    assert extra.items() <= facts[1].items()
    assert facts[0].keys() == facts[1].keys() - extra.keys()
    assert all(facts[0][k] == facts[1][k] for k in facts[0] if k != "seconds")


def test_without_monitoring_nothing_speaks_of_it(train):
    out = train("plain")
    columns = [name for name in history(out) if not name.startswith("rate:")]
    assert columns == ["epoch", "lr", "loss", "selection_psnr_rgb"]
    assert "monitor" not in (out / "training.json").read_text()
    record = read_json(out / "model.safetensors.provenance.json")
    assert record["inputs"].keys() == {"data", "selection data"}


def test_the_monitored_score_is_that_of_the_weights_on_the_test_crops(train, data):
    out = train("watched", "test")
    rows = history(out)
    scored = rows["selection_psnr_rgb"].notna()
    assert scored.tolist() == rows["monitored_psnr_rgb"].notna().tolist()
    assert scored.tolist() == [False, True, False, True, True]
    model, _ = load_model("esdnet", out / "model.safetensors")
    best = read_json(out / "training.json")["best_epoch"]
    for split, column in (("test", "monitored_psnr_rgb"), ("val", "selection_psnr_rgb")):
        crops = Crops(read_split(data / split).pairs, 16)
        found = loop.selection_psnr(model, crops, 2, torch.device("cpu"))
        assert rows.set_index("epoch")[column][best] == found
    record = read_json(out / "model.safetensors.provenance.json")
    assert record["inputs"]["monitored data"] == read_split(data / "test").digest


def test_a_better_test_score_chooses_nothing(train, monkeypatch):
    """Validation likes the second of three epochs, the test split the last."""
    scores, states = iter([1.0, 5.0, 9.0, 6.0, 3.0, 8.0]), []

    def selection_psnr(model, crops, *_):
        if len(crops) == 2:
            states.append({k: v.clone() for k, v in model.state_dict().items()})
        return next(scores)

    monkeypatch.setattr(loop, "selection_psnr", selection_psnr)
    out = train("watched", "test", epochs=3, validate_every=1)
    rows = history(out)
    assert rows["selection_psnr_rgb"].tolist() == [1, 9, 3]
    assert rows["monitored_psnr_rgb"].tolist() == [5, 6, 8]
    assert read_json(out / "training.json")["best_epoch"] == 1
    written = load_file(out / "model.safetensors")
    assert all(torch.equal(written[k], states[1][k]) for k in written)


def test_a_monitored_run_that_was_stopped_goes_on_alike(train, tmp_path, monkeypatch, capsys):
    whole = train("whole", "test")
    save = checkpoints.save

    def save_and_stop(path, progress, *rest):
        save(path, progress, *rest)
        if progress.epochs_done == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(checkpoints, "save", save_and_stop)
        train("stopped", "test")
    capsys.readouterr()
    train("plain")
    assert "resumed" not in capsys.readouterr().err  # its history would have a column too many
    stopped = train("stopped", "test")
    assert "resumed after 3 of 5" in capsys.readouterr().err
    assert (stopped / "model.safetensors").read_bytes() == (
        whole / "model.safetensors"
    ).read_bytes()
    pd.testing.assert_frame_equal(history(stopped), history(whole), check_exact=True)


def refusal(train, tmp_path, *arguments, **options) -> str:
    with pytest.raises(BenchError) as refused:
        train("out", *arguments, **options)
    assert not (tmp_path / "out").exists()
    return one_line(refused.value)


@pytest.mark.parametrize("split", ["val", "test"])
def test_what_is_selected_on_cannot_be_monitored(split, train, tmp_path):
    message = refusal(train, tmp_path, split, select_on=split)
    assert f"'{split}' cannot be monitored" in message


def test_monitoring_a_missing_split_is_refused(train, tmp_path, paired_set):
    data = paired_set("no-test", splits={"train": 4, "val": 2}, size=(20, 24))
    assert refusal(train, tmp_path, "test", data=data).startswith(f"{data}/test: no such folder")


def test_the_command_line_knows_two_splits(tmp_path, data):
    done = run_process(
        "train", "--model", "prn_r", "--data", data, "--out", tmp_path, "--monitor", "train"
    )
    assert "'train' is not one of val, test" in refused_by_cli(done, 2)
