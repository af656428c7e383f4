"""What is concluded from accounts: energies, savings and break-even rates computed by hand."""

import dataclasses
import functools
import math

import numpy as np
import pandas as pd
import pytest
from helpers import SMALL

from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.costs import DEFAULT_COSTS, cost_tables
from derainbench.catalog.scenarios import scenarios
from derainbench.energy import sensitivity
from derainbench.energy.accounts import Account
from derainbench.energy.comparison import energies, image_prices, savings
from derainbench.energy.sensitivity import write_sensitivity
from derainbench.energy.structure import Structure, structure
from derainbench.energy.work import Work
from derainbench.models.construction import constructor_arguments
from derainbench.report.tables.savings import over_seeds, saving_text

PAPER = read_audited_paper("esdnet")
INT8 = "horowitz-45nm-int8"
NOTHING = Work(spiking=False)


def network(name, works, *, reused=None, **facts) -> Account:
    """An account that was measured on one image per work."""
    defaults = {
        "source": "measured",
        "name": name,
        "model": "esdnet" if works[0].spiking else name if name == PAPER.counterpart else "prenet",
        "title": name.title(),
        "dataset": "rain",
        "spiking": works[0].spiking,
        "steps": 4 if works[0].spiking else 1,
        "size": 100,
        "images": tuple(f"{i}.png" for i in range(len(works))),
        "works": {False: works, True: reused or works},
    }
    return Account(**defaults | facts)


def spiking(analog: float, reach: float, sops: float, **more: float) -> Work:
    return dataclasses.replace(
        NOTHING,
        analog_macs=analog,
        effective_macs=analog / 2,
        spike_reach=reach,
        sops=sops,
        spiking=True,
        **more,
    )


def ordinary(macs: float, nonzero: float | None = None, **more: float) -> Work:
    nonzero = macs if nonzero is None else nonzero
    return dataclasses.replace(
        NOTHING, analog_macs=macs, effective_macs=nonzero, spiking=False, **more
    )


SNN = network(
    "snn",
    [spiking(1e9, 8e9, 8e8), spiking(1e9, 8e9, 1.6e9)],
    reused=[spiking(4e8, 8e9, 8e8), spiking(4e8, 8e9, 1.6e9)],
)
ANN = network("ann", [ordinary(2e9), ordinary(2e9, 1e9)])
COUNTERPART = network(PAPER.counterpart, [ordinary(3e9), ordinary(3e9)])


def row(table: pd.DataFrame, **keys) -> pd.Series:
    keys = {"costs": DEFAULT_COSTS, "scenario": "b", "reuse": False, "zero_skipping": False} | keys
    chosen = table[np.logical_and.reduce([table[k] == v for k, v in keys.items()])]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_energies_by_hand():
    table = energies([SNN, ANN])
    found = row(table, name="snn")
    assert found["mj"] == pytest.approx((4.6 + 0.9 * 0.8 + 4.6 + 0.9 * 1.6) / 2)
    assert (found["fixed_mj"], found["slope_mj"]) == (pytest.approx(4.6), pytest.approx(7.2))
    assert found["firing_rate"] == pytest.approx(0.15)
    assert found["mj_per_megapixel"] == pytest.approx(found["mj"] * 100)
    assert found["low_mj"] < found["mj"] < found["high_mj"]
    assert (found["images"], found["size"], found["dataset"]) == (2, 100, "rain")
    assert row(table, name="snn", reuse=True)["fixed_mj"] == pytest.approx(1.84)
    assert row(table, name="snn", zero_skipping=True)["fixed_mj"] == pytest.approx(2.3)
    spike_driven = row(table, name="snn", scenario="a")
    assert (spike_driven["fixed_mj"], spike_driven["slope_mj"]) == (0, pytest.approx(8.1))
    ann = row(table, name="ann")
    assert (ann["mj"], ann["slope_mj"]) == (pytest.approx(9.2), 0)
    assert math.isnan(ann["firing_rate"])
    assert ann["low_mj"] == ann["high_mj"] == pytest.approx(9.2)
    assert row(table, name="ann", zero_skipping=True)["mj"] == pytest.approx((9.2 + 4.6) / 2)


def test_reuse_is_for_spiking_networks_and_prices_that_are_unknown_are_left_out():
    table = energies([SNN, ANN])
    assert set(table.loc[table["name"] == "ann", "reuse"]) == {False}
    assert set(table.loc[table["name"] == "snn", "reuse"]) == {False, True}
    short = table[table["costs"] == "flop-12.5pj-sop-77fj"]
    assert set(short["scenario"]) == {"a", "b"}
    whole = table[(table["costs"] == DEFAULT_COSTS) & (table["name"] == "snn")]
    assert len(whole) == 6 * 2 * 2 and set(whole["scenario"]) == set(scenarios())


def test_a_saving_with_its_interval_by_hand():
    found = row(savings([SNN, ANN]), name="snn", baseline="ann")
    one, two = 1 - (4.6 + 0.72) / 9.2, 1 - (4.6 + 1.44) / 9.2
    assert found["saving"] == pytest.approx((one + two) / 2)
    assert two - 1e-9 <= found["low"] < found["saving"] < found["high"] <= one + 1e-9
    assert found["fixed_share"] == pytest.approx(0.5)
    assert found["break_even_rate"] == pytest.approx((9.2 - 4.6) / 7.2)
    assert found["firing_rate"] == pytest.approx(0.15)
    assert pd.isna(found["baseline_bits"]) and found["baseline_title"] == "Ann"


def with_rate(of: Account, rate: float) -> Account:
    """The same network if its neurons fired that often."""
    return dataclasses.replace(
        of,
        works={
            reuse: [dataclasses.replace(w, sops=rate * w.spike_reach) for w in works]
            for reuse, works in of.works.items()
        },
    )


@pytest.mark.parametrize("scenario", list(scenarios()))
@pytest.mark.parametrize("reuse", [False, True])
@pytest.mark.parametrize("zero_skipping", [False, True])
def test_at_the_break_even_rate_nothing_is_saved(scenario, reuse, zero_skipping):
    more = {"adds": 1e8, "multiplies": 2e8, "weights": 1e6, "analog_values": 1e7}
    snn = network(
        "snn",
        [spiking(4e8, 1.6e10, 8e8, membrane_values=3e7, spike_values=9e7, **more)] * 2,
        reused=[spiking(2e8, 1.6e10, 8e8, **more)] * 2,
    )
    options = {"scenario": scenario, "reuse": reuse, "zero_skipping": zero_skipping}
    ann = network("ann", [ordinary(2e9, 1.5e9, **more)] * 2)
    rate = row(savings([snn, ann]), **options)["break_even_rate"]
    assert 0 < rate < 1
    even = row(savings([with_rate(snn, rate), ann]), **options)
    assert even["saving"] == pytest.approx(0, abs=1e-9)
    assert even["firing_rate"] == pytest.approx(even["break_even_rate"])
    less = row(savings([with_rate(snn, 0.9 * rate), ann]), **options)
    assert less["saving"] > 0


@pytest.mark.parametrize("analog", [2e9, 3e9])
def test_a_network_whose_fixed_part_costs_as_much_as_its_baseline_never_breaks_even(analog):
    snn = network("snn", [spiking(analog, 8e9, 0)] * 2)
    found = row(savings([snn, ANN]))
    assert found["fixed_share"] == pytest.approx(analog / 2e9) and found["fixed_share"] >= 1
    assert math.isnan(found["break_even_rate"])
    assert found["saving"] <= 1e-12  # not even if no neuron ever fires


def test_a_network_that_is_always_cheaper_has_a_break_even_rate_above_one():
    snn = network("snn", [spiking(0, 1e9, 1e9)] * 2)
    found = row(savings([snn, ANN]))
    assert found["break_even_rate"] == pytest.approx(9.2 / 0.9) and found["saving"] > 0


@pytest.mark.parametrize(
    "other",
    [
        {"dataset": "snow"},
        {"size": 64},
        {"source": "structure"},
        {"images": ("0.png", "7.png")},
        {"spiking": True},
    ],
)
def test_baselines_are_ordinary_networks_counted_alike(other):
    assert len(savings([SNN, ANN])) > 0
    assert savings([SNN, ANN, dataclasses.replace(ANN, name="other", **other)])[
        "baseline"
    ].unique() == ["ann"]


def test_the_quantised_counterpart_is_a_baseline_where_narrow_products_are_cheaper():
    table = savings([SNN, ANN, COUNTERPART])
    quantised = table[table["baseline_bits"].notna()]
    assert set(quantised["costs"]) == {INT8}
    assert set(quantised["baseline"]) == {PAPER.counterpart}
    assert set(quantised["baseline_bits"]) == {3}  # four time steps tell five levels apart
    assert set(quantised["baseline_title"]) == {f"{COUNTERPART.title}, 3 bits"}
    found = row(quantised, costs=INT8)
    baseline = 3 * (0.2 * 3 / 8 + 0.03)
    own = [0.23 + 0.03 * 0.8, 0.23 + 0.03 * 1.6]
    assert found["saving"] == pytest.approx(np.mean([1 - e / baseline for e in own]))
    whole = row(table[table["baseline_bits"].isna()], baseline=PAPER.counterpart, costs=INT8)
    assert whole["saving"] == pytest.approx(np.mean([1 - e / (3 * 0.23) for e in own]))
    bits = savings([dataclasses.replace(SNN, steps=8), COUNTERPART])["baseline_bits"].dropna()
    assert set(bits) == {4}


def test_a_structure_has_break_even_rates_without_any_measurement():
    snn, ann = (
        dataclasses.replace(
            of,
            source="structure",
            dataset="",
            images=("",),
            works={reuse: works[:1] for reuse, works in of.works.items()},
        )
        for of in (with_rate(SNN, math.nan), ANN)
    )
    table = savings([snn, ann])
    assert set(table["zero_skipping"]) == {False}
    found = row(table)
    assert found["break_even_rate"] == pytest.approx((9.2 - 4.6) / 7.2)
    assert found["fixed_share"] == pytest.approx(0.5)
    assert math.isnan(found["saving"]) and math.isnan(found["firing_rate"]) and found["images"] == 0
    spent = row(energies([snn, ann]), name="snn")
    assert math.isnan(spent["mj"]) and spent["fixed_mj"] == pytest.approx(4.6)


@pytest.fixture
def small_networks(monkeypatch):
    """Both networks as small as they go, but for the number of steps."""

    @functools.cache
    def counted(name: str, size: int, **kwargs) -> Structure:
        usual = {k: v for k, v in constructor_arguments(name, {}).items() if k == "T"}
        return structure(name, SMALL[name] | usual | kwargs, size)

    def small_structure(
        name: str, kwargs: dict, size: int, at_other_size: Structure | None = None
    ) -> Structure:
        return counted(name, size, **kwargs)

    monkeypatch.setattr(sensitivity, "structure", small_structure)
    monkeypatch.setattr(sensitivity, "TABLE_SIZE", 32)
    monkeypatch.setattr(sensitivity, "TIME_STEPS", (1, 4))
    monkeypatch.setattr(sensitivity, "SIZES", (32, 64))
    monkeypatch.setattr(sensitivity, "MAC_TO_AC", (1, 10))
    monkeypatch.setattr(sensitivity, "CACHES", (8192, 65536))
    return small_structure


def test_sensitivity_by_hand(small_networks, tmp_path):
    file = tmp_path / "new" / "sensitivity.csv"
    write_sensitivity([PAPER], file)
    assert file.with_name("sensitivity.csv.provenance.json").is_file()
    table = pd.read_csv(file)
    assert {varied: len(rows) for varied, rows in table.groupby("varied")} == {
        "time steps": 2 * 6 * 2,
        "size": 2 * 6 * 2,
        "MAC to accumulate": 2 * 2 * 2,
        "last cache": 2 * 2 * 2,  # where memory has prices by size
    }
    horowitz = cost_tables()[DEFAULT_COSTS]

    def amounts(size: int, **kwargs) -> tuple[float, float, float]:
        layers = small_networks("esdnet", kwargs, size).layers
        layers = layers[layers["role"] == "layer"]
        analog, spikes = layers["input"] == "analog", layers["input"] == "spikes"
        assert (analog | spikes).all()
        baseline = small_networks(PAPER.counterpart, {}, size).layers
        return (
            layers.loc[analog, "macs"].sum(),
            layers.loc[spikes, "reach"].sum(),
            baseline.loc[baseline["role"] == "layer", "macs"].sum(),
        )

    def at(varied: str, value: float, scenario: str = "b", reuse: bool = False) -> pd.Series:
        chosen = table[
            (table["varied"] == varied)
            & (table["value"] == value)
            & (table["scenario"] == scenario)
            & (table["reuse"] == reuse)
        ]
        [found] = chosen.to_dict("records")
        return found

    for varied, value, (analog, reach, baseline), mac in [
        *(("time steps", t, amounts(32, T=t), horowitz.mac) for t in (1, 4)),
        *(("size", s, amounts(s), horowitz.mac) for s in (32, 64)),
        *(("MAC to accumulate", r, amounts(32), r * horowitz.ac) for r in (1, 10)),
    ]:
        found = at(varied, value)
        assert found["fixed_share"] == pytest.approx(analog / baseline)
        assert found["slope_share"] == pytest.approx(reach * horowitz.ac / (baseline * mac))
        expected = (baseline - analog) * mac / (reach * horowitz.ac)
        expected = expected if analog < baseline else math.nan
        assert found["break_even_rate"] == pytest.approx(expected, nan_ok=True)
        everything = at(varied, value, "a")
        assert everything["fixed_share"] == 0
        assert everything["break_even_rate"] == pytest.approx(
            baseline * mac / ((reach + analog) * horowitz.ac)
        )
    one, four = at("time steps", 1), at("time steps", 4)
    assert one["fixed_share"] < 1 < four["fixed_share"]  # one step has a break-even, four have not
    assert one["break_even_rate"] > 0 and math.isnan(four["break_even_rate"])
    assert at("time steps", 1, reuse=True) == at("time steps", 1) | {"reuse": True}
    assert at("time steps", 4, reuse=True)["fixed_share"] < four["fixed_share"]


def test_prices_of_a_quantised_account_are_those_of_its_bits():
    costs = cost_tables()[INT8]
    [narrow] = image_prices(
        network("ann", [ordinary(1e9)], bits=2), costs, "b", reuse=False, zero_skipping=False
    )
    assert narrow.energy == pytest.approx(0.2 * 2 / 8 + 0.03)


def test_savings_of_several_seeds_are_one_row_of_the_table():
    table = pd.DataFrame({"saving": [0.5, 0.3], "low": [0.4, 0.2], "high": [0.6, 0.35]})
    assert saving_text(over_seeds(table)) == "+40 % [20, 60]"
    exact = pd.DataFrame({"saving": [0.25], "low": [float("nan")], "high": [float("nan")]})
    assert saving_text(over_seeds(exact)) == "+25 %"
