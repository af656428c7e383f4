"""The report: a folder that opens from disk, its page and everything the page shows."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from derainbench import __version__, provenance
from derainbench.config import Config
from derainbench.data.leaks import NEAR
from derainbench.errors import BenchError
from derainbench.evaluation.protocols import PROTOCOLS
from derainbench.files import staged_folder, write_text
from derainbench.report import (
    artefacts,
    collect,
    datasets,
    energy,
    gaps,
    headline,
    interactive,
    origins,
    pictures,
)
from derainbench.report.origins import Origin, matching, origin
from derainbench.report.tables import BUILDERS

BANNERS = {
    "smoke": (
        "SMOKE configuration: generated rain, small networks, minutes of training. It shows that "
        "the pipeline works; its numbers say nothing about the paper's accuracy."
    ),
    "study": (
        "Scaled-down study: small networks and part of the images. It cannot confirm or refute "
        "the paper's full-size scores."
    ),
    "paper": "The paper's protocol at full size.",
}
SCORES = {
    "quality": "PSNR and SSIM",
    "comparison": "Published and reproduced scores",
    "paired": "Differences between methods",
    "protocols": "The same images under every protocol",
    "seeds": "Spread over seeds",
    "equivalence": "Equivalence with published scores",
    "selection": "Choosing the epoch on the test images",
}
REAL_RAIN = {"realrain": "Photographs of real rain"}
COUNTS = {"complexity": "Parameters, operations and energy"}
ENERGY = {
    "savings": "Energy saved at the measured firing rates",
    "break_even": "Break-even firing rates",
    "structure": "All models at full size",
    "crosscheck": "Other operation counters",
    "estimators": "spikingjelly’s energy estimators",
    "joules": "Energy drawn by present hardware",
}
TITLES = SCORES | REAL_RAIN | COUNTS | ENERGY
NUMERIC = r"[-+]?\d[-+\d.,/±%\[\] ]*"  # cells that are aligned to the right
SCRIPTS = ("page.js", "pareto.js", "compare.js", "energy.js")
T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """A table, figure or section of the page.

    Attributes:
        name: anchor, and stem of its files.
        content: None where something is missing.
        note: what is missing, in one line, or nothing.
        origin: how it was made.
    """

    name: str
    content: Any
    note: str
    origin: Origin | None


class Page:
    """Collects the parts of a page; a part that cannot be made becomes a note."""

    def __init__(self, config: Config, assets: Path) -> None:
        self.config = config
        self.assets = assets
        self.results = Path(config.results)
        self.scored, unscored = gaps.scored(config)
        self.counted, uncounted = gaps.counted(config)
        self.unscored, self.uncounted = (gaps.missing(config, f) for f in (unscored, uncounted))
        self.notes = self.unscored + self.uncounted

    def part(self, name: str, build: Callable[[], T], file: Path | None = None) -> Part:
        """Builds something, watching which files it reads.

        Args:
            name: anchor.
            build: raises BenchError if something is missing.
            file: result file with the provenance record; none: the page computes it.
        """
        with collect.recording() as read:
            try:
                content = build()
            except BenchError as error:
                return Part(name, None, self._noted(gaps.note(self.config, error)), None)
        return Part(name, content, "", origin(file, read))

    def _noted(self, *notes: str) -> str:
        self.notes += [note for note in notes if note not in self.notes]
        return "; ".join(notes)

    def tables(self, names: Iterable[str]) -> list[Part]:
        """Tables by name, computed from whatever runs are there."""

        found = []
        for name in names:
            config = self.counted if name in COUNTS else self.scored
            if name in SCORES | COUNTS and not _any_run(config):
                lost = self.uncounted if name in COUNTS else self.unscored
                found.append(Part(name, None, "; ".join(lost), None))
                continue
            if name in REAL_RAIN and self.config.real_rain() and not config.real_rain():
                lost = [line for line in self.unscored if line.startswith("missing: rated/")]
                found.append(Part(name, None, "; ".join(lost), None))
                continue
            file = self.results / "tables" / f"{name}.csv"
            found.append(self.part(name, partial(BUILDERS[name], config), file))
        return found

    def figure(self, verb: str, name: str, title: str, caption: str, *patterns: str) -> Part:
        """A figure that lies in the results, copied to the assets.

        Args:
            verb: that draws it.
            name: stem of its files.
            title, caption: for people.
            patterns: result files that it was drawn from.
        """
        stem = self.results / "figures" / name

        def build() -> dict[str, Any]:
            files = [stem.with_name(f"{name}.{kind}") for kind in ("svg", "pdf", "png")]
            picture = pictures.show_figure(stem, self.assets)
            if picture is None:
                raise BenchError(f"{stem}.svg: missing; made by `derainbench {verb}`")
            there = [file for file in files if file.is_file()]
            return {"title": title, "caption": caption, "picture": picture, "files": there}

        made = self.part(name, build)
        if made.content is None:
            return made
        record = next((f for f in made.content["files"] if origin(f).record), None)
        return Part(name, made.content, "", origin(record, matching(self.config, *patterns)))

    def comparison(self) -> Part:
        """The before/after comparison of images."""
        made = self.part("images", lambda: pictures.comparison(self.scored, self.assets))
        if made.content:
            self._noted(*made.content["missing"])
        return made

    def cards(self) -> list[Part]:
        """A card per data set, its pictures copied to the assets."""
        return [
            self.part(
                f"data-{name}",
                partial(self._card, name),
                self.results / "data" / name / "dataset.json",
            )
            for name in self.config.datasets
        ]

    def _card(self, name: str) -> dict[str, Any]:
        alone = self.config.model_copy(update={"datasets": {name: self.config.datasets[name]}})
        [card] = datasets.cards(alone)
        shown: dict[str, Any] = {**card, "sheet": None, "histograms": None, "notes": []}
        for key in ("sheet", "histograms"):
            file = card[key]
            stem = file.with_suffix("")
            shown[key] = pictures.show_figure(stem, self.assets, f"{stem.name}-{name}")
            if shown[key] is None:
                shown["notes"].append(self._noted(*gaps.missing(self.config, [file])))
        return shown

    def leaks(self) -> Part:
        """Backgrounds that data sets share."""
        folder = self.results / "leaks"

        def build() -> dict[str, Any]:
            table = datasets.leaks(self.config)
            counts = collect.read_json(folder / "leaks.json")["comparisons"]
            picture = None
            if any(c["exact"] or c["near"] for c in counts):
                picture = pictures.show_figure(folder / "leaks", self.assets)
            return {"table": table, "picture": picture}

        return self.part("leaks", build, folder / "leaks.json")

    def runs(self) -> list[dict[str, Any]]:
        """How weights and scores were made."""
        rows, absent = origins.runs(self.scored)
        self._noted(*gaps.missing(self.config, absent))
        return rows


def _any_run(config: Config) -> bool:
    return any(config.paired(d) for e in collect.entries(config) for d in e.spec.test)


def _pareto_caption(config: Config) -> str:
    protocol = PROTOCOLS[config.figures.protocol]
    return (
        f"PSNR on the {config.figures.dataset} test images, protocol {protocol.name}: "
        f"{protocol.description}. A circle's area is proportional to the dense "
        "multiply-accumulates (MACs) of one 256x256 image, all time steps counted. Dashed circles, "
        "if any, are published numbers, of unknown protocol (catalog/published_points names "
        "the sources)."
    )


def _strip_caption(config: Config) -> str:
    return (
        f"Test images spread over {config.figures.dataset}; below each its PSNR, protocol "
        f"{config.figures.protocol}."
    )


def _energy_figures(config: Config) -> Iterator[tuple[str, ...]]:
    """Name, title, caption and input patterns of the figures on energy."""
    for entry in energy.spiking_entries(config):
        name, folder = entry.title, f"energy/{entry.run}/{entry.variant}"
        yield (
            f"energy-by-block-{entry.run}",
            f"{name}: where its energy goes",
            "By block, in the order of computation; outlines: all the energy of the ANN twin.",
            f"{folder}/*.csv",
        )
        yield (
            f"firing-rates-{entry.run}",
            f"{name}: firing rates",
            "Of the inputs of all layers on spikes, by time step; bars: standard deviation over "
            "images.",
            f"{folder}/layers.csv",
        )
        yield (
            f"scenarios-{entry.run}",
            f"{name}: energy saved under every scenario",
            "Reuse: what is constant over the time steps is computed once. Skip 0: products with a "
            "zero activation cost nothing, in ANNs too.",
            "scenarios/savings.csv",
        )


def _spike_figures(config: Config) -> Iterator[tuple[str, ...]]:
    """The same of those on spikes."""
    for entry in energy.spiking_entries(config):
        name, folder = entry.title, f"spikes/{entry.run}/*"
        yield (
            f"fig2-{entry.run}",
            f"{name}: rain and clean patch (the paper's Fig. 2)",
            "Where it rains most: pixels, membrane potentials before firing, spike rates.",
            f"{folder}/patch.npz",
        )
        yield (
            f"rain-spikes-{entry.run}",
            f"{name}: do rain pixels cause more spikes?",
            "Difference in spike rate at every depth, over the test set. Hollow: undecided.",
            f"{folder}/depth.csv",
            f"{folder}/spikes.json",
        )


def _context(page: Page) -> dict[str, Any]:
    """Everything that the template shows."""
    config, results = page.config, page.results
    claims = results / "audit" / "claims.json"
    parts = {
        "verdicts": page.part("verdicts", lambda: headline.groups(config), claims),
        "paper": page.part("paper", lambda: artefacts.paper(config, page.assets)),
        "pareto": page.part("pareto", lambda: interactive.pareto(page.scored, page.counted)),
        "pareto_figure": page.figure(
            "figures",
            "pareto",
            "Parameters against PSNR",
            _pareto_caption(config),
            "scores/*/*/*/per_image.csv",
            "energy/*/*/energy.json",
        ),
        "images": page.comparison(),
        "strip": page.figure(
            "figures",
            f"strip-{config.figures.dataset}",
            "Images side by side",
            _strip_caption(config),
            f"scores/*/*/{config.figures.dataset}/per_image.csv",
        ),
        "quality": page.tables(SCORES | REAL_RAIN),
        "explorer": page.part(
            "explorer",
            lambda: interactive.energy(config),
            results / "scenarios" / "energy.csv",
        ),
        "break_even": page.figure(
            "energy-figures",
            "break-even",
            "Energy saved against firing rate",
            "Full-size ESDNet against ANN derainers, from the structure alone. A dot and a line "
            "down mark the break-even rate; where there is none, no firing rate makes it cheaper. "
            "Grey bands: measured rates of other networks, for orientation.",
            "scenarios/*.csv",
        ),
        "energy": page.tables(COUNTS | ENERGY),
        "energy_figures": [
            page.figure("energy-figures", *facts) for facts in _energy_figures(config)
        ],
        "spike_figures": [page.figure("spike-figures", *facts) for facts in _spike_figures(config)],
        "cards": page.cards(),
        "leaks": page.leaks(),
        "runs": page.runs(),
    }
    return parts | {"missing": page.notes, "limits": gaps.limits(config)}


def _environment(config: Config, out: Path) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("derainbench.report"),
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

    templates = resources.files("derainbench.report") / "templates"
    with staged_folder(out) as stage:
        assets = stage / "assets"
        assets.mkdir()
        page = Page(config, assets)
        context = _context(page)
        html = (
            _environment(config, out)
            .get_template("index.html")
            .render(
                config=config,
                banner=BANNERS[config.label],
                tally=headline.counts(context["verdicts"].content or []),
                symbols=headline.SYMBOLS,
                near=NEAR,
                protocols=PROTOCOLS.values(),
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
