"""The report: a folder that opens from disk, its page and everything the page shows."""

from __future__ import annotations

import os
import re
from importlib import resources
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from derainbench import __version__
from derainbench.catalog.protocols import protocols
from derainbench.catalog.verdicts import Outcome
from derainbench.config.schema import Config
from derainbench.data.leaks import NEAR
from derainbench.foundation import provenance
from derainbench.foundation.files import write_text
from derainbench.foundation.outputs import staged_folder
from derainbench.report.page import papers_meet, verdict_list
from derainbench.report.page.content import page_content
from derainbench.report.page.parts import TITLES, Page

BANNERS = {
    "smoke": (
        "SMOKE configuration: generated rain, small networks, minutes of training. It shows that "
        "the pipeline works; its numbers say nothing about the papers' accuracy."
    ),
    "study": (
        "Scaled-down study: small networks and part of the images. It cannot confirm or refute "
        "the papers' full-size scores."
    ),
    "paper": "The papers' protocol at full size.",
    "rehearsal": (
        "REHEARSAL: everything at full size but the amount. Images are generated stand-ins, every "
        "network was trained for a few steps: it shows that the configuration runs and what it "
        "costs; no score here says anything of any network."
    ),
}
NUMERIC = r"[-+]?\d[-+\d.,/±%\[\] ]*\*?"  # cells that are aligned to the right
SCRIPTS = ("page.js", "pareto.js", "compare.js", "energy.js")


def _environment(config: Config, out: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("derainbench.report.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    environment.tests["numeric"] = lambda cell: re.fullmatch(NUMERIC, str(cell)) is not None
    environment.tests["frame"] = lambda value: isinstance(value, pd.DataFrame)
    above = os.path.relpath(config.results, out)

    def link(file: Path | str) -> Markup:
        """A result file as a link, or its name alone if it is not there."""
        path = Path(file)
        known = path.is_relative_to(config.results)
        name = path.relative_to(config.results) if known else path
        text = Markup("<code>{}</code>").format(name.as_posix())
        if not known or not path.exists():
            return text
        address = (Path(above) / name).as_posix()
        return Markup('<a href="{}">{}</a>').format(escape(address), text)

    environment.filters["link"] = link
    environment.filters["evidence"] = lambda name: link(Path(config.results) / name)
    return environment


def write_page(config: Config, out: Path) -> Path:
    """Writes ``out/index.html`` and ``out/assets``, whole or not at all.

    What is missing among the results leaves a note in its place, and in the list at the top.

    Returns:
        Path of the page.
    """
    from plotly.offline import get_plotlyjs

    templates = resources.files("derainbench.report.page") / "templates"
    with staged_folder(out) as stage:
        assets = stage / "assets"
        assets.mkdir()
        page = Page(config, assets)
        context = page_content(page)
        html = (
            _environment(config, out)
            .get_template("index.html")
            .render(
                config=config,
                banner=BANNERS[config.label],
                tally=verdict_list.tally,
                symbols=verdict_list.SYMBOLS,
                several=verdict_list.SEVERAL,
                words=papers_meet.WORDS,
                meanings={str(outcome): outcome.meaning for outcome in Outcome},
                near=NEAR,
                protocols=protocols().values(),
                record=provenance.record(),
                version=__version__,
                scripts=SCRIPTS,
                titles=TITLES,
                **context,
            )
        )
        for name in ("report.css", *SCRIPTS):
            write_text(assets / name, (templates / name).read_text("utf-8"))
        write_text(assets / "plotly.min.js", get_plotlyjs())
        write_text(stage / "index.html", html)
        provenance.write_record(stage / "index.html", settings={"configuration": config.name})
    return out / "index.html"
