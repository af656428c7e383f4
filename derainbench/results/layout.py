"""Where which result of a configuration lies: the only place that knows.

Rules of the workflow ask here for their outputs, with ``{run}`` and the like for wildcards; audit,
report and checks ask for the files to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from derainbench.config.schema import Config


@dataclass(frozen=True)
class Layout:
    """The files below one results folder.

    Attributes:
        root: the folder, ``results/NAME``.
    """

    root: Path

    @property
    def config(self) -> Path:
        """The configuration, resolved."""
        return self.root / "config.json"

    def made(self, dataset: str) -> Path:
        """Folder of a data set that is made here."""
        return self.root / "made" / dataset

    def data(self, dataset: str) -> Path:
        """Folder of what was found of a data set: ``dataset.json``, ``images.csv``, pictures."""
        return self.root / "data" / dataset

    @property
    def leaks(self) -> Path:
        """Folder of the search for backgrounds that sets share."""
        return self.root / "leaks"

    def training(self, run: str, variant: str) -> Path:
        """Folder of a training: ``model.safetensors``, ``history.csv``, ``training.json``."""
        return self.root / "runs" / run / variant

    def weights(self, run: str, variant: str) -> Path:
        """The weights that a training gave."""
        return self.training(run, variant) / "model.safetensors"

    def scores(self, run: str, variant: str, dataset: str) -> Path:
        """Folder of a run's restored images and full-reference scores on a set."""
        return self.root / "scores" / run / variant / dataset

    def per_image(self, run: str, variant: str, dataset: str) -> Path:
        """Full-reference scores of a run on a set, a row per image and protocol."""
        return self.scores(run, variant, dataset) / "per_image.csv"

    def no_reference(self, run: str, variant: str, dataset: str) -> Path:
        """No-reference scores of the images that a run restored."""
        return self.root / "rated" / run / variant / f"{dataset}.csv"

    def no_reference_input(self, dataset: str) -> Path:
        """No-reference scores of the rainy photographs themselves."""
        return self.root / "rated" / "input" / f"{dataset}.csv"

    def account(self, run: str, variant: str) -> Path:
        """Folder of a run's operation counts: ``energy.json``, ``neurobench.json`` and tables."""
        return self.root / "energy" / run / variant

    def account_summary(self, run: str, variant: str) -> Path:
        """Means over the images counted, and the structure in short."""
        return self.account(run, variant) / "energy.json"

    def spikes(self, run: str, variant: str) -> Path:
        """Folder of the comparison of rain and clean places."""
        return self.root / "spikes" / run / variant

    def spikes_answer(self, run: str, variant: str) -> Path:
        """What that comparison found."""
        return self.spikes(run, variant) / "spikes.json"

    def estimators(self, run: str, variant: str) -> Path:
        """spikingjelly's energy estimators on a run."""
        return self.root / "estimators" / run / f"{variant}.csv"

    def joules(self, run: str, variant: str) -> Path:
        """The energy that hardware drew for a run."""
        return self.root / "joules" / run / f"{variant}.json"

    @property
    def structure(self) -> Path:
        """Folder of what every model is at full size, weights apart."""
        return self.root / "structure"

    @property
    def models(self) -> Path:
        """Parameters and MACs of every model at full size."""
        return self.structure / "models.csv"

    def architecture(self, model: str) -> Path:
        """A paper's network at full size as it is drawn: its blocks, and what is inside them."""
        return self.structure / "architecture" / f"{model}.json"

    def gradients(self, paper: str) -> Path:
        """Whether a loss's gradient reaches every layer of a paper's network."""
        return self.root / "gradients" / f"{paper}.json"

    @property
    def crosscheck(self) -> Path:
        """Folder of other counters' results."""
        return self.root / "crosscheck"

    @property
    def scenarios(self) -> Path:
        """Folder of ``energy.csv``, ``savings.csv``, ``memory.csv`` and ``sensitivity.csv``."""
        return self.root / "scenarios"

    @property
    def audit(self) -> Path:
        """Folder of the verdicts."""
        return self.root / "audit"

    @property
    def claims(self) -> Path:
        """The verdicts, a row each."""
        return self.audit / "claims.csv"

    @property
    def coverage(self) -> Path:
        """How much of each paper is decided, and what is missing takes."""
        return self.audit / "coverage.json"

    @property
    def tables(self) -> Path:
        """Folder of the tables."""
        return self.root / "tables"

    def table(self, name: str) -> Path:
        """A table for programs."""
        return self.tables / f"{name}.csv"

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.root / "figures"

    def figure(self, name: str, kind: str = "svg") -> Path:
        """A figure."""
        return self.figures / f"{name}.{kind}"

    @property
    def papers(self) -> Path:
        """Folder of the papers' own tables and figures, made again."""
        return self.root / "papers"

    def paper(self, name: str) -> Path:
        """Folder of one paper's tables and figures."""
        return self.papers / name

    def paper_index(self, name: str) -> Path:
        """What there is of a paper's tables and figures, and why others are missing."""
        return self.paper(name) / "paper.json"

    @property
    def report(self) -> Path:
        """Folder of the page."""
        return self.root / "report"

    @property
    def page(self) -> Path:
        """The page."""
        return self.report / "index.html"


def layout_of(config: Config) -> Layout:
    """Where a configuration's results lie."""
    return Layout(Path(config.results))
