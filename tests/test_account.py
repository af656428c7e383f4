"""The account of a model's work: its structure, and what is measured on images."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import SMALL, one_line, read_json, tree

from derainbench.catalog.model_cards import model_card
from derainbench.energy import measurement
from derainbench.energy import structure as structures
from derainbench.energy.count_tables import image_totals
from derainbench.energy.measurement import central_crop, measure
from derainbench.energy.records import ANALOG, SILENT, SPIKES, UNKNOWN, UNMEASURED
from derainbench.energy.structure import structure
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.results.accounts import read_account


def test_centre_is_the_middle_and_must_fit():
    image = np.arange(2 * 7 * 9).reshape(2, 7, 9)
    assert np.array_equal(central_crop(image, 5, "a.png"), image[:, 1:6, 2:7])
    with pytest.raises(BenchError) as refused:
        central_crop(image, 8, "a.png")
    assert one_line(refused.value).startswith("a.png: 7x9 is smaller than the 8x8")


def test_structure_is_that_of_the_arguments():
    one, six = (structure("prn_r", {"recurrent_iter": i}, size=32) for i in (1, 6))
    assert six.layers["macs"].sum() == 6 * one.layers["macs"].sum()
    assert six.others["adds"].sum() == 6 * one.others["adds"].sum()
    assert six.parameters == one.parameters == 21_123
    assert six.totals(32) == {
        "parameters": 21_123,
        "size": [32, 32],
        "macs_dense": six.layers["macs"].sum(),
    }


def test_a_structure_has_columns_and_kinds_of_input():
    found = structure("esdnet", SMALL["esdnet"], size=32)
    first = found.layers.iloc[0]
    assert (first["layer"], first["input_shape"], first["output_shape"]) == (
        *("patch_embed.proj", "2x3x32x32", "2x16x32x32"),
    )
    assert (first["input_elements"], first["output_elements"]) == (2 * 3 * 1024, 2 * 16 * 1024)
    assert (first["input"], first["constant"], first["steps"]) == (ANALOG, True, 2)
    kinds = found.layers.set_index("layer")["input"]
    assert kinds["encoder_level1.0.residual.1"] == SPIKES
    assert found.layers["effective_operations"].isna().all()
    ann = structure("prn_r", {"recurrent_iter": 1}, size=32).layers
    assert set(ann["input"]) == {UNMEASURED} and not ann["constant"].any()


def test_a_structure_is_the_same_every_time():
    first, second = (structure("esdnet", SMALL["esdnet"], size=32) for _ in range(2))
    pd.testing.assert_frame_equal(first.layers, second.layers)
    pd.testing.assert_frame_equal(first.others, second.others)


def test_what_takes_squares_of_one_size_is_counted_as_often_as_they_fill_the_image():
    side = model_card("idt").network.fixed_size
    one, four = (structure("idt", SMALL["idt"], size=n * side) for n in (1, 2))
    for amount in ("macs", "reach", "weights", "input_elements", "output_elements"):
        assert (four.layers[amount] == 4 * one.layers[amount]).all(), amount
    for amount in ("elements", "adds", "multiplies", "specials"):
        assert (four.others[amount] == 4 * one.others[amount]).all(), amount
    assert four.parameters == one.parameters


def test_a_size_that_a_model_does_not_take_is_refused():
    with pytest.raises(BenchError) as refused:
        structure("esdnet", SMALL["esdnet"], size=30)
    assert one_line(refused.value) == "esdnet takes multiples of 4 pixels only, not 30"


def table(*rows: tuple) -> pd.DataFrame:
    columns = ["role", "input", "macs", "reach", "effective_operations", "output_elements"]
    return pd.DataFrame(rows, columns=columns).assign(
        activation_density=0.5, steps=2, constant=False, input_elements=0, weights=0
    )


def others(*rows: tuple) -> pd.DataFrame:
    columns = ["category", "elements"]
    return pd.DataFrame(rows, columns=columns).assign(adds=0, multiplies=0, specials=0)


def test_a_summary_by_hand():
    layers = table(
        ("layer", ANALOG, 1000, 900, 800, 60),
        ("layer", SPIKES, 3000, 2500, 500, 30),
        ("layer", SPIKES, 500, 500, 0, 10),  # that never come
        ("attention", ANALOG, 70, 70, 50, 0),
    )
    rest = others(("membrane", 40), ("activation", 30), (UNKNOWN, 30))
    assert image_totals(layers, rest, spiking=True) == pytest.approx(
        {
            "macs_dense": 4570,
            "macs_analog": 1000,
            "macs_effective": 800,
            "macs_attention": 70,
            "sops": 500,
            "firing_rate": 500 / 3000,
            "membrane_updates": 40,
            "membrane_state_values": 20,
            "unknown_share": 30 / 200,
        }
    )


def test_an_ordinary_network_has_no_spikes():
    layers = table(("layer", ANALOG, 1000, 900, 700, 60), ("layer", SILENT, 500, 500, 0, 30))
    found = image_totals(layers, others(("activation", 30)), spiking=False)
    assert (found["macs_analog"], found["macs_effective"], found["sops"]) == (1500, 700, 0)
    assert math.isnan(found["firing_rate"])


@pytest.fixture
def measured(paired_set, prn_weights, tmp_path):
    def run(out="out", **options):
        options = {"size": 24, "images": 2} | options
        split = paired_set(splits={"test": 3}, size=(24, 32)) / "test"
        return measure(
            model_name="prn_r",
            weights=prn_weights,
            split_folder=split,
            out=tmp_path / out,
            device="cpu",
            **options,
        )

    return run


def test_measuring_writes_every_layer_of_every_image(measured, tmp_path):
    result = measured()
    assert read_json(tmp_path / "out" / "energy.json") == result
    assert sorted(tree(tmp_path / "out")) == [
        "energy.json",
        "energy.json.provenance.json",
        "layers.csv",
        "neurobench.json",
        "others.csv",
    ]
    layers = pd.read_csv(tmp_path / "out" / "layers.csv")
    assert layers["image"].unique().tolist() == ["00.png", "01.png"]
    assert (layers.groupby("image").size() == 1 + 10 + 1).all()
    assert layers["input_shape"][0] == "1x6x24x24"
    counted = structure("prn_r", {"recurrent_iter": 1}, size=24)
    macs = counted.layers["macs"].sum()
    assert layers.groupby("image")["macs"].sum().tolist() == [macs, macs]
    assert result["mean"]["macs_dense"] == macs
    assert result["mean"]["macs_analog"] == macs
    assert 0 < result["mean"]["macs_effective"] < macs
    assert result["mean"]["firing_rate"] is None
    assert result["operators_without_a_rule"] == []
    others = pd.read_csv(tmp_path / "out" / "others.csv").fillna({"layer": ""})
    pd.testing.assert_frame_equal(others, counted.others, check_dtype=False)
    assert result["images"] == 2 and result["kwargs"] == {"recurrent_iter": 1}
    assert result["structure"]["size"] == [256, 256]


def test_measuring_twice_gives_equal_files(measured, tmp_path):
    measured("one")
    measured("two")
    for name in ("layers.csv", "others.csv", "energy.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_fewer_images_than_asked_for_are_all_measured(measured):
    assert measured(images=8)["images"] == 3


def test_a_size_beyond_the_images_is_refused_and_nothing_left(measured, tmp_path):
    with pytest.raises(BenchError, match="24x32 is smaller than the 32x32"):
        measured(size=32)
    assert not (tmp_path / "out").exists()


def test_what_is_written_can_be_read(measured, tmp_path):
    result = measured()
    facts, layers, others = read_account(tmp_path / "out")
    assert facts == result
    found = [image_totals(of, others, spiking=False) for _, of in layers.groupby("image")]
    assert pd.DataFrame(found).mean()["macs_effective"] == pytest.approx(
        result["mean"]["macs_effective"]
    )
    assert layers["step_densities"].notna().all() and others["layer"].notna().all()
    (tmp_path / "out" / "others.csv").unlink()
    with pytest.raises(BenchError, match=r"others\.csv: missing; run `derainbench energy`"):
        read_account(tmp_path / "out")


def test_without_weights_the_structure_is_written(tmp_path):
    result = measure(
        model_name="esdnet", kwargs=SMALL["esdnet"], size=32, out=tmp_path / "out", device="cpu"
    )
    facts, layers, _ = read_account(tmp_path / "out")
    assert facts == result
    assert (result["images"], result["size"], result["time_steps"]) == (0, [32, 32], 2)
    expected = structure("esdnet", SMALL["esdnet"], size=32)
    assert layers["macs"].tolist() == expected.layers["macs"].tolist()
    assert layers["image"].unique().tolist() == [""]
    mean = result["mean"]
    assert mean["macs_dense"] == expected.layers["macs"].sum()
    assert 0 < mean["macs_analog"] < mean["macs_dense"] and mean["membrane_updates"] > 0
    assert mean["sops"] is mean["firing_rate"] is mean["macs_effective"] is None


def test_a_model_of_one_size_is_measured_square_by_square(paired_set, tmp_path, monkeypatch):
    """What it does on four squares adds up to the structure of an image of that size."""
    monkeypatch.setattr(measurement, "TABLE_SIZE", 64)
    side = 32
    small = SMALL["uformer_s"] | {"img_size": side}
    torch.manual_seed(0)
    card = model_card("uformer_s")
    network = card.network.model_copy(update={"fixed_size": side, "size_multiple": side})
    card = card.model_copy(update={"network": network})
    for module in (measurement, structures):
        monkeypatch.setattr(module, "model_card", lambda _: card)
    model = build("uformer_s", **small).eval()
    monkeypatch.setattr(measurement, "load_model", lambda *_: (model, small))
    split = paired_set(splits={"test": 1}, size=(64, 72)) / "test"
    (tmp_path / "w").touch()
    measure(
        model_name="uformer_s",
        weights=tmp_path / "w",
        split_folder=split,
        out=tmp_path / "out",
        size=64,
        device="cpu",
    )
    _, layers, _ = read_account(tmp_path / "out")
    whole = structure("uformer_s", small, size=64).layers
    for amount in ("macs", "reach", "weights", "input_elements", "output_elements"):
        assert layers[amount].sum() == pytest.approx(whole[amount].sum()), amount
