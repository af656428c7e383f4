"""A card and the counts agree, or the account says what it cannot see."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import toys
import yaml
from helpers import CARD_FACTS, SMALL, noise, read_json, save
from safetensors.torch import save_file
from typer.testing import CliRunner

from derainbench.catalog import model_cards
from derainbench.catalog.model_cards import card_files
from derainbench.cli import accounting
from derainbench.energy.accounts import structural_account
from derainbench.energy.blocks import energy_by_block
from derainbench.energy.comparison import energies, savings
from derainbench.energy.measurement import measure
from derainbench.energy.structure import structure
from derainbench.energy.unseen import not_seen
from derainbench.report.figures.energy_by_block import block_figure

CARD = CARD_FACTS | {"name": "toy", "title": "Toy", "no_weights": "it is a toy"}


@pytest.fixture
def account(tmp_path, monkeypatch):
    """The account of a toy under a card, from its structure or on an image; and its tables."""
    known = card_files()

    def count(network, *, spiking, measured=False):
        card = CARD | {"network": {"build": f"toys:{network.__name__}"}, "spiking": spiking}
        file = tmp_path / "toy.yaml"
        file.write_text(yaml.safe_dump(card))
        monkeypatch.setattr(model_cards, "card_files", lambda: {**known, "toy": file})
        given = {}
        if measured:
            save(tmp_path / "test/input/a.png", noise(32, 32))
            save_file(network().state_dict(), tmp_path / "w.safetensors")
            given = {"weights": tmp_path / "w.safetensors", "split_folder": tmp_path / "test"}
        measure(model_name="toy", out=tmp_path / "out", size=32, device="cpu", **given)
        return read_json(tmp_path / "out" / "energy.json")

    return count


@pytest.mark.parametrize("measured", [False, True])
def test_hand_written_neurons_are_unknown_and_no_zero(account, measured):
    facts = account(toys.HandWritten, spiking=True, measured=measured)
    [sentence] = facts["not_seen"]
    assert sentence.startswith("the card says spiking, but no neuron of spikingjelly was seen")
    assert facts["time_steps"] is None
    assert facts["mean"]["membrane_updates"] is facts["mean"]["membrane_state_values"] is None
    assert facts["mean"]["macs_dense"] == 3 * 32 * 32 * 9 * 9


def test_scenarios_that_price_membrane_updates_stay_empty(account):
    account(toys.HandWritten, spiking=True)
    made = []
    for name, kwargs in (("toy", {}), ("prn_r", SMALL["prn_r"])):
        counted = structure(name, kwargs, 32)
        layers = counted.layers.assign(image="")
        made.append(structural_account(name, layers, counted.others, 32))
    assert made[0].steps is None
    table = energies(made)
    assert set(table.loc[table["name"] == "toy", "scenario"]) == {"a", "b"}
    assert set(table.loc[table["name"] == "prn_r", "scenario"]) == set("abcdef")
    assert set(savings(made)["scenario"]) == {"a", "b"}


def test_energy_by_block_says_that_membranes_were_not_seen(account, tmp_path):
    account(toys.HandWritten, spiking=True, measured=True)
    table = energy_by_block(tmp_path / "out")
    assert table["membrane"].isna().all() and (table["other"] > 0).any()
    figure = block_figure(table, None, "Toy")
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert "membrane: not seen" in labels
    plt.close(figure)


def test_neurons_that_the_card_does_not_announce_are_said(account):
    facts = account(toys.Spiking, spiking=False)
    [sentence] = facts["not_seen"]
    assert sentence.startswith("neurons of spikingjelly were seen, which the card does not say")


def test_layers_on_sums_of_spikes_are_named(account, tmp_path):
    facts = account(toys.SummedSpikes, spiking=True, measured=True)
    [sentence] = facts["not_seen"]
    assert sentence.startswith("the input of last is graded spikes, of more levels than 0 and 1")
    layers = pd.read_csv(tmp_path / "out" / "layers.csv").set_index("layer")
    assert layers.loc["last", "input"] == "graded"
    assert facts["mean"]["macs_analog"] == layers["macs"].sum()  # as values, and said so


def test_many_layers_are_counted():
    layers = pd.DataFrame({"layer": list("abcde"), "input": "integer", "role": "layer"})
    others = pd.DataFrame({"category": ["membrane"]})
    [sentence] = not_seen(layers, others, spiking=True)
    assert sentence.startswith("the input of a, b, c and 2 more is whole numbers, too many")
    assert not_seen(layers, others.iloc[:0], spiking=False) == []  # an ordinary network's


@pytest.mark.parametrize(("network", "spiking"), [(toys.Spiking, True), (toys.Toy, False)])
def test_where_card_and_counts_agree_nothing_is_added(account, network, spiking):
    facts = account(network, spiking=spiking)
    assert "not_seen" not in facts
    assert np.isfinite(facts["mean"]["membrane_updates"])


def test_the_command_says_on_stderr_what_it_could_not_see(account, tmp_path):
    account(toys.HandWritten, spiking=True)
    arguments = ["energy", "--model", "toy", "--out", str(tmp_path / "cli"), "--size", "32"]
    done = CliRunner().invoke(accounting.app, arguments)
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("derainbench: not seen: the card says spiking, but no neuron")
