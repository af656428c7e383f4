"""The figures on spikes: their files, and what the page says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from derainbench.catalog.papers import called, read_paper
from derainbench.config.schema import Config
from derainbench.foundation import provenance
from derainbench.foundation.outputs import staged_folder
from derainbench.report.figures import membrane_potentials, spikes_by_depth
from derainbench.report.figures.marking import marked
from derainbench.report.figures.page_figure import PageFigure
from derainbench.report.figures.style import save, style
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json, read_table
from derainbench.results.runs import RunVariant, run_variants

VERB = "spike-figures"
MEMBRANE = "membrane-potentials"  # figures of a patch of an image


def _first_variants(config: Config) -> list[tuple[RunVariant, str]]:
    """The first variant of every spiking run, and the set on which its spikes were looked at."""
    entries = {(e.run, e.variant): e for e in run_variants(config)}
    first = {run: (variant, dataset) for run, variant, dataset in reversed([*config.spiking()])}
    return [(entries[run, variant], dataset) for run, (variant, dataset) in first.items()]


def write_figures(config: Config, out: Path, images: bool = True) -> None:
    """Writes ``membrane-potentials-<run>`` and ``rain-spikes-<run>`` of every spiking run's first
    variant.

    Each as pdf, png and svg, all or nothing.

    Args:
        config: whose results.
        out: folder.
        images: whether the patches of images are at hand; without, there are no membrane potentials.

    Raises:
        BenchError: if a file of ``derainbench spikes`` is missing.
    """
    settings = {"configuration": config.name}
    with style(), staged_folder(out) as stage:
        for entry, dataset in _first_variants(config):
            folder = layout_of(config).spikes(entry.run, entry.variant)
            pairs = read_json(folder / "spikes.json")["images"]
            title = f"{entry.title} ({entry.weights}, {entry.variant}) on {dataset} test"
            title = marked(config, title)
            depths = read_table(folder / "depth.csv")
            figures = {
                f"rain-spikes-{entry.run}": spikes_by_depth.by_depth(
                    depths, f"{title}, {pairs} pairs"
                )
            }
            if images:
                patch = membrane_potentials.read_patch(folder / "patch.npz")
                maps = membrane_potentials.heat_maps(patch, title)
                figures[f"{MEMBRANE}-{entry.run}"] = maps
            for name, figure in figures.items():
                save(figure, stage / name)
                provenance.write_record(stage / f"{name}.svg", settings=settings)


def run_figures(config: Config) -> Iterator[PageFigure]:
    """What the page says of the figures on the spikes of runs."""
    for entry, _ in _first_variants(config):
        folder = f"spikes/{entry.run}/*"
        yield PageFigure(
            VERB,
            f"{MEMBRANE}-{entry.run}",
            f"{entry.title}: rain and clean patch{_as_in_papers(config, entry)}",
            membrane_potentials.CAPTION,
            (f"{folder}/patch.npz",),
        )
        yield PageFigure(
            VERB,
            f"rain-spikes-{entry.run}",
            f"{entry.title}: do rain pixels cause more spikes?",
            spikes_by_depth.CAPTION,
            (f"{folder}/depth.csv", f"{folder}/spikes.json"),
        )


def _as_in_papers(config: Config, entry: RunVariant) -> str:
    """`` (Fig. 2 of NAME's paper)``, if the paper on the run's network has such a figure."""
    figures = [
        f"{called(name)} of {paper.method}'s paper"
        for paper in map(read_paper, config.paper_names)
        if paper.network == entry.spec.network
        for name in paper.artefacts_of_kind("patch")
    ]
    return f" ({', '.join(figures)})" if figures else ""
