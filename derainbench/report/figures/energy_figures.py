"""The figures on energy: their files, and what the page says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from derainbench.audit.equal_quality import Scores, psnr_of_runs, quality_columns, quality_pair
from derainbench.catalog.audited_papers import AuditedPaper, read_audited_paper
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.model_cards import model_card
from derainbench.config.schema import Config
from derainbench.energy.blocks import energy_by_block
from derainbench.energy.records import TABLE_SIZE
from derainbench.foundation import provenance
from derainbench.foundation.outputs import staged_folder
from derainbench.report.figures import (
    break_even,
    cache_sensitivity,
    firing_rates,
    quality_energy,
    scenario_matrix,
)
from derainbench.report.figures import (
    energy_by_block as by_block,
)
from derainbench.report.figures.energy_by_block import Counterpart
from derainbench.report.figures.marking import marked
from derainbench.report.figures.page_figure import PageFigure
from derainbench.report.figures.style import save, style
from derainbench.report.tables.qualities import mean_psnr, psnr_text
from derainbench.results.accounts import read_account
from derainbench.results.layout import layout_of
from derainbench.results.runs import RunVariant, counterpart_run, run_variants
from derainbench.results.scenarios import read_scenarios

VERB = "energy-figures"
QUALITY = "quality-energy"


def spiking_variants(config: Config) -> list[RunVariant]:
    """The first variant of every run that computes with spikes."""
    spiking = {run for run, _, _ in config.spiking()}
    first: dict[str, RunVariant] = {}
    for entry in run_variants(config):
        if entry.run in spiking:
            first.setdefault(entry.run, entry)
    return list(first.values())


def write_figures(config: Config, out: Path) -> None:
    """Writes ``quality-energy``, ``energy-by-block-<run>``, ``firing-rates-<run>`` and
    ``scenarios-<run>`` of every spiking run, ``break-even-<paper>`` of every paper, and
    ``cache-sensitivity-<paper>`` of every one whose network has an ANN counterpart.

    Each as pdf, png and svg, all or nothing.

    Raises:
        BenchError: if an account or ``scenarios/*.csv`` is missing.
    """
    settings = {"configuration": config.name}
    with style(), staged_folder(out) as stage:
        figures = ((QUALITY, quality_energy.quality_energy_figure(config)),)
        for name, figure in (*figures, *_figures_of_runs(config), *_figures_of_papers(config)):
            save(figure, stage / name)
            provenance.write_record(stage / f"{name}.svg", settings=settings)


def _figures_of_runs(config: Config) -> Iterator[tuple[str, Figure]]:
    layout, saved = layout_of(config), read_scenarios(config, "savings")
    saved = saved[(saved["source"] == "measured") & (saved["costs"] == DEFAULT_COSTS)]
    saved = saved.join(quality_columns(config, saved).drop(columns=["low", "high"]))
    scores, psnr, protocol = psnr_of_runs(config), mean_psnr(config), config.figures.protocol
    for entry in spiking_variants(config):
        folder = layout.account(entry.run, entry.variant)
        account, layers, _ = read_account(folder)
        title = marked(
            config,
            f"{entry.title} ({entry.weights}, {entry.variant})\n"
            f"{account['images']} images of {entry.spec.test[0]}, {account['size'][0]} pixels square",
        )
        other = counterpart_run(config, entry)
        quality = psnr_text(psnr.get((entry.run, entry.spec.test[0])))
        quality = f"PSNR {quality} dB ({protocol})".replace("PSNR no scores dB", "no scores")
        compared = _counterpart(config, scores, entry, other) if other else None
        yield (
            f"energy-by-block-{entry.run}",
            by_block.block_figure(
                energy_by_block(folder),
                compared,
                f"{title}; {quality}; scenario (c), {DEFAULT_COSTS}",
            ),
        )
        yield f"firing-rates-{entry.run}", firing_rates.rate_figure(layers, title)
        of_run = saved["name"] == f"{entry.run}/{entry.variant}"
        yield (
            f"scenarios-{entry.run}",
            scenario_matrix.matrix_figure(
                saved[of_run],
                f"{title}; {quality}; {DEFAULT_COSTS}; 2.0x: takes twice as much",
            ),
        )


def _counterpart(
    config: Config, scores: Scores, entry: RunVariant, other: RunVariant
) -> Counterpart | None:
    """The ANN counterpart's blocks beside a run's; nothing where either was not scored."""
    keys = [(e.run, entry.spec.test[0]) for e in (entry, other)]
    if not all(key in scores for key in keys):
        return None
    pair = quality_pair(scores[keys[0]], scores[keys[1]])
    if pair.why_not:
        return None
    blocks = energy_by_block(layout_of(config).account(other.run, other.variant))
    return Counterpart(blocks, pair.psnr_baseline, pair.equal_quality)


def _figures_of_papers(config: Config) -> Iterator[tuple[str, Figure]]:
    energies = read_scenarios(config, "energy")
    for paper in map(read_audited_paper, config.paper_names):
        network, size = model_card(paper.network).title, f"{TABLE_SIZE}x{TABLE_SIZE}"
        title = f"{network} at full size, one {size} image, from the structure; {DEFAULT_COSTS}"
        rates = _measured_rates(config, paper)
        yield (
            _break_even_name(paper),
            break_even.break_even_figure(energies, paper, rates, title),
        )
        if paper.counterpart:
            sensitivity = read_scenarios(config, "sensitivity")
            yield (
                _cache_name(paper),
                cache_sensitivity.cache_figure(sensitivity, paper.network, rates, title),
            )


def _break_even_name(paper: AuditedPaper) -> str:
    return f"break-even-{paper.name}"


def _cache_name(paper: AuditedPaper) -> str:
    return f"cache-sensitivity-{paper.name}"


def _measured_rates(config: Config, paper: AuditedPaper) -> dict[str, float]:
    """Firing rates of the first variant of every run of a paper's network, by title."""
    rates = {}
    for entry in spiking_variants(config):
        if entry.spec.network == paper.network:
            account, _, _ = read_account(layout_of(config).account(entry.run, entry.variant))
            rates[entry.title] = account["mean"]["firing_rate"]
    return rates


def quality_energy_page_figure(config: Config) -> PageFigure:
    """What the page says of the main figure, PSNR against energy."""
    inputs = ("scenarios/energy.csv", "scenarios/savings.csv", "scores/*/*/*/per_image.csv")
    title = "PSNR against energy"
    return PageFigure(VERB, QUALITY, title, quality_energy.caption(config), inputs)


def break_even_figures(config: Config) -> Iterator[PageFigure]:
    """What the page says of the figures by firing rate and by cache: one or two per paper."""
    for paper in map(read_audited_paper, config.paper_names):
        network = model_card(paper.network).title
        title = f"{network}: energy saved against firing rate"
        inputs = ("scenarios/energy.csv",)
        yield PageFigure(VERB, _break_even_name(paper), title, break_even.CAPTION, inputs)
        if paper.counterpart:
            title = f"{network}: energy over its ANN counterpart's against the size of caches"
            inputs = ("scenarios/sensitivity.csv",)
            yield PageFigure(VERB, _cache_name(paper), title, cache_sensitivity.CAPTION, inputs)


def run_figures(config: Config) -> Iterator[PageFigure]:
    """What the page says of the figures on the energy of runs."""
    for entry in spiking_variants(config):
        folder = f"energy/{entry.run}/{entry.variant}"
        yield PageFigure(
            VERB,
            f"energy-by-block-{entry.run}",
            f"{entry.title}: where its energy goes",
            by_block.CAPTION,
            (f"{folder}/*.csv",),
        )
        yield PageFigure(
            VERB,
            f"firing-rates-{entry.run}",
            f"{entry.title}: firing rates",
            firing_rates.CAPTION,
            (f"{folder}/layers.csv",),
        )
        yield PageFigure(
            VERB,
            f"scenarios-{entry.run}",
            f"{entry.title}: energy saved under every scenario",
            scenario_matrix.CAPTION,
            ("scenarios/savings.csv",),
        )
