"""The page of the invented results in headless Chromium: bodies of fixtures for the tests of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from invented import results

from derainbench.report.page.writing import write_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))),
    None,
)
MARKS = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: chromium is not on PATH"),
]
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}


def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the page of the invented results."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return write_page(results(folder), folder / "results" / "smoke" / "report").parent


def browser() -> Iterator[Any]:
    """Chromium without a window."""
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def opened(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page; gives it with all that went wrong and all that it asked for."""
    contexts: list[Any] = []

    def open_at(size: str = "desktop", path: Path = report / "index.html", **options: Any) -> Any:
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


def text(page: Any, selector: str) -> str:
    """What is written in an element."""
    return page.inner_text(selector).strip()
