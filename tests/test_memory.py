"""Memory by size: two layers priced by hand under every reading, and beside spikingjelly's."""

import dataclasses
import math

import pandas as pd
import pytest
import torch
from spikingjelly.activation_based import op_counter
from torch import nn

from derainbench.catalog.costs import DEFAULT_COSTS, Costs, cost_tables
from derainbench.catalog.memory_levels import MemoryLevel, bit_price, with_last_cache
from derainbench.catalog.scenarios import memory_readings, scenarios
from derainbench.energy.accounts import Account
from derainbench.energy.estimators.measurement import Subjects
from derainbench.energy.memory import memory_by_size
from derainbench.energy.memory_readings import memory_table
from derainbench.energy.model_structure import count_models
from derainbench.energy.pricing import price
from derainbench.energy.records import ANALOG, LAYER, MEMBRANE, SPIKES
from derainbench.energy.traffic import address_bits
from derainbench.energy.work import Work, work

# Two time steps. A layer takes the image and feeds neurons, whose spikes another layer takes.
#   weights: 4 and 100;  image 16 values and 32 neurons per time step, output 8 values
LAYERS = pd.DataFrame(
    [
        (LAYER, ANALOG, 2, True, 640, 640, 640, 2 * 16, 2 * 32, 4, 1.0),
        (LAYER, SPIKES, 2, False, 3000, 2000, 500, 2 * 32, 2 * 8, 100, 0.25),
    ],
    columns=[
        *("role", "input", "steps", "constant", "macs", "reach", "effective_operations"),
        *("input_elements", "output_elements", "weights", "activation_density"),
    ],
)
OTHERS = pd.DataFrame(
    [(MEMBRANE, 2 * 32, 0, 0, 0)],
    columns=["category", "elements", "adds", "multiplies", "specials"],
)
NETWORK = work(LAYERS, OTHERS, spiking=True, reuse=False)
# 8 bits a value: of 4, 16, 32 and more bytes at 1, 2, 3 and 10 pJ per bit; no other operation costs.
LEVELS = tuple(
    MemoryLevel(size, 64 * pj, 64 * pj) for size, pj in ((4, 1), (16, 2), (32, 3), (math.inf, 10))
)
MEMORY = Costs(
    mac=0,
    ac=0,
    add=0,
    multiply=0,
    special=0,
    bits=8,
    levels=LEVELS,
    hop=7,
    source="made up: easy to multiply",
)
IMAGE = 2 * 16 * 8 * 2  # fills 16 bytes
POTENTIALS = 2 * 64 * 8 * 3  # read and written; 32 bytes
OUTPUTS = 2 * 32 * 8 * 3 + 2 * 8 * 8 * 2
FIRST_WEIGHTS = 4 * 8 * 1
ALWAYS = IMAGE + POTENTIALS + OUTPUTS + FIRST_WEIGHTS
WEIGHTS = {"layer": (100 * 8 * 10, 0), "spike": (0, 500 * 8 * 10)}  # 100 bytes: the last memory
SPIKES_BY = {
    "bits": (64 * 1 * 1, 0),
    "addresses": (0, 16 * 5 * 1),
}  # 16 spikes of 32 neurons; 4 bytes
PACKETS = {
    False: (0, 0),
    True: (2 * 16 * 7, 16 * 7),
}  # a packet per value of the image and per spike


@pytest.mark.parametrize("reading", memory_readings(), ids=lambda r: f"{r.weights}-{r.spikes}")
def test_two_layers_by_hand_under_every_reading(reading):
    parts = WEIGHTS[reading.weights], SPIKES_BY[reading.spikes], PACKETS[reading.packets]
    fixed = ALWAYS + sum(part[0] for part in parts)
    by_spikes = sum(part[1] for part in parts)
    found = price(NETWORK, MEMORY, reading)
    assert found.fixed == pytest.approx(fixed * 1e-9)
    assert found.firing_rate == 0.25
    assert found.slope * 0.25 == pytest.approx(by_spikes * 1e-9)
    assert found.energy == pytest.approx((fixed + by_spikes) * 1e-9)
    # Both layers fetch and store alike where nothing was measured: as if every neuron fired.
    unmeasured = LAYERS.assign(effective_operations=math.nan, activation_density=math.nan)
    structure = price(work(unmeasured, OTHERS, spiking=True, reuse=False), MEMORY, reading)
    assert structure.fixed == found.fixed
    assert math.isnan(structure.energy) == (by_spikes > 0)
    possible = (2000 * 80) * (reading.weights == "spike")
    possible += (64 * 5) * (reading.spikes == "addresses") + 64 * 7 * reading.packets
    assert structure.slope == pytest.approx(possible * 1e-9)


def test_layers_of_unlike_rates_and_memories_are_priced_at_what_they_fetch():
    """200 spikes' fetches of 100 weights, 90 of 2: the mean rate alone would not tell them apart."""
    second = LAYERS[1:].assign(reach=1000, effective_operations=200)
    third = LAYERS[1:].assign(reach=3000, effective_operations=90, weights=2)
    network = work(pd.concat([second, third]), OTHERS, spiking=True, reuse=False)
    kept, fetched = (
        price(network, MEMORY, dataclasses.replace(scenarios()["e"], weights=weights))
        for weights in ("layer", "spike")
    )
    assert fetched.firing_rate == 290 / 4000
    by_layer, by_spike = 100 * 8 * 10 + 2 * 8 * 1, 200 * 8 * 10 + 90 * 8 * 1
    assert fetched.energy - kept.energy == pytest.approx((by_spike - by_layer) * 1e-9)


def test_there_are_eight_readings_and_the_scenarios_are_two_of_them():
    readings = [(r.weights, r.spikes, r.packets) for r in memory_readings()]
    assert len(set(readings)) == 8
    named = [(s.weights, s.spikes, s.packets) for s in scenarios().values() if s.levels]
    assert set(named) < set(readings) and len(named) == 2


def test_what_is_reused_is_moved_once_from_the_same_memory():
    reused = work(LAYERS, OTHERS, spiking=True, reuse=True)
    saved = 16 * 8 * 2 + 32 * 8 * 3  # a time step of the image, and of what the layer makes of it
    kept, once = (price(w, MEMORY, scenarios()["e"]).fixed for w in (NETWORK, reused))
    assert kept - once == pytest.approx(saved * 1e-9)


def test_an_ordinary_network_fetches_its_weights_once_under_every_reading():
    layers = LAYERS.assign(input=ANALOG, steps=1)
    ordinary = work(layers, OTHERS.iloc[:0], spiking=False, reuse=False)
    energies = {price(ordinary, MEMORY, reading).energy for reading in memory_readings()}
    # The two networks-on-chip differ by packets of what both layers take.
    assert len(energies) == 2
    assert max(energies) - min(energies) == pytest.approx((32 + 64) * 7 * 1e-9)


def test_with_one_price_memory_by_size_is_the_flat_one():
    flat = dataclasses.replace(cost_tables()[DEFAULT_COSTS])
    one = dataclasses.replace(flat, levels=(MemoryLevel(math.inf, 100, 100),))
    for spiking in (True, False):
        network = work(LAYERS, OTHERS, spiking=spiking, reuse=False)
        by_size, at_once = (price(network, one, scenarios()[s]) for s in "ed")
        assert by_size.energy == pytest.approx(at_once.energy, rel=1e-12)


def test_neurons_that_were_not_seen_have_unknown_memory():
    unseen = dataclasses.replace(
        NETWORK,
        membrane_values=math.nan,
        traffic=tuple(
            row._replace(held=math.nan, moved=math.nan)
            if row.kind == "membrane potentials"
            else row
            for row in NETWORK.traffic
        ),
    )
    assert math.isnan(price(unseen, MEMORY, scenarios()["e"]).fixed)


@pytest.mark.parametrize(
    ("held", "access"),
    [(0, 10), (8192, 10), (8193, 20), (32768, 20), (2**20, 100), (2**20 + 1, 1950)],
)
def test_the_smallest_memory_that_holds_it_has_the_price(held, access):
    levels = cost_tables()[DEFAULT_COSTS].levels
    assert bit_price(levels, held) == access / 64
    assert math.isnan(bit_price(levels, math.nan)) and math.isnan(bit_price((), held))


def test_dram_has_a_least_and_a_most():
    costs = cost_tables()[DEFAULT_COSTS]
    far = [bit_price(costs.at_bound(b).levels, 1e9) * 64 for b in ("low", "high")]
    assert far == [1300, 2600]
    assert bit_price(costs.at_bound("low").levels, 100) * 64 == 10


@pytest.mark.parametrize(
    ("capacity", "access", "kept"),
    [
        (8192, 10, 0),
        (32768, 20, 1),
        (16384, math.sqrt(10 * 20), 1),
        (2**20, 100, 2),
        (2**25, 500, 3),  # 32 times 1 MB, as 1 MB is 32 times 32 KB: five times the price
    ],
)
def test_a_last_cache_lies_on_the_power_law_of_its_neighbours(capacity, access, kept):
    levels = with_last_cache(cost_tables()[DEFAULT_COSTS].levels, capacity)
    assert len(levels) == kept + 2
    assert bit_price(levels, capacity) * 64 == pytest.approx(access)
    assert bit_price(levels, capacity + 1) * 64 == 1950


@pytest.mark.parametrize(("neurons", "bits"), [(1, 1), (2, 1), (3, 2), (32, 5), (33, 6)])
def test_an_address_tells_all_neurons_apart(neurons, bits):
    assert address_bits(neurons) == bits


SIGN = {"mac": 10, "ac": 1, "source": "made up"}


@pytest.mark.parametrize(("letter", "analog", "slope"), [("a", 0, 2640), ("b", 6400, 2000)])
def test_sign_operations_by_hand(letter, analog, slope):
    """One per emitted spike, 16, or one per neuron and time step, 64; in every scenario."""
    scenario = scenarios()[letter]
    without = price(NETWORK, Costs(**SIGN), scenario)
    assert without.energy == pytest.approx((analog + slope * 0.25) * 1e-9)
    by_spike = price(NETWORK, Costs(**SIGN, spike=3), scenario)
    assert by_spike.fixed == without.fixed
    assert by_spike.energy - without.energy == pytest.approx(16 * 3 * 1e-9)
    by_update = price(NETWORK, Costs(**SIGN, update=3), scenario)
    assert by_update.slope == without.slope
    assert by_update.energy - without.energy == pytest.approx(64 * 3 * 1e-9)


def test_ordinary_networks_have_no_sign_operations():
    """Not even where an input happens to be zeros and ones."""
    ordinary = work(LAYERS, OTHERS, spiking=False, reuse=False)
    costs = Costs(**SIGN), Costs(**SIGN, spike=3, update=3)
    assert len({price(ordinary, c, scenarios()["b"]) for c in costs}) == 1


def test_a_chip_prices_spikes_alone():
    chip = Costs(ac=2, source="made up")
    assert price(NETWORK, chip, scenarios()["a"]).energy == pytest.approx(2 * 2640 * 0.25 * 1e-9)
    assert math.isnan(price(NETWORK, chip, scenarios()["b"]).fixed)
    driven = work(LAYERS[1:], OTHERS, spiking=True, reuse=False)
    assert price(driven, chip, scenarios()["b"]).energy == pytest.approx(2 * 500 * 1e-9)


@pytest.fixture(scope="module")
def esdnet() -> Work:
    """Full size, from its structure."""
    [(_, _, network)] = count_models(["esdnet"], 256)
    return work(network.layers, network.others, spiking=True, reuse=False)


def test_every_neuron_of_esdnet_feeds_one_layer(esdnet):
    """So the spikes that layers take are those that neurons emit: none is counted twice."""
    assert esdnet.possible_spikes == esdnet.membrane_values / 2 == 408_944_640


def test_full_size_esdnets_weights_and_maps_are_in_dram(esdnet):
    assert sum(row.moved for row in esdnet.traffic if row.kind == "weights") * 4 > 48e6
    largest = {
        kind: max(row.held for row in esdnet.traffic if row.kind == kind) * 4
        for kind in {row.kind for row in esdnet.traffic}
    }
    assert largest["values in"] == 96 * 256 * 256 * 4  # 25 MB a time step
    assert largest["weights"] == 192 * 192 * 9 * 4 > 2**20
    bits = {"spikes in": 1}
    far = {
        kind: sum(
            row.moved * bits.get(kind, 32) / 8e6
            for row in esdnet.traffic
            if row.kind == kind and row.held * bits.get(kind, 32) / 8 > 2**20
        )
        for kind in largest
    }
    assert far == pytest.approx(
        {
            "weights": 39.8,
            "values in": 758.1,
            "values out": 2280.7,
            "membrane potentials": 3271.6,
            "spikes in": 0,
        },
        abs=0.05,
    )


def test_the_table_has_every_reading_and_its_parts_add_up():
    account = Account(
        source="measured",
        name="made/seed-1",
        model="esdnet",
        title="Made",
        dataset="rain",
        spiking=True,
        steps=2,
        size=4,
        images=("a.png",),
        works={False: [NETWORK], True: [NETWORK]},
    )
    table = memory_table([account])
    assert len(table) == 8
    costs, computed = cost_tables()[DEFAULT_COSTS], price(NETWORK, MEMORY, scenarios()["c"])
    assert computed.energy == 0
    parts = table[[c for c in table if c.endswith("_mj") and c not in OWN]].sum(axis=1)
    arithmetic = price(NETWORK, costs, scenarios()["c"]).energy
    assert (parts + arithmetic).tolist() == pytest.approx(table["mj"].tolist())
    assert (table["low_memory_mj"] == table["mj"]).all()  # nothing is as large as DRAM


OWN = {"low_memory_mj", "high_memory_mj", "fixed_mj", "slope_mj"}


def spikes_of_one_layer() -> torch.Tensor:
    """[1,3,8,8]: one spike, away from borders."""
    x = torch.zeros(1, 3, 8, 8)
    x[0, 0, 4, 4] = 1
    return x


def test_spikingjellys_memories_by_size_differ_where_documentation_says():
    """Its Lemaire estimator of one layer: 27 weights met by one spike, of 81 in all."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, bias=False)).eval()
    image = spikes_of_one_layer()
    benchmark, _ = Subjects(model).as_it_is.benchmark_count(image)
    costs = cost_tables()[DEFAULT_COSTS]
    ours = {p.kind: p for p in memory_by_size(benchmark.work, costs, scenarios()["f"])}
    report = op_counter.estimate_lemaire_energy(
        model, image, config=op_counter.LemaireEnergyConfig(strict=False)
    )
    # Both fetch the weights that the spike meets. Ours: a price per level, 10 pJ per 64 bits of up to
    # 8 KB. Theirs: 10 pJ per 32 bits of 8 KB, and less in proportion for a smaller memory.
    assert ours["weights"].happened == 27 * 32 * 10 / 64
    theirs = report.breakdown_pj["params_pj"]
    assert theirs == pytest.approx(27 * 32 * (10 / 32) * (81 * 4 / 8192))
    # Beyond 1 MB theirs stays at the price of 1 MB; ours is DRAM.
    cost = op_counter.LemaireEnergyCostConfig()
    assert cost.memory_cost_pj(1e9) * 8 == cost.memory_cost_pj(2**20) * 8 == 200
    assert bit_price(costs.levels, 1e9) * 64 == 1950
    # spikingjelly's simple estimator: one price, whatever the size, for weights at every use.
    simple = op_counter.estimate_simple_energy(model, image)
    assert simple.breakdown_pj["parameter_memory_pj"] == pytest.approx(27 * 4 * 24.96)
