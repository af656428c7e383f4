"""A network's energy by block: by hand, and all blocks together are the whole."""

import dataclasses

import pandas as pd
import pytest
import torch
from helpers import SMALL, noise, save
from safetensors.torch import save_file

from derainbench.catalog.costs import DEFAULT_COSTS, cost_tables
from derainbench.catalog.scenarios import scenarios
from derainbench.energy.blocks import PARTS, block_energies, block_of, energy_by_block, part_works
from derainbench.energy.measurement import measure
from derainbench.energy.pricing import PJ_PER_MJ, price
from derainbench.energy.records import ANALOG, ATTENTION, LAYER, MEMBRANE, SPIKES
from derainbench.energy.work import Work, work
from derainbench.foundation.files import write_json
from derainbench.models.construction import build
from derainbench.models.weights import weight_metadata
from derainbench.results.accounts import read_account

COSTS = cost_tables()[DEFAULT_COSTS]


@pytest.mark.parametrize(
    ("layer", "block"),
    [
        ("encoder_level1.0.residual.1", "encoder_level1.0"),
        ("encoder_level1.0", "encoder_level1"),
        ("down1_2.body", "down1_2"),
        ("output", "output"),
        ("", "network"),
    ],
)
def test_a_layer_belongs_to_the_block_at_the_beginning_of_its_path(layer, block):
    assert block_of(layer) == block


def write_account(folder, layers: pd.DataFrame, others: pd.DataFrame, **facts) -> None:
    folder.mkdir()
    write_json(folder / "energy.json", facts)
    layers.to_csv(folder / "layers.csv", index=False)
    others.to_csv(folder / "others.csv", index=False)


@pytest.fixture
def account_on_paper(tmp_path):
    """Two images: a stem of MACs, a spiking block with attention, and next to nothing at the end."""
    columns = ["image", "layer", "role", "input", "macs", "reach", "effective_operations"]
    rows = []
    for image, spikes in (("a.png", 1e9), ("b.png", 3e9)):
        rows += [
            (image, "stem", LAYER, ANALOG, 2e9, 2e9, 1e9),
            (image, "body.0.conv", LAYER, SPIKES, 8e9, 8e9, spikes),
            (image, "body.0.gate", ATTENTION, ANALOG, 1e8, 1e8, 1e8),
            (image, "end", LAYER, ANALOG, 1e3, 1e3, 1e3),
        ]
    layers = pd.DataFrame(rows, columns=columns).assign(
        steps=4,
        constant=False,
        weights=10,
        input_elements=100,
        output_elements=100,
        activation_density=0.5,
        step_densities="",
    )
    others = pd.DataFrame(
        [
            ("stem", "normalisation", 5e8, 5e8, 1e8),
            ("body.0.lif", MEMBRANE, 2e9, 1e9, 0.0),
            ("body.0.gate", ATTENTION, 0.0, 1e8, 3e8),
        ],
        columns=["layer", "category", "adds", "multiplies", "specials"],
    ).assign(elements=7)
    write_account(tmp_path / "account", layers, others, images=2, spiking=True)
    return tmp_path / "account"


def test_parts_of_blocks_by_hand(account_on_paper):
    table = block_energies(account_on_paper)
    assert list(table.columns) == list(PARTS)
    assert list(table.index) == ["stem", "body.0", "end"]

    def operators(adds: float, multiplies: float, specials: float) -> float:
        picojoule = adds * COSTS.add + multiplies * COSTS.multiply + specials * COSTS.special
        return picojoule / PJ_PER_MJ

    assert table.loc["stem"].to_dict() == pytest.approx(
        dict.fromkeys(PARTS, 0)
        | {"MACs, analog input": 2 * COSTS.mac, "other": operators(5e8, 5e8, 1e8)}
    )
    assert table.loc["body.0"].to_dict() == pytest.approx(
        dict.fromkeys(PARTS, 0)
        | {
            "SOPs, spikes": 2 * COSTS.ac,  # 1e9 in one image, 3e9 in the other
            "attention": 0.1 * COSTS.mac + operators(0, 1e8, 3e8),
            "membrane": operators(2e9, 1e9, 0),
        }
    )
    assert list(energy_by_block(account_on_paper).index) == ["stem", "body.0"]  # the end is tiny


def energy_of_account(folder) -> float:
    """Mean energy of an account's images under scenario (c), mJ, as it is compared."""
    facts, layers, others = read_account(folder)
    works = [
        work(rows, others, spiking=facts["spiking"], reuse=False)
        for _, rows in layers.groupby("image")
    ]
    return sum(price(w, COSTS, scenarios()["c"]).energy for w in works) / len(works)


def test_blocks_add_up_to_the_account_on_paper(account_on_paper):
    total = block_energies(account_on_paper).to_numpy().sum()
    assert total == pytest.approx(energy_of_account(account_on_paper), rel=1e-12)


@pytest.mark.parametrize("name", ["esdnet", "esdnet-ann", "nafnet"])
def test_blocks_add_up_to_a_measured_account(name, tmp_path):
    torch.manual_seed(0)
    model = build(name, **SMALL[name]).train()
    model(torch.rand(1, 3, 32, 32))  # running statistics with which neurons fire
    weights = tmp_path / "w.safetensors"
    settings = {"model": name, "kwargs": SMALL[name]}
    save_file(model.state_dict(), weights, metadata=weight_metadata(settings))
    for i in range(2):
        save(tmp_path / "test" / "input" / f"{i}.png", noise(32, 40, seed=i))
    measure(
        model_name=name,
        weights=weights,
        split_folder=tmp_path / "test",
        out=tmp_path / "out",
        size=32,
        device="cpu",
    )
    table = block_energies(tmp_path / "out")
    assert (table.sum() > 0).to_dict() == {
        "MACs, analog input": True,
        "SOPs, spikes": name == "esdnet",
        "attention": name != "nafnet",
        "membrane": name == "esdnet",
        "other": True,
    }
    total = energy_of_account(tmp_path / "out")
    assert table.to_numpy().sum() == pytest.approx(total, rel=1e-12)


def test_parts_are_all_that_a_block_computes(account_on_paper):
    _, layers, others = read_account(account_on_paper)
    whole = work(layers, others, spiking=True, reuse=False)
    parts = part_works(layers, others, spiking=True)
    moved = {"analog_values", "spike_values", "weights", "membrane_values", "traffic"}
    for field in dataclasses.fields(Work):
        if field.name not in {"spiking", *moved}:
            total = sum(getattr(part, field.name) for part in parts)
            assert total == pytest.approx(getattr(whole, field.name)), field.name
