"""Energies are those computed by hand from a table of counts."""

import math

import numpy as np
import pandas as pd
import pytest
from helpers import one_line, read_json, tree

from derainbench.energy.account import Costs, account, centre, cost_tables, measure, structure
from derainbench.energy.counting import ANALOG, SILENT, SPIKES
from derainbench.errors import BenchError

HOROWITZ = cost_tables()["horowitz-45nm-fp32"]


def table(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["input", "macs", "rate", "effective"])


def test_the_cost_of_an_operation_has_a_source():
    assert (HOROWITZ.mac, HOROWITZ.ac) == (4.6, 0.9)
    assert "Horowitz" in HOROWITZ.source


def test_a_spiking_network_by_hand():
    layers = table((ANALOG, 1000, 1.0, 1000), (SPIKES, 3000, 0.1, 280), (SPIKES, 1000, 0.3, 290))
    result = account(layers, Costs(mac=4.0, ac=1.0, source=""), spiking=True)
    assert result == pytest.approx(
        {
            "macs_dense": 5000,
            "macs_analog": 1000,
            "sops": 570,
            "firing_rate": (3000 * 0.1 + 1000 * 0.3) / 4000,
            "energy_measured_mj": (1000 * 4.0 + 570 * 1.0) * 1e-9,
            "energy_spike_driven_mj": (570 + 1000 * 0.15) * 1.0 * 1e-9,
        }
    )


def test_a_picojoule_is_a_billionth_of_a_millijoule():
    result = account(table((ANALOG, 10**9, 1.0, 10**9)), HOROWITZ, spiking=False)
    assert result["energy_measured_mj"] == pytest.approx(4.6)


def test_an_ordinary_network_has_no_spikes():
    layers = table((ANALOG, 1000, 0.8, 700), (SILENT, 500, 0.0, 0))
    result = account(layers, HOROWITZ, spiking=False)
    assert (result["macs_dense"], result["macs_analog"], result["sops"]) == (1500, 1500, 0)
    assert math.isnan(result["firing_rate"])
    assert math.isnan(result["energy_spike_driven_mj"])
    assert result["energy_measured_mj"] == pytest.approx(1500 * 4.6e-9)


def test_silence_in_a_spiking_network_costs_nothing():
    layers = table((ANALOG, 1000, 1.0, 1000), (SPIKES, 500, 0.2, 90), (SILENT, 500, 0.0, 0))
    result = account(layers, HOROWITZ, spiking=True)
    assert (result["macs_analog"], result["sops"]) == (1000, 90)
    assert result["firing_rate"] == pytest.approx(0.1)


def test_centre_is_the_middle_and_must_fit():
    image = np.arange(2 * 7 * 9).reshape(2, 7, 9)
    assert np.array_equal(centre(image, 5, "a.png"), image[:, 1:6, 2:7])
    with pytest.raises(BenchError) as refused:
        centre(image, 8, "a.png")
    assert one_line(refused.value).startswith("a.png: 7x9 is smaller than the 8x8")


def test_structure_is_that_of_the_arguments():
    one, six = (structure("prn_r", {"recurrent_iter": i}, size=32) for i in (1, 6))
    assert six["macs_dense"] == 6 * one["macs_dense"]
    assert six["parameters"] == one["parameters"] == 21_123
    assert six["size"] == [32, 32]


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
    ]
    layers = pd.read_csv(tmp_path / "out" / "layers.csv")
    assert layers["image"].unique().tolist() == ["00.png", "01.png"]
    assert (layers.groupby("image").size() == 1 + 10 + 1).all()
    assert layers["input_shape"][0] == "1x6x24x24"
    macs = structure("prn_r", {"recurrent_iter": 1}, size=24)["macs_dense"]
    assert layers.groupby("image")["macs"].sum().tolist() == [macs, macs]
    assert result["mean"]["macs_dense"] == macs
    assert result["mean"]["energy_measured_mj"] == pytest.approx(macs * 4.6e-9)
    assert result["mean"]["firing_rate"] is None
    assert result["images"] == 2 and result["kwargs"] == {"recurrent_iter": 1}
    assert result["structure"]["size"] == [256, 256]


def test_measuring_twice_gives_equal_files(measured, tmp_path):
    measured("one")
    measured("two")
    for name in ("layers.csv", "energy.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_fewer_images_than_asked_for_are_all_measured(measured):
    assert measured(images=8)["images"] == 3


def test_a_size_beyond_the_images_is_refused_and_nothing_left(measured, tmp_path):
    with pytest.raises(BenchError, match="24x32 is smaller than the 32x32"):
        measured(size=32)
    assert not (tmp_path / "out").exists()
