"""Figures of a paper that other stages drew: parameters against PSNR, membrane potentials."""

from __future__ import annotations

from pathlib import Path

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.papers import Paper
from derainbench.config.schema import Config
from derainbench.foundation.errors import BenchError
from derainbench.report.figures.pareto import about_images_of_others, published_points
from derainbench.report.figures.style import KINDS
from derainbench.report.paper.cells import shows
from derainbench.results.layout import layout_of


def pareto(config: Config, paper: Paper, artefact: str) -> tuple[Path, str]:
    """Where `derainbench figures` drew parameters against PSNR, and a caption.

    Raises:
        BenchError: if it has not been drawn.
    """
    dataset, protocol = config.figures.dataset, config.figures.protocol
    text = (
        f"PSNR on {dataset} test, protocol {protocol}, against parameters; a circle's area is "
        "proportional to the dense MACs of one 256x256 image, all time steps counted. Filled: run "
        "here."
    )
    if not published_points(config).empty:
        text += (
            " Dashed: published, of unknown protocol (points.csv of the papers in the catalogue)."
        )
    text += about_images_of_others(config)
    return _drawn(config, "pareto"), text + shows(paper, artefact)


def patch(config: Config, paper: Paper, artefact: str) -> tuple[Path, str]:
    """Where `derainbench spike-figures` drew a rain and a clean patch, and a caption.

    Raises:
        BenchError: if the paper's network is not run, or it has not been drawn.
    """
    of_network = [
        (run, variant, dataset)
        for run, variant, dataset in config.spiking()
        if config.runs[run].network == paper.network
    ]
    if not of_network:
        title = model_card(paper.network).title
        raise BenchError(f"configuration '{config.name}' does not run {title} on paired images")
    on_figures_set = [run for run in of_network if run[2] == config.figures.dataset]
    run, variant, dataset = (on_figures_set or of_network)[0]
    text = (
        f"{config.runs[run].title or run}, {variant}, on {dataset} test: where it rains most, "
        "pixels, luminance, membrane potentials before firing at every time step (mean over "
        "channels), and spikes per neuron and step; above with rain, below the clean counterpart."
    )
    return _drawn(config, f"membrane-potentials-{run}"), text + shows(paper, artefact)


def _drawn(config: Config, name: str) -> Path:
    """Files of another stage, without their suffixes."""
    for kind in KINDS:
        file = layout_of(config).figure(name, kind)
        if not file.is_file():
            raise BenchError(f"{file}: missing; run snakemake with this configuration first")
    return layout_of(config).figures / name
