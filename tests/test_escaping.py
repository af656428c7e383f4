"""Text of files of others is shown as it is written, wherever it reaches a page, a table or a list."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import browsing
import pandas as pd
import pytest
from invented import results

from derainbench.catalog import tolerances
from derainbench.config.schema import Config, parse
from derainbench.foundation.frames import as_markdown, markdown_text
from derainbench.report.page.diff import write_diff
from derainbench.report.page.paper_artefacts import read_markdown
from derainbench.report.page.writing import SCRIPTS, write_page

PAYLOAD = "\"'><script>stolen()</script><img src=x onerror=stolen()>&lt;[a](javascript:stolen())"
# Fields in which a file may say anything; in others stand names that the harness looks up.
FREE = {"title", "run_title", "baseline_title", "method", "other_method", "wording", "reason"}
FREE |= {"citation", "venue", "licence", "explanation", "takes", "no_saving_because", "check"}
FREE |= {"found", "expected", "command", "processor", "system", "kind_meaning", "caption", "image"}
FREE |= {"weights", "trained_on", "official weights", "evidence", "python", "commit"}


class Elements(HTMLParser):
    """The elements of a page, each with its attributes, and what stands in its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        name, attributes = self.elements[-1] if self.elements else ("", {})
        if name == "script" and "type" not in attributes and data.strip():
            self.scripts.append(data)

    def acting(self) -> set[str]:
        """All that could run code: handlers, addresses that are scripts, sources of scripts, scripts."""
        found = set(self.scripts)
        for name, attributes in self.elements:
            found |= {f"{n}={v}" for n, v in attributes.items() if n.startswith("on")}
            found |= {v for v in attributes.values() if v and re.match(r"\s*javascript:", v)}
            found |= (
                {attributes["src"] or ""} if name == "script" and "src" in attributes else set()
            )
        return found


def poisoned(value, key=""):
    """The same JSON value with the payload behind every text of a free field."""
    if isinstance(value, dict):
        return {name: poisoned(item, name) for name, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, key) for item in value]
    return value + PAYLOAD if isinstance(value, str) and key in FREE else value


def poison(folder: Path) -> None:
    """Puts the payload into the free fields of every CSV and JSON file of a folder."""
    for file in folder.rglob("*.json"):
        file.write_text(json.dumps(poisoned(json.loads(file.read_text()))))
    for file in filter(lambda f: f.read_text().strip(), folder.rglob("*.csv")):
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
        if FREE & set(table.columns):
            for column in FREE & set(table.columns):
                table[column] = table[column].map(lambda text: text and text + PAYLOAD)
            table.to_csv(file, index=False)


def poisoned_config(config: Config) -> Config:
    """The configuration with the payload in its title and in those of its runs."""
    values = json.loads(config.model_dump_json())
    values["title"] += PAYLOAD
    for run in values["runs"].values():
        run["title"] = (run.get("title") or "run") + PAYLOAD
    return parse(values, "hostile")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A folder of results whose free fields hold the payload, and its configuration."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        config = results(folder)
        poison(folder / config.results)
        yield folder / config.results, poisoned_config(config)


@pytest.fixture(scope="module")
def page(hostile):
    """The page of these results, a file."""
    folder, config = hostile
    return write_page(config, folder / "report")


browser = pytest.fixture(scope="module")(browsing.browser)


def shown(page: str) -> int:
    """How often the page shows the payload as text."""
    return page.count("&lt;script&gt;stolen()&lt;/script&gt;")


def test_no_text_of_a_file_acts_on_the_page(page):
    text = page.read_text()
    elements = Elements(text)
    own = {f"assets/{name}" for name in SCRIPTS} | {"onsubmit=return false"}
    assert elements.acting() == own | {'document.documentElement.classList.add("js")'}
    assert not [a for tag, a in elements.elements if tag == "img" and a.get("src") == "x"]
    assert shown(text) > 200  # in titles, cells, captions, attributes
    assert text.count(r"\u003cscript\u003estolen()") > 10  # in the data of the plots


@pytest.mark.slow
@pytest.mark.skipif(browsing.CHROMIUM is None, reason="no Chromium: chromium is not on PATH")
def test_a_browser_runs_none_of_it_and_plots_name_it_as_it_is_written(page, browser):
    tab = browser.new_page()
    tab.add_init_script("window.stolen = () => { window.ran = true; }")
    tab.goto(page.as_uri())
    tab.locator("#pareto").scroll_into_view_if_needed()
    tab.wait_for_selector("#pareto-plot .scatterlayer")
    labels = "[...document.querySelectorAll('#pareto-plot text')].map(t => t.textContent)"
    tab.select_option("#pareto-x", "method")
    names = "document.getElementById('pareto-plot').data.flatMap(t => t.x).length"
    assert sum(PAYLOAD in label for label in tab.evaluate(labels)) == tab.evaluate(names) > 0
    assert tab.evaluate("window.ran") is None
    tab.close()


def test_no_text_of_a_file_acts_where_two_folders_are_compared(hostile, tmp_path):
    folder, config = hostile
    shutil.copytree(folder / "tables", tmp_path / "b" / "tables")
    (tmp_path / "b" / "config.json").write_text(config.model_dump_json())
    page = write_diff(tmp_path / "b", tmp_path / "b", tolerances.load(), tmp_path).read_text()
    assert Elements(page).acting() == set()
    assert shown(page) > 50


AWKWARD = [
    "<script>x</script>",
    "<!-- x",
    "![a](http://x/y.png)",
    "a < b",
    "<b>|</b>",
    "[1.5, 2.5]",
]


@pytest.mark.parametrize("text", [PAYLOAD, *AWKWARD])
def test_markdown_shows_tags_and_links_as_they_are_written(text, tmp_path):
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark").enable("table")
    table = as_markdown(pd.DataFrame({text: [text]}), disable_numparse=True)
    for written in (table, markdown_text(text)):
        acting = {tag for tag, _ in Elements(reader.render(written)).elements}
        assert acting <= {"p", "table", "thead", "tbody", "tr", "th", "td"}
    file = tmp_path / "table.md"
    file.write_text(table)
    assert read_markdown(file).loc[0, text] == text
