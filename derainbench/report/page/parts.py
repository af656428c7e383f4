"""The parts of the page: tables, figures and sections, each with what it was made from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from derainbench.catalog.papers import Paper, read_paper
from derainbench.config.schema import Config
from derainbench.foundation import reads
from derainbench.foundation.errors import BenchError
from derainbench.report.figures.page_figure import PageFigure
from derainbench.report.page import datasets, gaps, origins, paper_artefacts, pictures
from derainbench.report.page.origins import Origin, matching, origin
from derainbench.report.tables.writing import BUILDERS
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json
from derainbench.results.runs import run_variants

PAPERS = {"papers": "The papers side by side"}
SCORES = {
    "quality": "PSNR and SSIM",
    "comparison": "Published and reproduced scores",
    "paired": "Differences between methods",
    "protocols": "The same images under every protocol",
    "seeds": "Spread over seeds",
    "equivalence": "Verdicts on published scores",
    "selection": "Choosing the epoch on the test images",
}
REAL_RAIN = {"realrain": "Photographs of real rain"}
COUNTS = {"complexity": "Parameters, operations and energy"}
EQUAL_QUALITY = {
    "equal_quality": "Energy of the cheapest equal ANN",
    "quality_energy": "PSNR beside energy",
}
ENERGY = {
    "savings": "Energy saved at the measured firing rates",
    "break_even": "Break-even firing rates",
    "structure": "All models at full size",
    "crosscheck": "Other operation counters",
    "estimators": "spikingjelly’s energy estimators",
    "joules": "Energy drawn by present hardware",
}
TITLES = PAPERS | EQUAL_QUALITY | SCORES | REAL_RAIN | COUNTS | ENERGY
NUMBERS = (".csv", ".json")  # files that numbers of the page come from
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
        self.layout = layout_of(config)
        self.scored, unscored = gaps.scored(config)
        self.counted, uncounted = gaps.counted(config)
        self.unscored, self.uncounted = (gaps.missing(config, f) for f in (unscored, uncounted))
        failed = [f"missing: {run}: {reason}" for run, reason in config.without.items()]
        self.notes = failed + self.unscored + self.uncounted

    def part(self, name: str, build: Callable[[], T], file: Path | None = None) -> Part:
        """Builds something, watching which files it reads.

        Args:
            name: anchor.
            build: raises BenchError if something is missing.
            file: result file with the provenance record; none: the page computes it.
        """
        with reads.recording() as read:
            try:
                content = build()
            except BenchError as error:
                return Part(name, None, self._noted(gaps.note(self.config, error)), None)
        inputs = [f for f in reads.in_folder(read, self.layout.root) if f.suffix in NUMBERS]
        return Part(name, content, "", origin(file, inputs))

    def _noted(self, *notes: str) -> str:
        self.notes += [note for note in notes if note not in self.notes]
        return "; ".join(notes)

    def tables(self, names: Iterable[str]) -> list[Part]:
        """Tables by name, computed from whatever runs are there."""
        return [self._table(name) for name in names]

    def _table(self, name: str) -> Part:
        config = self.counted if name in COUNTS else self.scored
        if name in SCORES | COUNTS and not any_paired_run(config):
            lost = self.uncounted if name in COUNTS else self.unscored
            if lost or name in SCORES:  # without a network to count there is nothing to lose
                return Part(name, None, "; ".join(lost), None)
        if name in REAL_RAIN and self.config.real_rain() and not config.real_rain():
            lost = [line for line in self.unscored if line.startswith("missing: rated/")]
            return Part(name, None, "; ".join(lost), None)
        return self.part(name, partial(BUILDERS[name], config), self.layout.table(name))

    def figures(self, shown: Iterable[PageFigure]) -> list[Part]:
        """Figures that lie in the results, copied to the assets."""
        return [self.figure(figure) for figure in shown]

    def figure(self, figure: PageFigure) -> Part:
        """A figure that lies in the results, copied to the assets."""
        stem = self.layout.figures / figure.name

        def build() -> dict[str, Any]:
            files = [self.layout.figure(figure.name, kind) for kind in ("svg", "pdf", "png")]
            picture = pictures.show_figure(stem, self.assets)
            if picture is None:
                raise BenchError(f"{stem}.svg: missing; made by `derainbench {figure.verb}`")
            return {
                "title": figure.title,
                "caption": figure.caption,
                "picture": picture,
                "files": [file for file in files if file.is_file()],
            }

        made = self.part(figure.name, build)
        if made.content is None:
            return made
        record = next((f for f in made.content["files"] if origin(f).record), None)
        inputs = matching(self.config, *figure.inputs)
        return Part(figure.name, made.content, "", origin(record, inputs))

    def papers(self) -> list[Part]:
        """The tables and figures of every paper, figures copied to the assets."""
        return [self._paper(read_paper(name)) for name in self.config.paper_names]

    def _paper(self, paper: Paper) -> Part:
        def build() -> dict[str, Any]:
            shown = paper_artefacts.artefacts(self.config, paper, self.assets)
            return {"paper": paper, "artefacts": shown}

        return self.part(f"paper-{paper.name}", build)

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
                self.layout.data(name) / "dataset.json",
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
        folder = self.layout.leaks

        def build() -> dict[str, Any]:
            table = datasets.leaks(self.config)
            counts = read_json(folder / "leaks.json")["comparisons"]
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


def any_paired_run(config: Config) -> bool:
    """Whether some run is tested on images with ground truth."""
    return any(config.paired(d) for e in run_variants(config) for d in e.spec.test)
