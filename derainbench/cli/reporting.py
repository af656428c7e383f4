"""Verbs that turn results into verdicts, tables, figures and pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import FILE, Out, ResolvedConfig, ToleranceFile, UsageError

app = typer.Typer()


@app.command()
def audit(
    config: ResolvedConfig,
    out: Out,
    paper: Annotated[
        list[str] | None, typer.Option("--paper", help="Ledger; repeatable; default: all.")
    ] = None,
) -> None:
    """A verdict on every claim of a paper: claims.csv, claims.json."""
    from derainbench.audit.verdicts import write
    from derainbench.config.schema import load

    found = write(load(config), out, paper)
    shown = found[["claim", "reading", "verdict", "reason"]]
    typer.echo(shown.to_markdown(index=False, disable_numparse=True))


@app.command()
def tables(config: ResolvedConfig, out: Out) -> None:
    """The quality and complexity tables as CSV, Markdown and LaTeX, from score and count files."""
    from derainbench.config.schema import load
    from derainbench.report.tables.writing import write_tables

    write_tables(load(config), out)


@app.command()
def figures(config: ResolvedConfig, out: Out) -> None:
    """The Pareto figure and the image strip, from score and count files."""
    from derainbench.config.schema import load
    from derainbench.report.figures.score_figures import write_figures

    write_figures(load(config), out)


@app.command("energy-figures")
def energy_figures(config: ResolvedConfig, out: Out) -> None:
    """PSNR against energy, energy by block, firing rates, saving by firing rate and scenario."""
    from derainbench.config.schema import load
    from derainbench.report.figures.energy_figures import write_figures

    write_figures(load(config), out)


@app.command("spike-figures")
def spike_figures(config: ResolvedConfig, out: Out) -> None:
    """Membrane potentials of a rain patch and firing rates by depth, from the files of `spikes`."""
    from derainbench.config.schema import load
    from derainbench.report.figures.spike_figures import write_figures

    write_figures(load(config), out)


@app.command("training-figures")
def training_figures(config: ResolvedConfig, out: Out) -> None:
    """Loss, PSNR and firing rates over the epochs of every training, from the files of `train`."""
    from derainbench.config.schema import load
    from derainbench.report.figures.training_figures import write_figures

    write_figures(load(config), out)


@app.command("verdict-figures")
def verdict_figures(config: ResolvedConfig, out: Out) -> None:
    """All papers side by side, and the verdicts on each on a slide, from the files of `audit`."""
    from derainbench.config.schema import load
    from derainbench.report.figures.verdict_figures import write_figures

    write_figures(load(config), out)


@app.command()
def paper(config: ResolvedConfig, out: Out) -> None:
    """Every paper's tables and figures, published beside reproduced; says what is missing."""
    from derainbench.config.schema import load
    from derainbench.report.paper.artefacts import write

    for name, reason in write(load(config), out).items():
        typer.echo(f"{name}: missing: {reason}")


@app.command()
def check(
    reference: Annotated[Path, typer.Argument(help="Folder of results to compare with.")],
    results: Annotated[Path, typer.Argument(help="Folder of results.")],
    tolerances: ToleranceFile = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="No wider tolerances for weights trained anew.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar=FILE, help="Markdown file to write as well."),
    ] = None,
) -> None:
    """Compares results with a reference and names each drift; exit code 1 if there is one."""
    from derainbench.audit import drift
    from derainbench.catalog.tolerances import load
    from derainbench.foundation import provenance
    from derainbench.foundation.files import write_text

    comparison = drift.compare(reference, results, load(tolerances), strict=strict)
    if out:
        write_text(out, drift.markdown(comparison))
        provenance.write_record(
            out, settings={"reference": str(reference), "results": str(results), "strict": strict}
        )
    for line in (*comparison.all_drifts(), *comparison.notes(), comparison.summary()):
        typer.echo(line)
    if comparison.all_drifts():
        raise typer.Exit(1)


@app.command()
def report(
    out: Out,
    config: Annotated[
        Path | None, typer.Option("--config", help="Benchmark configuration.")
    ] = None,
    diff: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--diff", metavar="A B", help="Two folders of results, side by side."),
    ] = None,
    tolerances: ToleranceFile = None,
) -> None:
    """index.html, from tables, figures and provenance records; or diff.html, of two folders."""
    if diff and config is None:
        from derainbench.catalog.tolerances import load as load_tolerances
        from derainbench.report.page.diff import write_diff

        typer.echo(write_diff(*diff, load_tolerances(tolerances), out))
        return
    if diff or config is None:
        raise UsageError("give either --config or --diff A B")
    from derainbench.config.schema import load
    from derainbench.report.page.writing import write_page

    typer.echo(write_page(load(config), out))
