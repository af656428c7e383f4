"""The report in headless Chromium: it must work, stay at home, and fit a phone and a desktop."""

import copy
import json
import shutil

import pandas as pd
import pytest
from invented import results

from derainbench.energy.scenarios import Price
from derainbench.report.interactive import option_key
from derainbench.report.page import write_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: chromium is not on PATH"),
]
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Folder with the page of the invented results."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return write_page(results(folder), folder / "results" / "smoke" / "report").parent


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, report):
    """Opens the page; gives it with all that went wrong and all that it asked for."""
    contexts = []

    def open_at(size="desktop", path=report / "index.html", **options):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.problems, page.asked = [], []
        page.on("console", lambda m: page.problems.append(m.text) if m.type != "log" else None)
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("requestfailed", lambda request: page.problems.append(request.url))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(path.as_uri())
        return page

    yield open_at
    for context in contexts:
        context.close()


def text(page, selector):
    return page.inner_text(selector).strip()


@pytest.mark.parametrize("size", SIZES)
def test_nothing_fails_nothing_is_fetched_and_everything_fits(opened, report, size):
    page = opened(size)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    page.evaluate("document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    broken = "[...document.images].filter(i => !i.naturalWidth).map(i => i.src)"
    assert page.evaluate("document.images.length") > 8
    assert page.evaluate(broken) == []
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size][0]
    assert page.problems == []
    home = report.as_uri()
    assert [u for u in page.asked if not u.startswith((home, "data:", "blob:"))] == []
    assert len([u for u in page.asked if u.startswith(home)]) > 8


def test_the_first_screen_has_every_claim(opened):
    page = opened()
    bottoms = page.evaluate(
        "[...document.querySelectorAll('.claim')].map(c => c.getBoundingClientRect().bottom)"
    )
    assert len(bottoms) > 10
    assert max(bottoms) <= SIZES["desktop"][1]


def test_the_page_opens_in_two_seconds(opened):
    times = sorted(
        opened().evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        for _ in range(3)
    )
    assert 0 < times[1] < 2000, times


def test_the_divider_follows_slider_keys_and_mouse(opened):
    page = opened()
    page.locator("#compare-stage").scroll_into_view_if_needed()
    clip = "parseFloat(document.getElementById('image-left').style.clipPath.split(' ')[1])"
    assert page.evaluate(clip) == 50  # per cent cut off at the right
    page.fill("#compare-slider", "80")
    assert page.evaluate(clip) == pytest.approx(20)
    page.focus("#compare-slider")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(clip) == pytest.approx(20.5)
    stage = page.locator("#compare-stage")
    box = stage.bounding_box()
    stage.click(position={"x": box["width"] * 0.25, "y": box["height"] / 2})
    assert page.evaluate(clip) == pytest.approx(75, abs=0.5)


def test_zoom_moves_both_images_and_leaves_the_divider(opened):
    page = opened()
    stage = page.locator("#compare-stage")
    stage.scroll_into_view_if_needed()
    style = "id => document.getElementById(id).style.transform"
    page.click("#zoom-in")
    page.click("#zoom-in")
    assert text(page, "#zoom-level") == "225 %"
    assert page.evaluate(style, "image-left") == page.evaluate(style, "image-right")
    box = stage.bounding_box()
    x, y = box["width"] * 0.8, box["height"] / 2
    stage.hover(position={"x": x, "y": y})  # waits until nothing above it moves any more
    page.mouse.down()
    stage.hover(position={"x": x - 60, "y": y - 20})
    page.mouse.up()
    moved = page.evaluate(style, "image-left")
    assert moved == page.evaluate(style, "image-right")
    assert float(moved.split("(")[1].split("%")[0]) < 0
    # At 2.25 times, moved: the clip is elsewhere in the image, the divider still in the middle.
    left = page.evaluate(
        "(() => { const i = document.getElementById('image-left'), s = i.parentElement;"
        "const [b, o] = [i.getBoundingClientRect(), s.getBoundingClientRect()];"
        "const cut = parseFloat(i.style.clipPath.split(' ')[1]) / 100;"
        "return (b.left + b.width * (1 - cut) - o.left) / o.width; })()"
    )
    assert left == pytest.approx(0.5, abs=0.005)
    page.mouse.wheel(0, -100)
    assert text(page, "#zoom-level") == "270 %"
    page.click("#zoom-reset")
    assert text(page, "#zoom-level") == "100 %"


def test_images_and_methods_can_be_chosen(opened):
    page = opened("phone")
    page.select_option("#compare-left", label="PReNet_r (2 stages)")
    page.select_option("#compare-right", label="Ground truth")
    assert page.get_attribute("#image-left", "src").endswith("-prenet_r.webp")
    assert page.get_attribute("#image-right", "src").endswith("-target.webp")
    assert "dB" in text(page, "#compare-scores") and "esdnet" in text(page, "#compare-scores")
    page.select_option("#compare-image", label="photographs: a.png")
    assert page.get_attribute("#image-left", "src").endswith("photographs-0-input.webp")
    scores = text(page, "#compare-scores")
    assert "4.25" in scores and "not measured: no parameter file" in scores
    assert "no ground truth" in text(page, "#compare-note")
    page.wait_for_function("document.getElementById('image-left').naturalHeight > 0")
    assert page.problems == []


def test_the_plot_filters_and_keeps_published_values_apart(opened):
    page = opened()
    page.locator("#pareto").scroll_into_view_if_needed()
    page.wait_for_selector("#pareto-plot .scatterlayer")
    traces = "() => document.getElementById('pareto-plot').data.map(t => ({name: t.name, x: t.x, y: t.y, symbol: t.marker.symbol}))"
    first = page.evaluate(traces)
    assert sum(len(t["x"]) for t in first) == 5
    assert not [t for t in first if "published" in t["name"]]
    page.select_option("#pareto-dataset", "Rain200H")
    measured, published = page.evaluate(traces)
    assert "measured here" in measured["name"] and len(measured["x"]) == 1
    assert published["symbol"] == "circle-open" and set(published["y"]) == {30}
    assert published["x"] == [12811463, 165000]
    page.select_option("#pareto-x", "energy")
    [only] = page.evaluate(traces)  # nobody published an energy
    assert "measured" in only["name"]
    found = {}
    for scenario in "abcd":
        page.select_option("#pareto-scenario", scenario)
        [found[scenario]] = page.evaluate(traces)[0]["x"]
    table = pd.read_csv("results/reference/smoke/scenarios/energy.csv")
    own = table[(table["name"] == "esdnet/seed-1234") & (table["costs"] == "horowitz-45nm-fp32")]
    plain = own[~own["reuse"] & ~own["zero_skipping"]].set_index("scenario")["mj"]
    assert found == pytest.approx(plain.to_dict(), rel=1e-12)
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
    saved = saved[saved["rival_bits"].isna()].iloc[::53]
    keys = ["source", "name", "costs", "scenario", "reuse", "zero_skipping"]
    prices = table.set_index(keys).sort_index()
    cases = []
    for row in saved.itertuples():
        own = prices.loc[
            (row.source, row.name, row.costs, row.scenario, row.reuse, row.zero_skipping)
        ]
        other = prices.loc[
            (row.source, row.rival, row.costs, row.scenario, False, row.zero_skipping)
        ]
        for rate in (0.0, 0.0437, 0.25, 1.0):
            price = Price(own["fixed_mj"], own["slope_mj"], rate)
            expected = [price.energy, other["mj"], 1 - price.energy / other["mj"]]
            even = price.rate_for(other["mj"])
            key = option_key(row.scenario, row.reuse, row.zero_skipping)
            cases.append(
                ([f"{row.source}:{row.name}", row.rival_title, row.costs, key, rate],
                 [*expected, None if even != even else even])
            )  # fmt: skip
    compute = """cases => cases.map(([id, title, costs, key, rate]) => {
      const network = derainbench.energy.networks.find(n => n.id === id);
      const rival = network.rivals.find(r => r.title === title);
      const found = derainbench.account(network, rival, costs, key, rate);
      return [found.own, found.rival, found.saving, found.breakEven];
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
        .query("name == 'esdnet/seed-1234'")["rate"]
        .unique()
    )
    assert text(page, "#energy-rate-value") == f"{rate:.3f}"
    page.check("#energy-skip")
    page.select_option("#energy-network", label="ESDNet, full size")
    assert "Not known" in text(page, "#energy-saving")  # zeros are not known without weights
    assert page.problems == []


def test_without_scripts_verdicts_and_static_figures_remain(opened):
    page = opened(java_script_enabled=False)
    assert page.locator(".chip.contradicted").first.is_visible()
    assert page.locator("#figure-pareto img").is_visible()
    assert page.locator("#figure-break-even img").is_visible()
    assert page.locator("img[alt^='Images side by side']").is_visible()
    assert not page.locator("#pareto").is_visible() and not page.locator("#explorer").is_visible()
    page.click("#claim-energy-54 summary")
    assert page.locator("#claim-energy-54 table").is_visible()


def test_paper_shows_what_is_folded_and_the_static_figures(opened):
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator("#pareto").is_visible()
    assert page.locator("#figure-pareto img").is_visible()
    assert page.locator("#claim-energy-54 table").is_visible()
    assert page.locator("#quality details dl").first.is_visible()
    assert not page.locator("nav").is_visible()
    page.set_viewport_size({"width": 688, "height": 1000})  # A4 within its margins
    assert page.evaluate("document.documentElement.scrollWidth") == 688  # else print is shrunk
    assert len(page.pdf(format="A4")) > 100_000


def test_a_long_reading_leaves_its_verdict_on_a_phones_screen(opened):
    page = opened("phone")
    page.evaluate(
        "document.querySelector('.claim .reading').textContent = 'a network, 12 epochs, on Rain200H'"
    )
    edges = page.evaluate(
        "[...document.querySelectorAll('.claim > summary .chip')].map(c => c.getBoundingClientRect().right)"
    )
    assert len(edges) > 10 and max(edges) <= SIZES["phone"][0]
