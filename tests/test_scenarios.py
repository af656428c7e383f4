"""Work and energy are those computed by hand from a table of counts."""

import dataclasses
import math

import pandas as pd
import pytest

from derainbench.catalog.costs import DEFAULT_COSTS, Costs, cost_tables
from derainbench.catalog.memory_levels import MemoryLevel
from derainbench.catalog.scenarios import scenarios
from derainbench.energy.pricing import Price, can_price, price, quantisation_bits
from derainbench.energy.records import ANALOG, ATTENTION, INTEGER, LAYER, SPIKES
from derainbench.energy.traffic import (
    MEMBRANES,
    SPIKES_IN,
    VALUES_IN,
    VALUES_OUT,
    WEIGHTS,
    Traffic,
)
from derainbench.energy.work import Work, work

COLUMNS = [
    *("role", "input", "steps", "constant", "macs", "reach", "effective_operations"),
    *("input_elements", "output_elements", "weights", "activation_density"),
]
LAYERS = pd.DataFrame(
    [
        # a first layer on an image shown four times, then spikes, some that never come, a value
        (LAYER, ANALOG, 4, True, 4000, 3600, 3000, 400, 800, 9, 0.75),
        (LAYER, SPIKES, 4, False, 8000, 7000, 700, 800, 200, 18, 0.1),
        (LAYER, SPIKES, 4, False, 1000, 1000, 0, 200, 100, 5, 0.0),
        (LAYER, INTEGER, 1, False, 500, 400, 300, 50, 40, 3, 0.8),
        (ATTENTION, ANALOG, 4, True, 80, 80, 60, 20, 8, 2, 0.75),
        (ATTENTION, SPIKES, 1, False, 16, 16, 4, 6, 2, 0, 0.5),
    ],
    columns=COLUMNS,
)
OTHERS = pd.DataFrame(
    [("membrane", 120, 240, 120, 0), ("activation", 50, 60, 7, 5), ("unknown", 9, 0, 0, 0)],
    columns=["category", "elements", "adds", "multiplies", "specials"],
)
BOTH = LAYERS, OTHERS
SIMPLE = Costs(
    mac=10,
    ac=1,
    add=2,
    multiply=3,
    special=5,
    byte=8,
    bits=4,
    levels=(MemoryLevel(math.inf, 64, 64),),  # as the byte: one picojoule per bit
    source="made up: easy to multiply",
)


def test_work_by_hand():
    assert work(LAYERS, OTHERS, spiking=True, reuse=False) == Work(
        analog_macs=4000 + 500,
        effective_macs=3000 + 300,
        spike_reach=7000 + 1000,
        sops=700 + 0,
        attention_macs=80 + 16,
        attention_effective_macs=60 + 4,
        adds=300,
        multiplies=127,
        specials=5,
        analog_values=(400 + 50 + 20) + (800 + 200 + 100 + 40 + 8 + 2),
        spike_values=800 + 200 + 6,
        weights=9 + 18 + 5 + 3 + 2,
        membrane_values=240,
        possible_spikes=800 + 200,
        spikes=80 + 0,
        traffic=(
            # Of the maps, one of the four time steps is held.
            Traffic(VALUES_IN, 20 / 4, 20, 0, 0),
            Traffic(VALUES_IN, 50, 50, 0, 0),
            Traffic(VALUES_IN, 400 / 4, 400, 0, 0),
            Traffic(SPIKES_IN, 6, 6, 6, 3),
            Traffic(SPIKES_IN, 200 / 4, 200, 200, 0),
            Traffic(SPIKES_IN, 800 / 4, 800, 800, 80),
            Traffic(VALUES_OUT, 8 / 4, 8 + 2, 0, 0),
            Traffic(VALUES_OUT, 100 / 4, 100, 0, 0),
            Traffic(VALUES_OUT, 40, 40, 0, 0),
            Traffic(VALUES_OUT, 200 / 4, 200, 0, 0),
            Traffic(VALUES_OUT, 800 / 4, 800, 0, 0),
            *(Traffic(WEIGHTS, held, held, 0, 0) for held in (2, 3, 9)),
            Traffic(WEIGHTS, 5, 5, 1000, 0),
            Traffic(WEIGHTS, 18, 18, 7000, 700),
            Traffic(MEMBRANES, 120 / 4, 240, 0, 0),
        ),
        spiking=True,
    )


def test_work_with_reuse_by_hand():
    """What is the same in all four steps happens once; weights and all else as before."""
    found = work(LAYERS, OTHERS, spiking=True, reuse=True)
    assert found == dataclasses.replace(
        work(LAYERS, OTHERS, spiking=True, reuse=False),
        analog_macs=1000 + 500,
        effective_macs=750 + 300,
        attention_macs=20 + 16,
        attention_effective_macs=15 + 4,
        analog_values=(100 + 50 + 5) + (200 + 200 + 100 + 40 + 2 + 2),
        traffic=found.traffic,
    )
    without = {(row.kind, row.held): row for row in work(*BOTH, spiking=True, reuse=False).traffic}
    fewer = {key: row.moved - without[key].moved for key, row in reused_rows(found, without)}
    assert fewer == {
        (VALUES_IN, 5): 5 - 20,
        (VALUES_IN, 100): 100 - 400,
        (VALUES_OUT, 2): 2 - 8,
        (VALUES_OUT, 200): 200 - 800,
    }


def reused_rows(found: Work, without: dict) -> list:
    """The rows of traffic that are not as they were."""
    by_key = {(row.kind, row.held): row for row in found.traffic}
    assert set(by_key) == set(without)
    return [(key, row) for key, row in by_key.items() if row != without[key]]


def test_constant_spikes_are_reused_too():
    layers = LAYERS.assign(constant=True)
    found = work(layers, OTHERS, spiking=True, reuse=True)
    assert (found.spike_reach, found.sops) == ((7000 + 1000) / 4, 700 / 4)
    assert found.firing_rate == 700 / 8000
    assert found.spike_values == (800 + 200) / 4 + 6


def test_zeros_and_ones_are_spikes_in_an_ordinary_network_too():
    found = work(LAYERS, OTHERS, spiking=False, reuse=False)
    assert (found.analog_macs, found.spike_reach) == (4000 + 500, 8000)
    assert found.spike_values == 1006


def test_what_was_not_measured_stays_unknown():
    unmeasured = LAYERS.assign(effective_operations=math.nan)
    found = work(unmeasured, OTHERS, spiking=True, reuse=False)
    assert (
        math.isnan(found.sops)
        and math.isnan(found.firing_rate)
        and math.isnan(found.effective_macs)
    )
    assert (found.analog_macs, found.spike_reach) == (4500, 8000)
    assert math.isnan(work(LAYERS[:1], OTHERS, spiking=True, reuse=False).firing_rate)  # no spikes


WORK = work(LAYERS, OTHERS, spiking=True, reuse=False)
RATE = 700 / 8000
ELEMENTWISE = 300 * 2 + 127 * 3 + 5 * 5
BITS = (1620 + 240 + 37) * 4 + 1006  # values, membranes and weights of four bits, spikes of one


@pytest.mark.parametrize(
    ("letter", "zero_skipping", "fixed", "slope"),
    [
        ("a", False, 0, 8000 * 1 + 4500 * 1),
        ("a", True, 0, 8000 * 1 + 3300 * 1),
        ("b", False, 4500 * 10, 8000),
        ("b", True, 3300 * 10, 8000),
        ("c", False, 4500 * 10 + 96 * 10 + ELEMENTWISE, 8000),
        ("c", True, 3300 * 10 + 64 * 10 + ELEMENTWISE, 8000),
        ("d", False, 4500 * 10 + 96 * 10 + ELEMENTWISE + BITS / 8 * 8, 8000),
        ("d", True, 3300 * 10 + 64 * 10 + ELEMENTWISE + BITS / 8 * 8, 8000),
        # With one memory for everything, (e) is (d).
        ("e", False, 4500 * 10 + 96 * 10 + ELEMENTWISE + BITS / 8 * 8, 8000),
    ],
)
def test_a_spiking_network_by_hand(letter, zero_skipping, fixed, slope):
    found = price(WORK, SIMPLE, scenarios()[letter], zero_skipping=zero_skipping)
    assert found.fixed == pytest.approx(fixed * 1e-9)
    assert found.slope == pytest.approx(slope * 1e-9)
    assert found.firing_rate == RATE
    assert found.energy == pytest.approx((fixed + slope * RATE) * 1e-9)


@pytest.mark.parametrize(
    ("letter", "zero_skipping", "picojoule"),
    [
        ("a", False, 4500 * 10),  # an ordinary network pays for products in every scenario
        ("b", False, 4500 * 10),
        ("b", True, 3300 * 10),
        ("c", False, 4500 * 10 + 96 * 10 + ELEMENTWISE),
        ("d", False, 4500 * 10 + 96 * 10 + ELEMENTWISE + BITS),
    ],
)
def test_an_ordinary_network_by_hand(letter, zero_skipping, picojoule):
    """Its layer on zeros and ones costs accumulates, wherever."""
    found = price(
        work(LAYERS, OTHERS, spiking=False, reuse=False),
        SIMPLE,
        scenarios()[letter],
        zero_skipping=zero_skipping,
    )
    assert found.fixed == pytest.approx(picojoule * 1e-9)
    assert found.slope == pytest.approx(8000 * 1e-9)


def test_a_picojoule_is_a_billionth_of_a_millijoule():
    layers = LAYERS[:1].assign(macs=10**9, effective_operations=10**9)
    horowitz = cost_tables()[DEFAULT_COSTS]
    found = price(work(layers, OTHERS, spiking=False, reuse=False), horowitz, scenarios()["b"])
    assert (found.energy, found.slope) == (pytest.approx(4.6), 0)
    assert math.isnan(found.firing_rate)


@pytest.mark.parametrize(
    ("missing", "known"),
    [
        ("byte", "abcef"),
        ("bits", "abc"),
        ("levels", "abcd"),
        ("add", "ab"),
        ("multiply", "ab"),
        ("special", "ab"),
        ("mac", "a"),
        ("ac", ""),
    ],
)
def test_without_a_cost_what_needs_it_has_no_price(missing, known):
    costs = dataclasses.replace(SIMPLE, **{missing: () if missing == "levels" else math.nan})
    able = {letter for letter, scenario in scenarios().items() if can_price(costs, scenario)}
    assert able == (set("abcdef") if missing == "mac" else set(known))
    prices = {letter: price(WORK, costs, scenario) for letter, scenario in scenarios().items()}
    assert {letter for letter, p in prices.items() if not math.isnan(p.energy)} == set(known)


def test_a_price_without_a_measured_rate_has_parts_but_no_energy():
    unmeasured = work(
        LAYERS.assign(effective_operations=math.nan), OTHERS, spiking=True, reuse=False
    )
    found = price(unmeasured, SIMPLE, scenarios()["b"])
    assert (found.fixed, found.slope) == (pytest.approx(45_000e-9), pytest.approx(8000e-9))
    assert math.isnan(found.energy)


@pytest.mark.parametrize(
    ("fixed", "slope", "energy", "rate"),
    [
        (2, 10, 5, 0.3),
        (0, 10, 5, 0.5),
        (2, 10, 12, 1.0),
        (2, 10, 32, 3.0),  # always cheaper
        (5, 10, 5, math.nan),
        (6, 10, 5, math.nan),
        (2, 0, 5, math.nan),
        (math.nan, 10, 5, math.nan),
        (2, math.nan, 5, math.nan),
        (2, 10, math.nan, math.nan),
    ],
)
def test_the_rate_for_an_energy(fixed, slope, energy, rate):
    of = Price(fixed, slope, 0.5)
    assert of.rate_for(energy) == pytest.approx(rate, nan_ok=True)
    if not math.isnan(rate):
        assert Price(fixed, slope, rate).energy == pytest.approx(energy)


@pytest.mark.parametrize(("steps", "bits"), [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4)])
def test_bits_that_tell_as_many_levels_apart_as_steps(steps, bits):
    assert quantisation_bits(steps) == bits
    assert 2 ** (bits - 1) < steps + 1 <= 2**bits


def test_quantised_costs_by_hand():
    """Activations of one bit in four: a quarter of the multiplication, additions as they were."""
    narrow = SIMPLE.quantised(1)
    assert (narrow.multiply, narrow.mac, narrow.bits) == (0.75, 2.75, 1)
    assert (narrow.ac, narrow.add, narrow.special, narrow.byte) == (1, 2, 5, 8)
    assert SIMPLE.quantised(4).mac == SIMPLE.multiply + SIMPLE.add


def test_weights_keep_their_bits_when_activations_are_quantised():
    ordinary = work(LAYERS, OTHERS, spiking=False, reuse=False)
    c, d = (price(ordinary, SIMPLE.quantised(1), scenarios()[s]).fixed for s in "cd")
    assert d - c == pytest.approx(((1620 + 240) * 1 + 37 * 4 + 1006) * 1e-9)
    twice = SIMPLE.quantised(2).quantised(1)
    assert price(ordinary, twice, scenarios()["d"]).fixed - c == pytest.approx(d - c)


def test_every_cost_table_has_a_source_and_says_what_it_knows():
    tables = cost_tables()
    assert all(costs.source and costs.ac > 0 for costs in tables.values())
    chips = {name: costs.ac for name, costs in tables.items() if math.isnan(costs.mac)}
    assert chips == {"loihi": 23.6, "spinnaker2": 10, "truenorth": 2.5}
    assert all(costs.mac > costs.ac for name, costs in tables.items() if name not in chips)
    assert all("definitions of a SOP differ" in tables[name].source for name in chips)
    signs = {name: (c.spike, c.update) for name, c in tables.items() if c.spike or c.update}
    assert signs == {"sign-operations-per-spike": (3.7, 0), "sign-operations-per-update": (0, 3.7)}
    assert all((tables[name].mac, tables[name].ac) == (12.5, 0.077) for name in signs)
    horowitz = tables[DEFAULT_COSTS]
    assert (horowitz.mac, horowitz.ac) == (4.6, 0.9)
    assert {name for name, costs in tables.items() if costs.narrow} == {"horowitz-45nm-int8"}
    for name, costs in tables.items():
        whole = not math.isnan(costs.add + costs.multiply + costs.special + costs.byte + costs.bits)
        assert whole == bool(costs.levels) == name.startswith("horowitz"), name
        if whole:
            assert costs.mac == pytest.approx(costs.multiply + costs.add)
            assert costs.quantised(int(costs.bits)).mac == pytest.approx(costs.mac)
            assert costs.levels == horowitz.levels


def test_each_scenario_adds_to_the_one_before():
    found = scenarios()
    assert [(s.analog, s.others, s.memory, s.levels) for s in found.values()] == [
        ("ac", False, False, False),
        ("mac", False, False, False),
        ("mac", True, False, False),
        ("mac", True, True, False),
        ("mac", True, True, True),
        ("mac", True, True, True),
    ]
    assert {letter: (s.weights, s.spikes) for letter, s in found.items() if s.levels} == {
        "e": ("layer", "bits"),
        "f": ("spike", "addresses"),
    }
    assert not any(s.packets for s in found.values())
    energies = [price(WORK, SIMPLE, s).energy for s in found.values()]
    assert energies == sorted(energies)
