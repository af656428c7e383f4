"""Silence is not spikes, and spikes of several levels are priced as what they are: by hand."""

import math

import pandas as pd
import pytest
import torch
import toys
import yaml
from counts import only
from helpers import CARD_FACTS, noise, read_json, save
from safetensors.torch import save_file
from spikingjelly.activation_based import neuron
from test_scenarios import SIMPLE
from torch import nn
from typer.testing import CliRunner

from derainbench.catalog import model_cards
from derainbench.catalog.model_cards import card_files
from derainbench.catalog.readings import DEFAULT_READING, readings
from derainbench.catalog.scenarios import scenarios
from derainbench.cli import accounting, models
from derainbench.energy.accounts import Account
from derainbench.energy.comparison import energies, savings, table_by_reading
from derainbench.energy.conformance.accountability import spikes_as_stated
from derainbench.energy.conformance.subject import Subject
from derainbench.energy.count_tables import layer_table, other_table
from derainbench.energy.forward_pass import count_on_image
from derainbench.energy.input_classes import joined_probes, settled
from derainbench.energy.levels import MOST, Levels, levels_of
from derainbench.energy.measurement import measure
from derainbench.energy.pricing import price
from derainbench.energy.probing import probed_layers
from derainbench.energy.readings import readings_of, undetermined
from derainbench.energy.records import ANALOG, GRADED, INTEGER, SILENT, SPIKES
from derainbench.energy.structure import structure
from derainbench.energy.work import Work, work

CARD = CARD_FACTS | {"name": "toy", "title": "Toy", "no_weights": "it is a toy"}
NO_OTHERS = other_table([])
AS_SPIKES = [name for name, r in readings().items() if r.graded == "accumulates"]


def layer_on(values, outputs: int = 7) -> pd.DataFrame:
    """The table of a 1x1 convolution on a few values."""
    x = torch.as_tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)
    return layer_table(count_on_image(nn.Conv2d(1, outputs, 1, bias=False), x))


def worked(layers: pd.DataFrame, reading: str, spiking: bool = True) -> Work:
    return work(layers, NO_OTHERS, spiking=spiking, reuse=False, reading=reading)


# Values, levels from the lowest to the highest, their distance, unit spikes, of the highest level.
GRADES = {
    "fractions": ([0, 0.25, 0.75, 1], 5, 0.25, 0 + 1 + 3 + 4, 4),
    "whole numbers": ([0, 2, 1, 0], 3, 1, 3, 2),
    "signed": ([0, -1, 1, 1], 3, 1, 3, 1),
    "signed halves": ([-1, 0.5, 0, 1.5], 6, 0.5, 2 + 1 + 3, 3),
    "thirds": ([1 / 3, 2 / 3, 0, 1], 4, 1 / 3, 1 + 2 + 3, 3),
    "the most": ([MOST, 1, 0, 0], MOST + 1, 1, MOST + 1, MOST),
}


@pytest.mark.parametrize("case", GRADES)
def test_levels_are_seen_and_repeated_spikes_counted(case):
    values, number, step, units, highest = GRADES[case]
    row = layer_on(values).iloc[0]
    assert row["input"] == GRADED
    assert (row["levels"], row["unit_spikes"]) == (number, highest)
    assert row["level_step"] == pytest.approx(step)
    assert row["unit_operations"] == units * 7
    assert row["effective_operations"] == 7 * sum(v != 0 for v in values)


@pytest.mark.parametrize("case", GRADES)
def test_graded_spikes_by_hand(case):
    """Seven outputs for each of four values: MACs, or accumulates of unit spikes."""
    values, _, _, units, highest = GRADES[case]
    layers = layer_on(values)
    nonzero = sum(v != 0 for v in values)
    as_values = worked(layers, DEFAULT_READING)
    assert (as_values.analog_macs, as_values.effective_macs) == (4 * 7, nonzero * 7)
    assert (as_values.spike_reach, as_values.sops, as_values.spike_values) == (0, 0, 0)
    for reading in AS_SPIKES:
        found = worked(layers, reading)
        assert (found.analog_macs, found.effective_macs) == (0, 0)
        assert (found.spike_reach, found.sops) == (4 * highest * 7, units * 7)
        assert found.firing_rate == pytest.approx(units / (4 * highest))
        assert found.spike_values == 4 * highest  # a bit for each unit spike that could be
        assert price(found, SIMPLE, scenarios()["b"]).energy == pytest.approx(units * 7 * 1e-9)
    assert price(as_values, SIMPLE, scenarios()["b"]).energy == pytest.approx(4 * 7 * 10 * 1e-9)


def test_in_an_ordinary_network_levels_are_values():
    layers = layer_on([0, 0.25, 0.75, 1])
    for reading in readings():
        found = worked(layers, reading, spiking=False)
        assert (found.analog_macs, found.spike_reach) == (4 * 7, 0)
    assert readings_of(layers, spiking=False) == [DEFAULT_READING]


def test_unit_spikes_at_borders_are_exact():
    """conv of the levels with ones, in quarters."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 5, (2, 3, 9, 11), generator=generator) / 4
    record = only(count_on_image(nn.Conv2d(3, 5, 3, stride=2, padding=1), x))
    expected = nn.functional.conv2d(4 * x, torch.ones(5, 3, 3, 3), stride=2, padding=1).sum()
    assert (record.input, record.levels) == (GRADED, 5)
    assert record.unit_operations == expected.item()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([k / 255 for k in range(0, 256, 51)], GRADED),  # fifths: six grey values only
        ([k / 255 for k in range(256)], ANALOG),  # an 8-bit image
        ([0, 17 / 255, 18 / 255, 1], ANALOG),
        ([k * 0.0137 for k in range(8)], ANALOG),  # quantised with a scale of its own
        ([k / 17 for k in range(18)], ANALOG),  # too many parts
        ([0, 1, MOST + 1, 2], INTEGER),  # too far from 0
        ([0, MOST + 0.5, 1, 2], ANALOG),
        ([0, 1, 1 + 2**-20, 1], ANALOG),
        ([0, 1, float("nan"), 1], ANALOG),
    ],
)
def test_images_and_quantised_values_are_not_mistaken(values, kind):
    assert layer_on(values).iloc[0]["input"] == kind


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("parts", range(2, MOST + 1))
def test_every_fraction_in_every_number_format(dtype, parts):
    steps = torch.arange(parts + 1)
    for values in (
        (steps.double() / parts).to(dtype),
        steps.to(dtype) * torch.tensor(1 / parts, dtype=dtype),
    ):
        levels = levels_of(set(values.double().tolist()), dtype)
        assert levels is not None and levels.highest / levels.parts == 1
        assert levels.number == parts + 1 or dtype is torch.bfloat16


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (Levels(2, 0, 2), Levels(4, 0, 3), Levels(4, 0, 4)),
        (Levels(1, 0, 1), Levels(4, 0, 2), Levels(4, 0, 4)),
        (Levels(2, -1, 0), Levels(3, 0, 3), Levels(6, -3, 6)),
        (Levels(15, 0, 1), Levels(4, 0, 1), None),  # sixtieths
        (Levels(1, 0, 16), Levels(2, 0, 1), None),  # 32 halves
    ],
)
def test_levels_add_up(first, second, both):
    assert first | second == second | first == both


# Networks


class Silenced(toys.Spiking):
    """Neurons far below their threshold at first, then a layer; ``gate`` closes the way to it."""

    def __init__(self, gate: float = 1.0, between=lambda spikes: spikes) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        nn.init.constant_(self.norm.bias, -20.0)
        self.last = nn.Conv2d(3, 4, 1, bias=False)
        self.gate, self.between = gate, between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.neuron.reset()
        current = self.norm(self.conv(x)).expand(2, *x.shape)
        given = self.between(self.neuron(current)) * self.gate
        self.neuron.reset()
        return self.last(given.flatten(0, 1)).reshape(2, *x.shape[:1], 4, *x.shape[2:]).mean(0)


class FiveLevels(nn.Module):
    """Emits round(x) / 4 between 0 and 4, and has no class that anybody knows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.clamp(0, 4).round() / 4


class Graded(nn.Module):
    """A weak current, on which the neuron emits nothing until its norm is drawn anew."""

    T = 1

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        nn.init.constant_(self.norm.weight, 0.05)
        self.five = FiveLevels()
        self.last = nn.Conv2d(3, 4, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.five(self.norm(self.conv(x))))


def classes(build) -> dict[str, str]:
    return probed_layers(build, 16).set_index("layer")["input"].to_dict()


def test_a_layer_behind_silent_neurons_is_told_by_driving_them():
    on_noise = layer_table(count_on_image(Silenced().train(), torch.rand(1, 3, 16, 16)))
    assert on_noise.set_index("layer")["input"].to_dict() == {"conv": ANALOG, "last": SILENT}
    assert classes(Silenced) == {"conv": ANALOG, "last": SPIKES}


def test_values_behind_silent_neurons_are_told_too():
    assert classes(lambda: Silenced(gate=0.537))["last"] == ANALOG
    smooth = nn.AvgPool2d(3, 1, 1)
    assert classes(lambda: Silenced(between=lambda s: smooth(s.flatten(0, 1)).reshape(s.shape)))[
        "last"
    ] in (ANALOG, GRADED)


def test_a_layer_behind_a_closed_gate_stays_undetermined():
    found = probed_layers(lambda: Silenced(gate=0.0), 16)
    assert undetermined(found, spiking=True) == ["last"]
    row = found.set_index("layer").loc["last"]
    assert row["input"] == SILENT and not row["constant"]
    assert readings_of(found, spiking=True) == [DEFAULT_READING, "silent-as-spikes"]
    assert undetermined(found, spiking=False) == []


def test_neurons_that_nobody_knows_are_driven_by_their_norms():
    found = probed_layers(Graded, 16).set_index("layer").loc["last"]
    assert (found["input"], found["levels"], found["level_step"]) == (GRADED, 5, 0.25)
    assert found["unit_spikes"] == 4


class Faint(nn.Module):
    """A neuron that gets next to nothing, and a layer behind it."""

    T = 4

    def __init__(self, kind: type[neuron.BaseNode]) -> None:
        super().__init__()
        self.node, self.last = kind(step_mode="m"), nn.Conv2d(3, 4, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.node.reset()
        spikes = self.node(1e-3 * x.expand(4, *x.shape))
        self.node.reset()
        return self.last(spikes.flatten(0, 1))


@pytest.mark.parametrize(
    ("kind", "levels", "highest"),
    [
        (neuron.ILIFNode, 5, 4),  # 0 to 4 spikes at once
        (neuron.TernaryIFNode, 3, 1),
        (neuron.TernaryLIFNode, 3, 1),
    ],
)
def test_graded_neurons_of_spikingjelly_show_all_of_their_levels(kind, levels, highest):
    row = probed_layers(lambda: Faint(kind), 16).iloc[0]
    assert (row["input"], row["levels"], row["level_step"]) == (GRADED, levels, 1)
    assert row["unit_spikes"] == highest


@pytest.mark.parametrize("kind", [neuron.IFNode, neuron.LIFNode, neuron.ParametricLIFNode])
def test_ordinary_neurons_of_spikingjelly_make_spikes(kind):
    assert probed_layers(lambda: Faint(kind), 16)["input"].tolist() == [SPIKES]


def test_probing_leaves_no_hooks_and_no_random_numbers_behind():
    state = torch.random.get_rng_state()
    built = []

    def build():
        built.append(Silenced())
        return built[-1]

    first, second = probed_layers(build, 16), probed_layers(build, 16)
    pd.testing.assert_frame_equal(first, second)
    assert torch.equal(state, torch.random.get_rng_state())
    assert not any(m._forward_pre_hooks for model in built for m in model.modules())


def rows(*of: tuple) -> pd.DataFrame:
    """A table of looks: layer, input, effective operations, levels, step, highest, unit ones."""
    columns = ["layer", "input", "effective_operations", "levels", "level_step", "unit_spikes"]
    return pd.DataFrame(of, columns=[*columns, "unit_operations"]).assign(
        role="layer",
        operation="matmul",
        constant=False,
        steps=1,
        macs=100,
        reach=100,
        weights=0,
        input_elements=10,
        activation_density=0.5,
        output_elements=10,
    )


def test_a_silent_layer_is_what_the_probe_saw():
    measured = rows(("a", SILENT, 0, 0, 0, 0, 0), ("b", SILENT, 0, 0, 0, 0, 0))
    probed = rows(("a", SPIKES, math.nan, 0, 0, 0, 0), ("b", ANALOG, math.nan, 0, 0, 0, 0))
    assert settled(measured, probed)["input"].tolist() == [SPIKES, ANALOG]
    assert settled(measured)["input"].tolist() == [SILENT, SILENT]
    assert settled(measured.assign(role="attention"), probed)["input"].tolist() == [SILENT] * 2
    both = rows(("a", SPIKES, 1, 0, 0, 0, 0), ("a", ANALOG, 1, 0, 0, 0, 0))
    assert settled(measured, both)["input"].tolist() == [SILENT, SILENT]  # a may be either


def test_what_an_image_shows_of_a_layer_holds_for_the_others():
    """Halves on one image, ones on another, quarters in the probe: quarters on all of them."""
    measured = rows(
        ("a", GRADED, 8, 3, 0.5, 2, 10),
        ("a", SPIKES, 6, 0, 0, 0, 0),
        ("a", SILENT, 0, 0, 0, 0, 0),
        ("b", SPIKES, 6, 0, 0, 0, 0),
    )
    probed = rows(("a", GRADED, math.nan, 4, 0.25, 3, math.nan))
    found = settled(measured, probed)
    assert found["input"].tolist() == [GRADED] * 3 + [SPIKES]
    assert found["levels"].tolist() == [5, 5, 5, 0]
    assert found["level_step"].tolist() == [0.25, 0.25, 0.25, 0]
    assert found["unit_spikes"].tolist() == [4, 4, 4, 0]
    assert found["unit_operations"].tolist() == [20, 24, 0, 0]


def test_levels_without_a_common_grid_are_values():
    measured = rows(("a", GRADED, 8, 16, 1 / 15, 15, 10), ("a", GRADED, 8, 3, 0.25, 2, 10))
    found = settled(measured)
    assert found["input"].tolist() == [ANALOG] * 2 and "levels" not in found


def test_levels_of_a_layer_that_takes_values_elsewhere_were_values_by_chance():
    graded, value = ("a", GRADED, 8, 3, 0.5, 2, 10), ("a", ANALOG, 9, 0, 0, 0, 0)
    silent, spikes = ("a", SILENT, 0, 0, 0, 0, 0), ("a", SPIKES, 3, 0, 0, 0, 0)
    assert settled(rows(graded, silent), rows(value))["input"].tolist() == [ANALOG] * 2
    found = settled(rows(graded, value, silent, spikes))
    assert found["input"].tolist() == [ANALOG, ANALOG, SILENT, SPIKES]
    assert "levels" not in found


def test_values_outdo_spikes_and_spikes_outdo_silence():
    looks = [
        rows(
            ("a", SILENT, 0, 0, 0, 0, 0), ("b", SPIKES, 1, 0, 0, 0, 0), ("c", SILENT, 0, 0, 0, 0, 0)
        ),
        rows(
            ("a", SPIKES, 1, 0, 0, 0, 0), ("b", ANALOG, 1, 0, 0, 0, 0), ("c", SILENT, 0, 0, 0, 0, 0)
        ),
    ]
    assert joined_probes(looks)["input"].tolist() == [SPIKES, ANALOG, SILENT]
    assert joined_probes(looks[::-1])["input"].tolist() == [SPIKES, ANALOG, SILENT]
    constant = [look.assign(constant=True) for look in looks]
    assert joined_probes(constant)["constant"].tolist() == [True, True, False]


# Energies


LAYERS = rows(
    ("values", ANALOG, 100, 0, 0, 0, 0),
    ("graded", GRADED, 30, 5, 0.25, 4, 60),
    ("silent", SILENT, 0, 0, 0, 0, 0),
)
# Picojoule in scenario (b): MAC 10, accumulate 1; 60 unit spikes; silence costs nothing as spikes.
BY_HAND = {
    "as-values": 3 * 100 * 10,
    "graded-as-spikes": 2 * 100 * 10 + 60,
    "silent-as-spikes": 2 * 100 * 10,
    "as-spikes": 100 * 10 + 60,
}


@pytest.mark.parametrize("reading", BY_HAND)
def test_every_reading_by_hand(reading):
    found = price(worked(LAYERS, reading), SIMPLE, scenarios()["b"])
    assert found.energy == pytest.approx(BY_HAND[reading] * 1e-9)


def test_the_default_takes_nothing_for_spikes_that_was_not_seen_to_be():
    assert next(iter(readings())) == DEFAULT_READING and set(readings()) == set(BY_HAND)
    found = worked(LAYERS, DEFAULT_READING)
    assert (found.analog_macs, found.spike_reach) == (300, 0)
    assert found == work(LAYERS, NO_OTHERS, spiking=True, reuse=False)


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        (LAYERS[:1], ["as-values"]),
        (LAYERS[:2], ["as-values", "graded-as-spikes"]),
        (LAYERS[::2], ["as-values", "silent-as-spikes"]),
        (LAYERS, list(BY_HAND)),
    ],
)
def test_only_readings_that_differ_are_given(layers, names):
    assert readings_of(layers, spiking=True) == names


def an_account(name: str, spiking: bool, layers: pd.DataFrame) -> Account:
    def works(reading: str) -> dict:
        return {
            reuse: [work(layers, NO_OTHERS, spiking=spiking, reuse=reuse, reading=reading)]
            for reuse in (False, True)
        }

    _, *others = readings_of(layers, spiking=spiking)
    return Account(
        source="measured",
        name=name,
        model="prn_r",
        title=name,
        dataset="rain",
        spiking=spiking,
        steps=1,
        size=256,
        images=("a",),
        works=works(DEFAULT_READING),
        readings={reading: works(reading) for reading in others},
    )


def test_tables_by_reading_hold_every_reading_and_leave_the_others_alone():
    snn, ann = an_account("snn", True, LAYERS), an_account("ann", False, LAYERS[:1])
    plain = an_account("plain", True, LAYERS[:1])
    assert table_by_reading([plain, ann], energies).empty
    every = table_by_reading([snn, plain, ann], energies)
    assert set(every["name"]) == {"snn"} and every.columns[0] == "reading"
    chosen = {
        "costs": "horowitz-45nm-fp32",
        "scenario": "b",
        "reuse": False,
        "zero_skipping": False,
    }

    def at(table: pd.DataFrame, **options) -> pd.DataFrame:
        return table[(table[list(options)] == pd.Series(options)).all(axis=1)]

    found = at(every, **chosen).set_index("reading")["mj"]
    mac, ac = 4.6e-9, 0.9e-9
    assert found["as-values"] == pytest.approx(300 * mac)
    assert found["as-spikes"] == pytest.approx(100 * mac + 60 * ac)
    usual = at(energies([snn, plain, ann]), name="snn", **chosen)
    assert usual["mj"].tolist() == [found["as-values"]] and "reading" not in usual
    saved = at(table_by_reading([snn, ann], savings), **chosen).set_index("reading")["saving"]
    assert saved["as-values"] == pytest.approx(1 - 3)
    assert saved["silent-as-spikes"] == pytest.approx(1 - 2)


def a_card(network, tmp_path, monkeypatch) -> None:
    known = card_files()
    card = CARD | {"network": {"build": network}, "spiking": True}
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(card))
    monkeypatch.setattr(model_cards, "card_files", lambda: {**known, "toy": tmp_path / "toy.yaml"})


@pytest.mark.parametrize("weights", [False, True])
def test_an_account_says_which_layers_are_undetermined_and_gives_both_readings(
    weights, tmp_path, monkeypatch
):
    a_card("test_readings:ClosedGate", tmp_path, monkeypatch)
    arguments = ["energy", "--model", "toy", "--out", str(tmp_path / "out"), "--size", "32"]
    if weights:
        save(tmp_path / "test/input/a.png", noise(32, 32))
        save_file(ClosedGate().state_dict(), tmp_path / "w.safetensors")
        arguments += [
            "--weights",
            str(tmp_path / "w.safetensors"),
            "--data",
            str(tmp_path / "test"),
        ]
    done = CliRunner().invoke(accounting.app, arguments)
    assert done.exit_code == 0, done.output
    assert "the input of last is zero throughout, in every probing too" in done.stderr
    facts = read_json(tmp_path / "out" / "energy.json")
    assert facts["undetermined"] == ["last"]
    size = 32 * 32
    first, last = size * 3 * 27, 2 * size * 3 * 4  # 3x3 once; 1x1 at both time steps
    assert facts["mean"] == facts["readings"]["as-values"]
    analog = {name: mean["macs_analog"] for name, mean in facts["readings"].items()}
    assert analog == {"as-values": first + last, "silent-as-spikes": first}
    assert facts["structure"]["macs_undetermined"] == last * 8**2  # at 256x256
    layers = pd.read_csv(tmp_path / "out" / "layers.csv").set_index("layer")
    assert layers["input"].to_dict() == {"conv": ANALOG, "last": SILENT}


def test_the_structure_names_undetermined_layers_on_stderr(tmp_path, monkeypatch):
    a_card("test_readings:ClosedGate", tmp_path, monkeypatch)
    arguments = ["structure", "--model", "toy", "--out", str(tmp_path / "out"), "--size", "32"]
    done = CliRunner().invoke(models.app, arguments)
    assert done.exit_code == 0, done.output
    assert "not seen: toy: the input of last is zero in every probing" in done.stderr
    layers = pd.read_csv(tmp_path / "out" / "layers.csv").set_index("layer")
    assert layers["input"].to_dict() == {"conv": ANALOG, "last": SILENT}


def test_validation_names_them_too(tmp_path, monkeypatch):
    for network, said in (
        ("ClosedGate", "layers whose input is zero in every probing: last"),
        ("SummedToSize", "layers on graded spikes: last"),
    ):
        a_card(f"test_readings:{network}", tmp_path, monkeypatch)
        assert spikes_as_stated(Subject("toy", {}, 32)).endswith(said)


def test_a_dead_layer_of_trained_weights_is_what_probing_says(tmp_path, monkeypatch):
    """Its neurons do not fire on the image: spikes that never came, and nothing is left open."""
    a_card("test_readings:Dead", tmp_path, monkeypatch)
    save(tmp_path / "test/input/a.png", noise(32, 32))
    save_file(Dead().state_dict(), tmp_path / "w.safetensors")
    facts = measure(
        model_name="toy",
        weights=tmp_path / "w.safetensors",
        split_folder=tmp_path / "test",
        out=tmp_path / "out",
        size=32,
        device="cpu",
    )
    assert not {"undetermined", "readings", "not_seen", "graded"} & set(facts)
    assert facts["mean"]["macs_analog"] == 32 * 32 * 3 * 27
    assert (facts["mean"]["sops"], facts["mean"]["firing_rate"]) == (0, 0)
    layers = pd.read_csv(tmp_path / "out" / "layers.csv").set_index("layer")
    assert layers.loc["last", ["input", "activation_density"]].tolist() == [SPIKES, 0]
    assert "levels" not in layers


def test_graded_spikes_of_a_structure_have_parts_but_no_counts(tmp_path, monkeypatch):
    a_card("test_readings:SummedToSize", tmp_path, monkeypatch)
    counted = structure("toy", {}, 32)
    row = counted.layers.set_index("layer").loc["last"]
    assert (row["input"], row["levels"], row["level_step"], row["unit_spikes"]) == (GRADED, 3, 1, 2)
    assert math.isnan(row["unit_operations"])
    found = work(counted.layers, counted.others, spiking=True, reuse=False, reading="as-spikes")
    assert found.spike_reach == 2 * row["reach"] and math.isnan(found.sops)
    facts = measure(model_name="toy", out=tmp_path / "out", size=32, device="cpu")
    assert facts["graded"] == {"last": {"levels": 3, "level_step": 1}}
    assert set(facts["readings"]) == {"as-values", "graded-as-spikes"}
    assert facts["readings"]["graded-as-spikes"]["sops"] is None


class Dead(Silenced):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[:, :3] + x


class ClosedGate(Dead):
    def __init__(self) -> None:
        super().__init__(gate=0.0)


class SummedToSize(toys.SummedSpikes):
    pass
