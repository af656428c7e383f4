"""The figures of the verdicts: their files, and what the page says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.claims import read_judged_paper
from derainbench.catalog.model_cards import model_card
from derainbench.config.schema import Config
from derainbench.foundation import provenance
from derainbench.foundation.outputs import staged_folder
from derainbench.report.figures import papers_meet, verdicts
from derainbench.report.figures.marking import marked
from derainbench.report.figures.page_figure import PageFigure
from derainbench.report.figures.style import save, style
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table

VERB = "verdict-figures"
PAPERS = "papers"


def write_figures(config: Config, out: Path) -> None:
    """Writes ``papers``, and ``verdicts-<paper>`` of every paper, as pdf, png and svg, all or nothing.

    Raises:
        BenchError: if nothing has been judged, or no structure counted.
    """
    judged = read_table(layout_of(config).claims)
    with style(), staged_folder(out) as stage:
        save(papers_meet.papers_figure(config), stage / PAPERS)
        provenance.write_record(stage / f"{PAPERS}.svg", settings={"configuration": config.name})
        for paper in map(read_judged_paper, config.paper_names):
            rows = verdicts.rows_of(paper, judged[judged["paper"] == paper.name])
            title = marked(config, figure_title(config.name, paper))
            figure = verdicts.verdict_figure(rows, title)
            save(figure, stage / _name(paper))
            provenance.write_record(
                stage / f"{_name(paper)}.svg", settings={"configuration": config.name}
            )


def _name(paper: AuditedPaper) -> str:
    return f"verdicts-{paper.name}"


def figure_title(configuration: str, paper: AuditedPaper) -> str:
    """Whose verdicts, of which configuration."""
    citation = model_card(paper.network).citation
    return f"{paper.method} ({citation}): verdicts of the configuration “{configuration}”"


def papers_page_figure(config: Config) -> PageFigure:
    """What the page says of the figure on which the papers meet."""
    inputs = (
        "audit/claims.csv",
        "crosscheck/crosscheck.csv",
        "scenarios/energy.csv",
        "structure/*.csv",
        "scores/*/*/*/per_image.csv",
    )
    return PageFigure(VERB, PAPERS, "The papers side by side", papers_meet.caption(config), inputs)


def page_figures(config: Config) -> Iterator[PageFigure]:
    """What the page says of them: one per paper."""
    for paper in map(read_judged_paper, config.paper_names):
        title = f"{paper.method}: the verdicts on one slide"
        yield PageFigure(VERB, _name(paper), title, verdicts.CAPTION, ("audit/claims.csv",))
