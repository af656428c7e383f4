"""The report's interactive plots in headless Chromium: what they show is what the harness found."""

import copy
import json

import browsing
import pandas as pd
import pytest
from browsing import text

from derainbench.catalog.scenarios import scenarios
from derainbench.energy.pricing import Price
from derainbench.report.page.plot_data import option_key

pytestmark = browsing.MARKS
report = pytest.fixture(scope="module")(browsing.report)
browser = pytest.fixture(scope="module")(browsing.browser)
opened = pytest.fixture(browsing.opened)


def test_the_plot_filters_and_keeps_published_values_apart(opened):
    page = opened()
    page.locator("#pareto").scroll_into_view_if_needed()
    page.wait_for_selector("#pareto-plot .scatterlayer")
    traces = "() => document.getElementById('pareto-plot').data.map(t => ({name: t.name, x: t.x, y: t.y, symbol: t.marker?.symbol}))"
    first = page.evaluate(traces)
    assert sum(len(t["x"]) for t in first) == 7
    assert not [t for t in first if "published" in t["name"]]
    page.select_option("#pareto-dataset", "Rain200H")
    measured, published = page.evaluate(traces)
    assert "measured here" in measured["name"] and len(measured["x"]) == 1
    assert published["symbol"] == "circle-open" and set(published["y"]) == {30}
    assert published["x"] == [12811463, 165000]
    page.select_option("#pareto-x", "energy")
    only, line = page.evaluate(traces)  # nobody published an energy
    assert "measured" in only["name"]
    assert (line["name"], line["x"]) == ("frontier", only["x"])  # a single network
    found = {}
    for scenario in scenarios():
        page.select_option("#pareto-scenario", scenario)
        [found[scenario]] = page.evaluate(traces)[0]["x"]
    table = pd.read_csv("results/reference/smoke/scenarios/energy.csv")
    own = table[(table["name"] == "esdnet/seed-1234") & (table["costs"] == "horowitz-45nm-fp32")]
    plain = own[~own["reuse"] & ~own["zero_skipping"]].set_index("scenario")["mj"]
    assert found == pytest.approx(plain.to_dict(), rel=1e-12)
    page.select_option("#pareto-costs", "horowitz-45nm-int8")
    own = table[(table["name"] == "esdnet/seed-1234") & (table["costs"] == "horowitz-45nm-int8")]
    plain = own[~own["reuse"] & ~own["zero_skipping"]].set_index("scenario")["mj"]
    assert page.evaluate(traces)[0]["x"] == [pytest.approx(plain[scenario], rel=1e-12)]
    page.select_option("#pareto-y", "ssim")
    page.select_option("#pareto-protocol", "rgb")
    assert page.evaluate(traces)[0]["y"][0] < 1
    hover = page.evaluate("document.getElementById('pareto-plot').data[0].customdata[0]")
    for part in (
        "ESDNet",
        "trained here",
        "6 images of Rain200H",
        "1 seed",
        "parameters",
        "GMACs",
        "mJ",
    ):
        assert part in hover


@pytest.mark.parametrize("x", ["parameters", "gmacs", "energy"])
def test_names_of_methods_do_not_cover_each_other(opened, report, x):
    page = opened(path=crowded(report))
    page.locator("#pareto").scroll_into_view_if_needed()
    page.wait_for_selector("#pareto-plot .scatterlayer")
    page.select_option("#pareto-x", x)
    boxes = page.evaluate(
        "[...document.querySelectorAll('#pareto-plot .textpoint text')]"
        ".map(t => ({ name: t.textContent, ...t.getBoundingClientRect().toJSON() }))"
    )
    shown = [box for box in boxes if box["name"].strip()]
    assert len(shown) >= 6  # of ten
    for i, one in enumerate(shown):
        for other in shown[:i]:
            apart = (
                one["right"] <= other["left"]
                or other["right"] <= one["left"]
                or one["bottom"] <= other["top"]
                or other["bottom"] <= one["top"]
            )
            assert apart, f"{one['name']} and {other['name']} overlap"


def crowded(report):
    """The page with every method once more, of a longer name and nearly the same scores."""
    page = (report / "index.html").read_text("utf-8")
    start = page.index(">", page.index('id="pareto-data"')) + 1
    end = page.index("</script>", start)
    data = json.loads(page[start:end])
    again = copy.deepcopy(data["points"])
    for point in again:
        point["title"] += ", trained once more"
        for scores in point["scores"].values():
            scores["psnr"] += 0.02
    data["points"] += again
    path = report / "crowded.html"
    path.write_text(page[:start] + json.dumps(data) + page[end:], "utf-8")
    return path


def test_energies_in_the_page_are_those_of_the_harness(opened, report):
    page = opened()
    folder = report.parent / "scenarios"
    table = pd.read_csv(folder / "energy.csv")
    saved = pd.read_csv(folder / "savings.csv")
    saved = saved[saved["baseline_bits"].isna()].iloc[::53]
    keys = ["source", "name", "costs", "scenario", "reuse", "zero_skipping"]
    prices = table.set_index(keys).sort_index()
    cases = []
    for row in saved.itertuples():
        own = prices.loc[
            (row.source, row.name, row.costs, row.scenario, row.reuse, row.zero_skipping)
        ]
        other = prices.loc[
            (row.source, row.baseline, row.costs, row.scenario, False, row.zero_skipping)
        ]
        for rate in (0.0, 0.0437, 0.25, 1.0):
            price = Price(own["fixed_mj"], own["slope_mj"], rate)
            expected = [price.energy, other["mj"], 1 - price.energy / other["mj"]]
            even = price.rate_for(other["mj"])
            key = option_key(row.scenario, row.reuse, row.zero_skipping)
            cases.append(
                ([f"{row.source}:{row.name}", row.baseline_title, row.costs, key, rate],
                 [*expected, None if even != even else even])
            )  # fmt: skip
    compute = """cases => cases.map(([id, title, costs, key, rate]) => {
      const network = derainbench.energy.networks.find(n => n.id === id);
      const baseline = network.baselines.find(b => b.title === title);
      const priced = derainbench.account(network, baseline, costs, key, rate);
      return [priced.own, priced.baseline, priced.saving, priced.breakEven];
    })"""
    answers = page.evaluate(compute, [case for case, _ in cases])
    assert len(answers) > 60
    for (case, expected), answer in zip(cases, answers, strict=True):
        for number, wanted in zip(answer, expected, strict=True):
            assert (number is None) == (wanted is None), case
            assert wanted is None or number == pytest.approx(wanted, rel=1e-9, abs=1e-12), case


def test_the_firing_rate_moves_the_saving(opened, report):
    page = opened()
    assert "No firing rate makes it cheaper" in text(page, "#energy-break-even")  # scenario (c)
    page.select_option("#energy-scenario", "a")
    page.fill("#energy-rate", "0.05")
    low = text(page, "#energy-saving")
    page.fill("#energy-rate", "0.618")
    assert low.endswith("saved") and text(page, "#energy-saving") == "54.0 % saved"
    page.select_option("#energy-network", label="ESDNet (tiny), as measured")
    [rate] = (
        pd.read_csv(report.parent / "scenarios/energy.csv")
        .query("name == 'esdnet/seed-1234'")["firing_rate"]
        .unique()
    )
    assert text(page, "#energy-rate-value") == f"{rate:.3f}"
    page.check("#energy-skip")
    page.select_option("#energy-network", label="ESDNet, full size")
    assert "Not known" in text(page, "#energy-saving")  # zeros are not known without weights
    assert page.problems == []
