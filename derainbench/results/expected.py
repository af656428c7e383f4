"""Which tables and figures the results of a configuration consist of.

The workflow promises these files; the modules of the report that write them are held to it, because
a rule whose output is missing fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from derainbench.catalog.papers import FIGURE_KINDS, TABLE_KINDS, Paper

if TYPE_CHECKING:
    from derainbench.config.schema import Config

# In the order of the report.
TABLES = (
    "claims",
    "coverage",
    "papers",
    "quality",
    "comparison",
    "paired",
    "protocols",
    "seeds",
    "equivalence",
    "selection",
    "realrain",
    "complexity",
    "equal_quality",
    "quality_energy",
    "savings",
    "break_even",
    "structure",
    "crosscheck",
    "estimators",
    "joules",
)


def spiking_runs(config: Config) -> list[str]:
    """The runs of spiking models that are tested on paired images, ablations apart."""
    return list(dict.fromkeys(run for run, _, _ in config.spiking()))


def energy_figures(config: Config, papers: list[Paper]) -> list[str]:
    """Names of the figures on energy: one of all runs, one or two per paper, three per spiking run."""
    kinds = ("energy-by-block", "firing-rates", "scenarios")
    names = ["quality-energy"]
    for paper in papers:
        names.append(f"break-even-{paper.name}")
        names += [f"cache-sensitivity-{paper.name}"] * bool(paper.counterpart)
    return names + [f"{kind}-{run}" for run in spiking_runs(config) for kind in kinds]


def spike_figures(config: Config) -> list[str]:
    """Names of the figures on spikes: two per run of a spiking model."""
    kinds = ("membrane-potentials", "rain-spikes")
    return [f"{kind}-{run}" for run in spiking_runs(config) for kind in kinds]


def trained_runs(config: Config) -> list[str]:
    """The runs that are trained, ablations apart."""
    return [name for name, run in config.runs.items() if run.train and not run.ablation]


def training_figures(config: Config) -> list[str]:
    """Names of the figures of trainings: one per run that is trained."""
    return [f"training-{run}" for run in trained_runs(config)]


def verdict_figures(papers: list[Paper]) -> list[str]:
    """Names of the figures of verdicts: that of all papers, and one per paper."""
    return ["papers", *(f"verdicts-{paper.name}" for paper in papers)]


def paper_tables(paper: Paper) -> list[str]:
    """Names of a paper's tables; all of them can always be made."""
    return [name for name, a in paper.artefacts.items() if a.kind in TABLE_KINDS]


def paper_figures(config: Config, paper: Paper) -> list[str]:
    """Names of a paper's figures that a configuration has something for."""
    without = set()
    if not any(config.runs[run].network == paper.network for run in spiking_runs(config)):
        without.add("patch")
    if not config.real_rain():
        without.add("photographs")
    kinds = set(FIGURE_KINDS) - without
    return [name for name, a in paper.artefacts.items() if a.kind in kinds]
