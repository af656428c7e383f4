"""The figures of trainings: their files, and what the page says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from derainbench.config.schema import Config
from derainbench.foundation import provenance, reads
from derainbench.foundation.outputs import staged_folder
from derainbench.report.figures.marking import marked
from derainbench.report.figures.page_figure import PageFigure
from derainbench.report.figures.style import save, style
from derainbench.report.figures.training_curves import CAPTION, training_figure
from derainbench.results.expected import trained_runs
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table

VERB = "training-figures"


def write_figures(config: Config, out: Path) -> None:
    """Writes ``training-<run>`` of every run that is trained, as pdf, png and svg, all or nothing.

    Raises:
        BenchError: if a ``history.csv`` is missing.
    """
    layout = layout_of(config)
    with style(), staged_folder(out) as stage:
        for name in trained_runs(config):
            run = config.runs[name]
            with reads.recording():
                histories = {
                    variant: read_table(layout.training(name, variant) / "history.csv")
                    for variant in run.variants()
                }
                dataset = run.train.dataset if run.train else ""
                title = marked(config, f"{run.title or name}, trained on {dataset}")
                save(training_figure(histories, title), stage / f"training-{name}")
                settings = {"configuration": config.name}
                provenance.write_record(stage / f"training-{name}.svg", settings=settings)


def run_figures(config: Config) -> Iterator[PageFigure]:
    """What the page says of them: one per run."""
    for name in trained_runs(config):
        title = f"{config.runs[name].title or name}: how the training went"
        yield PageFigure(VERB, f"training-{name}", title, CAPTION, (f"runs/{name}/*/history.csv",))
