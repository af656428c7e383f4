"""All tables, and their files: CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from derainbench.config.schema import Config
from derainbench.foundation import provenance, reads
from derainbench.foundation.files import write_text
from derainbench.foundation.frames import as_markdown, markdown_text
from derainbench.foundation.outputs import staged_folder
from derainbench.report.tables import statistics
from derainbench.report.tables.break_even import break_even
from derainbench.report.tables.claims import claims
from derainbench.report.tables.comparison import comparison
from derainbench.report.tables.complexity import complexity
from derainbench.report.tables.coverage import coverage
from derainbench.report.tables.crosscheck import crosscheck
from derainbench.report.tables.equal_quality import equal_quality
from derainbench.report.tables.estimators import estimators
from derainbench.report.tables.joules import joules
from derainbench.report.tables.latex import latex
from derainbench.report.tables.papers import papers
from derainbench.report.tables.quality import quality
from derainbench.report.tables.quality_energy import quality_energy
from derainbench.report.tables.real_rain import real_rain
from derainbench.report.tables.savings import savings
from derainbench.report.tables.structure import structure
from derainbench.report.tables.table import Table

# In the order of the report.
BUILDERS: dict[str, Callable[[Config], Table]] = {
    "claims": claims,
    "coverage": coverage,
    "papers": papers,
    "quality": quality,
    "comparison": comparison,
    **{build.__name__: build for build in statistics.BUILDERS},
    "realrain": real_rain,
    "complexity": complexity,
    "equal_quality": equal_quality,
    "quality_energy": quality_energy,
    "savings": savings,
    "break_even": break_even,
    "structure": structure,
    "crosscheck": crosscheck,
    "estimators": estimators,
    "joules": joules,
}


def write_tables(config: Config, out: Path, without: Collection[str] = ()) -> None:
    """Writes every table as ``NAME.csv``, ``NAME.md`` and ``NAME.tex``, all or nothing.

    Args:
        config: whose results.
        out: folder.
        without: tables to leave out, because what they are computed from is not at hand.
    """
    with staged_folder(out) as stage:
        for name, build in BUILDERS.items():
            if name in without:
                continue
            with reads.recording():
                _write_table(config, _naming_failed(build(config), config), stage)


def _naming_failed(table: Table, config: Config) -> Table:
    """The table with what is missing in it in its caption."""
    if not config.without:
        return table
    failed = "; ".join(f"{run} ({reason})" for run, reason in config.without.items())
    return replace(table, caption=f"{table.caption} Missing: {failed}.")


def _write_table(config: Config, table: Table, stage: Path) -> None:
    csv = table.frame.to_csv(index=False, float_format="%.8g")
    write_text(stage / f"{table.name}.csv", csv)
    markdown = as_markdown(table.view, disable_numparse=True)
    write_text(stage / f"{table.name}.md", f"{markdown_text(table.caption)}\n\n{markdown}\n")
    label = f"tab:{config.name}-{table.name}"
    write_text(stage / f"{table.name}.tex", latex(table, label))
    provenance.write_record(stage / f"{table.name}.csv", settings={"configuration": config.name})
