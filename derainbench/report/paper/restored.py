"""Figures of a paper that show restored images: of a paired set, and of photographs of real rain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from derainbench.catalog.papers import Paper
from derainbench.config.schema import Config
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.foundation.errors import BenchError
from derainbench.metrics.no_reference import METRICS
from derainbench.report.figures.enlarged_window import Panel, compare, distance, window
from derainbench.report.figures.marking import marked
from derainbench.report.paper.cells import shows
from derainbench.report.paper.published import set_name
from derainbench.report.tables.table import RAINY
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table
from derainbench.results.runs import RunVariant, run_variants
from derainbench.results.scores import read_scores


def restored(config: Config, paper: Paper, artefact: str) -> tuple[Figure, str]:
    """Rainy, restored and clean image of a paired set, and a caption.

    Shown is the image whose mean PSNR over the methods is the median, and the window in which the
    restored images are furthest from the ground truth on average: neither favours a method.

    Raises:
        BenchError: if images or scores are missing.
    """
    paired = [d for d in config.datasets if config.paired(d) and _shown(config, d)]
    dataset = next(iter(_of_paper(config, paper, artefact, paired)), config.figures.dataset)
    protocol = config.figures.protocol
    scores = read_scores(config)
    scores = scores[(scores["dataset"] == dataset) & (scores["protocol"] == protocol)]
    order = scores.groupby("image")["psnr"].mean().sort_values(kind="stable")
    name = str(order.index[(len(order) - 1) // 2])
    pairs = {pair.name: pair for pair in read_split(_test_folder(config, dataset)).pairs}
    clean = pairs[name].target if name in pairs else None
    if clean is None:
        raise BenchError(f"{dataset}: {name} was scored but is not among the test images")
    of_image = scores[scores["image"] == name]
    first = of_image.iloc[0]
    rainy, target = read_rgb(pairs[name].input), read_rgb(clean)
    panels = [Panel(RAINY, rainy, _score(first["psnr_input"], first["ssim_input"]))]
    titles = _titles(_shown(config, dataset))
    for entry in _shown(config, dataset):
        one = of_image[(of_image["run"] == entry.run) & (of_image["variant"] == entry.variant)]
        caption = _score(one["psnr"].iloc[0], one["ssim"].iloc[0])
        panels.append(Panel(titles[entry.run], _image(config, entry, dataset, name), caption))
    distances = [distance(panel.image, target) for panel in panels[1:]]
    panels.append(Panel("Ground truth", target, ""))
    title = f"{dataset} test, {name}; PSNR / SSIM in protocol {protocol}"
    text = (
        f"{dataset} test, {name}: the image whose mean PSNR over the methods is the median; below "
        f"each PSNR (dB) / SSIM of the whole image, protocol {protocol}. Enlarged: the window in "
        "which the restored images are furthest from the ground truth on average."
    )
    figure = compare(panels, window(np.mean(distances, axis=0)), marked(config, title))
    return figure, text + shows(paper, artefact)


def photographs(config: Config, paper: Paper, artefact: str) -> tuple[Figure, str]:
    """A photograph of real rain and its restored versions, and a caption.

    Shown is the middle one of the set, and the window that the methods change most on average.

    Raises:
        BenchError: if there is no such photograph, or images are missing.
    """
    sets = [d for d in config.real_rain() if _shown(config, d)]
    if not sets:
        raise BenchError(f"configuration '{config.name}' has no photographs of real rain")
    dataset = next(iter(_of_paper(config, paper, artefact, sets)), sets[0])
    pairs = read_split(_test_folder(config, dataset), need_target=False).pairs
    pair = pairs[(len(pairs) - 1) // 2]
    layout = layout_of(config)
    rainy = read_rgb(pair.input)
    panels = [Panel(RAINY, rainy, _ratings(layout.no_reference_input(dataset), pair.name))]
    titles = _titles(_shown(config, dataset))
    for entry in _shown(config, dataset):
        caption = _ratings(layout.no_reference(entry.run, entry.variant, dataset), pair.name)
        panels.append(Panel(titles[entry.run], _image(config, entry, dataset, pair.name), caption))
    changes = [distance(panel.image, rainy) for panel in panels[1:]]
    title = f"{dataset}, {pair.name}: no ground truth"
    text = (
        f"{dataset}, {pair.name}, the middle one of {len(pairs)} photographs of real rain, without "
        "ground truth; below each its no-reference scores, lower is better, where they could be "
        "computed. Enlarged: the window that the methods change most on average."
    )
    figure = compare(panels, window(np.mean(changes, axis=0)), marked(config, title))
    return figure, text + shows(paper, artefact)


def _of_paper(config: Config, paper: Paper, artefact: str, datasets: list[str]) -> list[str]:
    """Those data sets that the paper's figure shows, in its order."""
    sets = paper.artefacts[artefact].sets
    known = [dataset for dataset in datasets if set_name(config, dataset) in sets]
    return sorted(known, key=lambda dataset: sets.index(set_name(config, dataset)))


def _score(psnr: float, ssim: float) -> str:
    return f"{psnr:.2f} dB / {ssim:.4f}"


def _shown(config: Config, dataset: str) -> list[RunVariant]:
    """The first variant of every run that was tested on a set."""
    first: dict[str, RunVariant] = {}
    for entry in run_variants(config):
        if dataset in entry.spec.test:
            first.setdefault(entry.run, entry)
    return list(first.values())


def _titles(entries: list[RunVariant]) -> dict[str, str]:
    """Titles by run; where two runs have the same, the run says which weights."""
    titles = [entry.title for entry in entries]
    return {
        e.run: e.title if titles.count(e.title) == 1 else f"{e.title} ({e.run})" for e in entries
    }


def _test_folder(config: Config, dataset: str) -> Path:
    return Path(config.split_folder(dataset, "test"))


def _image(config: Config, entry: RunVariant, dataset: str, name: str) -> np.ndarray:
    folder = layout_of(config).scores(entry.run, entry.variant, dataset) / "images"
    return read_rgb((folder / name).with_suffix(".png"))


def _ratings(file: Path, name: str) -> str:
    """``NIQE 3.21`` and so on, a line each; metrics that could not run are left out."""
    table = read_table(file)
    of_image = table[table["image"].str.rsplit(".", n=1).str[0] == Path(name).stem]
    scores = dict(zip(of_image["metric"], of_image["score"].astype(float), strict=True))
    known = [(metric.title, scores.get(metric.name, np.nan)) for metric in METRICS]
    return "\n".join(f"{title} {score:.2f}" for title, score in known if np.isfinite(score))
