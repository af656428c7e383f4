"""Work and energy are those computed by hand from a table of counts."""

import dataclasses
import math

import pandas as pd
import pytest

from derainbench.catalog.costs import DEFAULT_COSTS, Costs, cost_tables
from derainbench.catalog.scenarios import scenarios
from derainbench.energy.pricing import Price, price, quantisation_bits
from derainbench.energy.records import ANALOG, ATTENTION, INTEGER, LAYER, SPIKES
from derainbench.energy.work import Work, work

COLUMNS = [
    *("role", "input", "steps", "constant", "macs", "reach", "effective_operations"),
    *("input_elements", "output_elements", "weights"),
]
LAYERS = pd.DataFrame(
    [
        # a first layer on an image shown four times, then spikes, some that never come, a value
        (LAYER, ANALOG, 4, True, 4000, 3600, 3000, 400, 800, 9),
        (LAYER, SPIKES, 4, False, 8000, 7000, 700, 800, 200, 18),
        (LAYER, SPIKES, 4, False, 1000, 1000, 0, 200, 100, 5),
        (LAYER, INTEGER, 1, False, 500, 400, 300, 50, 40, 3),
        (ATTENTION, ANALOG, 4, True, 80, 80, 60, 20, 8, 2),
        (ATTENTION, SPIKES, 1, False, 16, 16, 4, 6, 2, 0),
    ],
    columns=COLUMNS,
)
OTHERS = pd.DataFrame(
    [("membrane", 120, 240, 120, 0), ("activation", 50, 60, 7, 5), ("unknown", 9, 0, 0, 0)],
    columns=["category", "elements", "adds", "multiplies", "specials"],
)
SIMPLE = Costs(
    mac=10, ac=1, add=2, multiply=3, special=5, byte=8, bits=4, source="made up: easy to multiply"
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
    )


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
        ("byte", "abc"),
        ("bits", "abc"),
        ("add", "ab"),
        ("multiply", "ab"),
        ("special", "ab"),
        ("mac", "a"),
        ("ac", ""),
    ],
)
def test_without_a_cost_what_needs_it_has_no_price(missing, known):
    costs = dataclasses.replace(SIMPLE, **{missing: math.nan})
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
    assert all(costs.source and costs.mac > costs.ac > 0 for costs in tables.values())
    horowitz = tables[DEFAULT_COSTS]
    assert (horowitz.mac, horowitz.ac) == (4.6, 0.9)
    assert {name for name, costs in tables.items() if costs.narrow} == {"horowitz-45nm-int8"}
    for name, costs in tables.items():
        whole = not math.isnan(costs.add + costs.multiply + costs.special + costs.byte + costs.bits)
        assert whole == name.startswith("horowitz"), name
        if whole:
            assert costs.mac == pytest.approx(costs.multiply + costs.add)
            assert costs.quantised(int(costs.bits)).mac == pytest.approx(costs.mac)


def test_each_scenario_adds_to_the_one_before():
    found = scenarios()
    assert [(s.analog, s.others, s.memory) for s in found.values()] == [
        ("ac", False, False),
        ("mac", False, False),
        ("mac", True, False),
        ("mac", True, True),
    ]
    energies = [price(WORK, SIMPLE, s).energy for s in found.values()]
    assert energies == sorted(energies)
