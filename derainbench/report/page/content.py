"""Everything that the page shows."""

from __future__ import annotations

from typing import Any

from derainbench.report.figures import (
    energy_figures,
    score_figures,
    spike_figures,
    training_figures,
    verdict_figures,
)
from derainbench.report.page import (
    coverage_bars,
    energy_explorer,
    equal_quality,
    gaps,
    papers_meet,
    pareto_plot,
    verdict_list,
)
from derainbench.report.page.parts import (
    COUNTS,
    ENERGY,
    EQUAL_QUALITY,
    PAPERS,
    REAL_RAIN,
    SCORES,
    Page,
)


def page_content(page: Page) -> dict[str, Any]:
    """Everything that the template shows, by the names that it uses."""
    config, layout = page.config, page.layout
    parts = {
        "verdicts": page.part(
            "verdicts",
            lambda: verdict_list.paper_verdicts(config),
            layout.audit / "claims.json",
        ),
        "coverage": page.part(
            "coverage",
            lambda: coverage_bars.paper_coverage(config),
            layout.audit / "claims.json",  # whose record is of both
        ),
        "verdict_figures": page.figures(verdict_figures.page_figures(config)),
        "equal_quality": page.part(
            "headline",
            lambda: equal_quality.headlines(page.scored),
            layout.table("equal_quality"),
        ),
        "quality_energy_figure": page.figure(energy_figures.quality_energy_page_figure(config)),
        "equal_quality_tables": page.tables(EQUAL_QUALITY),
        "papers_beside": page.part(
            "papers-beside",
            lambda: papers_meet.papers_beside(config),
            layout.audit / "claims.json",
        ),
        "papers_figure": page.figure(verdict_figures.papers_page_figure(config)),
        "side_by_side": page.tables(PAPERS),
        "papers": page.papers(),
        "pareto": page.part("pareto", lambda: pareto_plot.pareto(page.scored, page.counted)),
        "pareto_figure": page.figure(score_figures.pareto_figure(config)),
        "images": page.comparison(),
        "strip": page.figure(score_figures.strip_figure(config)),
        "quality": page.tables(SCORES | REAL_RAIN),
        "explorer": page.part(
            "explorer", lambda: energy_explorer.energy(page.scored), layout.scenarios / "energy.csv"
        ),
        "break_even": page.figures(energy_figures.break_even_figures(config)),
        "energy": page.tables(COUNTS | ENERGY),
        "energy_figures": page.figures(energy_figures.run_figures(config)),
        "spike_figures": page.figures(spike_figures.run_figures(config)),
        "training_figures": page.figures(training_figures.run_figures(config)),
        "cards": page.cards(),
        "leaks": page.leaks(),
        "runs": page.runs(),
    }
    return parts | {"missing": page.notes, "limits": gaps.limits(config)}
