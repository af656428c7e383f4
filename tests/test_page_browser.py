"""The report in headless Chromium: it must work, stay at home, and fit a phone and a desktop."""

import json

import browsing
import pytest
from browsing import SIZES, text
from helpers import read_json
from invented import results

from derainbench.report.page.writing import write_page

pytestmark = browsing.MARKS
report = pytest.fixture(scope="module")(browsing.report)
browser = pytest.fixture(scope="module")(browsing.browser)
opened = pytest.fixture(browsing.opened)


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


@pytest.fixture(scope="module")
def one_paper(tmp_path_factory):
    """The page of a configuration that audits one paper."""
    folder = tmp_path_factory.mktemp("one-paper")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = results(folder)
        runs = {n: r for n, r in config.runs.items() if n not in ("vlif", "spikerain")}
        config = config.model_copy(update={"papers": ["esdnet"], "runs": runs})
        out = folder / "results" / "smoke"
        for file in (out / "audit" / "claims.json", out / "audit" / "coverage.json"):
            content = read_json(file)
            content["papers"] = [p for p in content["papers"] if p["paper"] == "esdnet"]
            file.write_text(json.dumps(content))
        return write_page(config, out / "report")


def test_the_first_screen_has_every_claim_of_one_paper(opened, one_paper):
    bottoms = bottoms_of(opened(path=one_paper), ".claim")
    assert len(bottoms) > 10
    assert max(bottoms) <= SIZES["desktop"][1]


def test_the_first_screen_has_the_coverage_of_every_paper(opened):
    page = opened()
    parts = bottoms_of(page, "#coverage .parts a")
    assert len(parts) == len(bottoms_of(page, ".claim")) > 20
    assert max(parts) <= SIZES["desktop"][1]


def bottoms_of(page, selector):
    return page.evaluate(
        "s => [...document.querySelectorAll(s)].map(c => c.getBoundingClientRect().bottom)",
        selector,
    )


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


def test_without_scripts_verdicts_and_static_figures_remain(opened):
    page = opened(java_script_enabled=False)
    assert page.locator(".chip.contradicted").first.is_visible()
    assert page.locator("#figure-pareto img").is_visible()
    assert page.locator("#figure-break-even-esdnet img").is_visible()
    assert page.locator("img[alt^='Images side by side']").is_visible()
    assert not page.locator("#pareto").is_visible() and not page.locator("#explorer").is_visible()
    page.click("#claim-esdnet-energy-54 summary")
    assert page.locator("#claim-esdnet-energy-54 table").is_visible()


def test_paper_shows_what_is_folded_and_the_static_figures(opened):
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator("#pareto").is_visible()
    assert page.locator("#figure-pareto img").is_visible()
    assert page.locator("#claim-esdnet-energy-54 table").is_visible()
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
