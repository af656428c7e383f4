"""The figure of energy by the largest cache, and tables of costs without a price of a MAC."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from test_energy_audit import ANN, SNN, row

from derainbench.energy.comparison import energies, savings
from derainbench.foundation.errors import BenchError
from derainbench.report.figures.cache_sensitivity import (
    RATES,
    cache_figure,
    capacity_text,
    energy_ratio,
)

COLUMNS = ["model", "varied", "value", "scenario", "reuse", "fixed_share", "slope_share"]
TABLE = pd.DataFrame(
    [
        ("esdnet", "last cache", 8192, "e", False, 2.0, 1.0),
        ("esdnet", "last cache", 2**21, "e", False, 0.5, 1.0),
        ("esdnet", "last cache", 8192, "f", False, 2.0, 100.0),
        ("esdnet", "last cache", 2**21, "f", False, 0.5, 10.0),
        ("esdnet", "last cache", 8192, "e", True, 9.0, 9.0),
        ("esdnet", "size", 64, "e", False, 9.0, 9.0),
        ("other", "last cache", 8192, "e", False, 9.0, 9.0),
    ],
    columns=COLUMNS,
)


def test_lines_are_fixed_part_and_slope_times_rate():
    figure = cache_figure(TABLE, "esdnet", {"Small": 0.25}, "made up")
    dense, by_event = figure.axes
    assert "(e) weights once per layer, spikes as bits" in dense.get_title(loc="left")
    assert "(f) weights once per spike, spikes as addresses" in by_event.get_title(loc="left")
    for axes, slopes in ((dense, (1, 1)), (by_event, (100, 10))):
        lines = [list(line.get_ydata()) for line in axes.lines]
        drawn = [[2 + rate * slopes[0], 0.5 + rate * slopes[1]] for rate in (*RATES, 0.25)]
        assert lines[:-1] == [pytest.approx(line) for line in drawn]
        assert list(axes.lines[0].get_xdata()) == [8192, 2**21]
    assert "measured rate of Small: 0.250" in [t.get_text() for t in figure.legends[0].get_texts()]
    plt.close(figure)


def test_a_network_without_caches_varied_is_refused_in_one_line():
    with pytest.raises(BenchError, match=r"no rows of otter by last cache; run `derainbench sens"):
        cache_figure(TABLE, "otter", {}, "made up")


def test_a_ratio_by_hand():
    assert list(energy_ratio(TABLE[2:4], 0.1)) == pytest.approx([12, 1.5])


@pytest.mark.parametrize(("capacity", "text"), [(8192, "8 KB"), (2**20, "1 MB"), (2**26, "64 MB")])
def test_capacities_in_words(capacity, text):
    assert capacity_text(capacity) == text


CHIPS = {"loihi": 23.6, "spinnaker2": 10, "truenorth": 2.5}


def test_a_table_without_a_price_of_macs_has_energies_and_no_savings():
    table = energies([SNN, ANN])
    for chip, sop in CHIPS.items():
        of_chip = table[table["costs"] == chip]
        assert set(of_chip["name"]) == {"snn"} and set(of_chip["scenario"]) == {"a"}
        found = row(table, name="snn", costs=chip, scenario="a")
        # 9 G possible operations at the mean firing rates of two images, 0.1 and 0.2.
        assert found["mj"] == pytest.approx(9 * sop * (0.1 + 0.2) / 2)
    assert not set(savings([SNN, ANN])["costs"]) & set(CHIPS)


def test_only_tables_with_memories_by_size_price_them():
    table = energies([SNN, ANN])
    levelled = set(table.loc[table["scenario"].isin(["e", "f"]), "costs"])
    assert levelled == {f"horowitz-45nm-{precision}" for precision in ("fp32", "fp16", "int8")}
