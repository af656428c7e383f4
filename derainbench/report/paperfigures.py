"""The paper's Figs. 1, 2, 4 and 5: Pareto, rain and clean patch, restored images side by side."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image
from scipy.ndimage import uniform_filter

from derainbench.config import Config
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.errors import BenchError
from derainbench.evaluation.noreference import METRICS
from derainbench.report import collect, figures, paperfacts
from derainbench.report.paperfacts import paper
from derainbench.report.style import KINDS

COLUMNS = 6  # panels per row
WINDOW = 5  # the enlarged window's side is this part of the image's shorter one
SIDE = 1.55  # inches; width of a panel
LARGEST = 180  # pixels; whole images are shown smaller than they are, so that files stay small


@dataclass(frozen=True)
class Panel:
    """One image of a comparison: uint8 [H,W,3], what made it, and its scores in a line or two."""

    title: str
    image: np.ndarray
    caption: str


def pareto(config: Config) -> tuple[Path, str]:
    """Fig. 1: where `derainbench figures` drew parameters against PSNR, and its caption.

    Raises:
        BenchError: if it has not been drawn.
    """
    dataset, protocol = config.figures.dataset, config.figures.protocol
    text = (
        f"PSNR on {dataset} test, protocol {protocol}, against parameters; a circle's area is "
        "proportional to the dense MACs of one 256x256 image, all time steps counted. Filled: run "
        "here."
    )
    if not figures.published_points(config).empty:
        text += " Dashed: published, of unknown protocol (catalog/published_points)."
    return _drawn(config, "pareto"), f"{text} The paper's figure shows Rain200L."


def patch(config: Config) -> tuple[Path, str]:
    """Fig. 2: where `derainbench spike-figures` drew a rain and a clean patch, and its caption.

    Raises:
        BenchError: if no spiking network is run, or it has not been drawn.
    """
    found = list(config.spiking())
    if not found:
        raise BenchError(f"configuration '{config.name}' runs no spiking network on paired images")
    on_figures_set = [f for f in found if f[2] == config.figures.dataset]
    run, variant, dataset = (on_figures_set or found)[0]
    return _drawn(config, f"fig2-{run}"), (
        f"{config.runs[run].title or run}, {variant}, on {dataset} test: where it rains most, "
        "pixels, luminance, membrane potentials before firing at every time step (mean over "
        "channels), and spikes per neuron and step; above with rain, below the clean counterpart."
    )


def _drawn(config: Config, name: str) -> Path:
    """Files of another stage, without their suffixes."""
    stem = Path(config.results) / "figures" / name
    for kind in KINDS:
        if not stem.with_name(f"{name}.{kind}").is_file():
            raise BenchError(f"{stem}.{kind}: missing; run snakemake with this configuration first")
    return stem


def restored(config: Config) -> tuple[Figure, str]:
    """Fig. 4: rainy, restored and clean image of a paired set, and its caption.

    Shown is the image whose mean PSNR over the methods is the median, and the window in which the
    restored images are furthest from the ground truth on average: neither favours a method.

    Raises:
        BenchError: if images or scores are missing.
    """
    dataset, protocol = _paired_set(config), config.figures.protocol
    scores = collect.scores(config)
    scores = scores[(scores["dataset"] == dataset) & (scores["protocol"] == protocol)]
    order = scores.groupby("image")["psnr"].mean().sort_values(kind="stable")
    name = order.index[(len(order) - 1) // 2]
    pairs = {pair.name: pair for pair in read_split(_test_folder(config, dataset)).pairs}
    if name not in pairs:
        raise BenchError(f"{dataset}: {name} was scored but is not among the test images")
    of_image = scores[scores["image"] == name]
    first = of_image.iloc[0]
    rainy, target = read_rgb(pairs[name].input), read_rgb(pairs[name].target)
    panels = [Panel("Rainy input", rainy, _score(first["psnr_input"], first["ssim_input"]))]
    titles = _titles(_shown(config, dataset))
    for entry in _shown(config, dataset):
        own = of_image[(of_image["run"] == entry.run) & (of_image["variant"] == entry.variant)]
        caption = _score(own["psnr"].iloc[0], own["ssim"].iloc[0])
        panels.append(Panel(titles[entry.run], _restored(config, entry, dataset, name), caption))
    distances = [_distance(panel.image, target) for panel in panels[1:]]
    panels.append(Panel("Ground truth", target, ""))
    title = f"{_smoke(config)}{dataset} test, {name}; PSNR / SSIM in protocol {protocol}"
    return compare(panels, window(np.mean(distances, axis=0)), title), (
        f"{dataset} test, {name}: the image whose mean PSNR over the methods is the median; below "
        f"each PSNR (dB) / SSIM of the whole image, protocol {protocol}. Enlarged: the window in "
        f"which the restored images are furthest from the ground truth on average. The paper's "
        f"figure shows {paper().heavy}."
    )


def photographs(config: Config) -> tuple[Figure, str]:
    """Fig. 5: a photograph of real rain and its restored versions, and its caption.

    Shown is the middle one of the set, and the window that the methods change most on average.

    Raises:
        BenchError: if there is no such photograph, or images are missing.
    """
    sets = [d for d in config.real_rain() if _shown(config, d)]
    if not sets:
        raise BenchError(f"configuration '{config.name}' has no photographs of real rain")
    known = [d for d in sets if paperfacts.set_name(config, d) == paper().real_rain]
    dataset = (known or sets)[0]
    pairs = read_split(_test_folder(config, dataset), need_target=False).pairs
    pair = pairs[(len(pairs) - 1) // 2]
    rated = Path(config.results) / "rated"
    rainy = read_rgb(pair.input)
    panels = [Panel("Rainy input", rainy, _ratings(rated / "input" / f"{dataset}.csv", pair.name))]
    titles = _titles(_shown(config, dataset))
    for entry in _shown(config, dataset):
        caption = _ratings(rated / entry.run / entry.variant / f"{dataset}.csv", pair.name)
        panels.append(
            Panel(titles[entry.run], _restored(config, entry, dataset, pair.name), caption)
        )
    changes = [_distance(panel.image, rainy) for panel in panels[1:]]
    title = f"{_smoke(config)}{dataset}, {pair.name}: no ground truth"
    return compare(panels, window(np.mean(changes, axis=0)), title), (
        f"{dataset}, {pair.name}, the middle one of {len(pairs)} photographs of real rain, without "
        "ground truth; below each its no-reference scores, lower is better, where they could be "
        "computed. Enlarged: the window that the methods change most on average. The paper's "
        f"figure shows {paper().real_rain}."
    )


def window(distance: np.ndarray) -> tuple[int, int, int]:
    """Where a map [H,W] is highest on average over a square: its top, left and side, in pixels."""
    height, width = distance.shape
    side = max(min(height, width) // WINDOW, 1)
    means = uniform_filter(distance, side, mode="constant")
    half = side // 2
    inside = means[half : half + height - side + 1, half : half + width - side + 1]
    top, left = np.unravel_index(np.argmax(inside), inside.shape)
    return int(top), int(left), side


def compare(panels: list[Panel], box: tuple[int, int, int], title: str) -> Figure:
    """Images in rows, each with a window framed and, below it, that window enlarged.

    Args:
        panels: images of one size.
        box: the window's top, left and side, in pixels.
        title: which images, and what the captions are.
    """
    top, left, side = box
    height, width = panels[0].image.shape[:2]
    rows = -(-len(panels) // COLUMNS)
    columns = -(-len(panels) // rows)
    tall, lines = SIDE * height / width, max(p.caption.count("\n") for p in panels) + 1
    titles = [textwrap.fill(panel.title, 22) for panel in panels]
    head = 0.08 + 0.13 * (max(title.count("\n") for title in titles) + 1)
    row_height = head + tall + SIDE + 0.14 + 0.13 * lines
    size = columns * (SIDE + 0.06), rows * row_height + 0.3
    figure = plt.figure(figsize=size)
    figure.suptitle(title, fontsize=9, y=1 - 0.05 / size[1], va="top")
    for number, (panel, text) in enumerate(zip(panels, titles, strict=True)):
        row, column = divmod(number, columns)
        x, y = column * (SIDE + 0.06), size[1] - 0.3 - row * row_height - head - tall
        whole = figure.add_axes((x / size[0], y / size[1], SIDE / size[0], tall / size[1]))
        y -= SIDE + 0.05
        close = figure.add_axes((x / size[0], y / size[1], SIDE / size[0], SIDE / size[1]))
        _show(whole, _smaller(panel.image), (0, width, height, 0))
        _show(close, panel.image[top : top + side, left : left + side])
        whole.set_title(text, fontsize=8, pad=3)
        for look in ({"color": "black", "linewidth": 2.4}, {"color": "white", "linewidth": 1}):
            whole.add_patch(Rectangle((left, top), side, side, fill=False, **look))
        close.set_xlabel(panel.caption, fontsize=7.5, labelpad=2)
    return figure


def _show(axes: Axes, image: np.ndarray, extent: tuple[int, ...] | None = None) -> None:
    axes.imshow(image, interpolation="none", extent=extent)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)


def _smaller(image: np.ndarray) -> np.ndarray:
    shrunk = Image.fromarray(image)
    shrunk.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return np.asarray(shrunk)


def _distance(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean absolute difference over the channels, [H,W]."""
    return np.abs(image.astype(float) - other.astype(float)).mean(axis=2)


def _score(psnr: float, ssim: float) -> str:
    return f"{psnr:.2f} dB / {ssim:.4f}"


def _smoke(config: Config) -> str:
    return "SMOKE: " if config.label == "smoke" else ""


def _paired_set(config: Config) -> str:
    """The set of the paper's Fig. 4 if it was tested, otherwise that of the figures."""
    for dataset in config.datasets:
        same = paperfacts.set_name(config, dataset) == paper().heavy
        if same and config.paired(dataset) and _shown(config, dataset):
            return dataset
    return config.figures.dataset


def _shown(config: Config, dataset: str) -> list[collect.Entry]:
    """The first variant of every run that was tested on a set."""
    found: dict[str, collect.Entry] = {}
    for entry in collect.entries(config):
        if dataset in entry.spec.test:
            found.setdefault(entry.run, entry)
    return list(found.values())


def _titles(entries: list[collect.Entry]) -> dict[str, str]:
    """Titles by run; where two runs have the same, the run says which weights."""
    titles = [entry.title for entry in entries]
    return {
        e.run: e.title if titles.count(e.title) == 1 else f"{e.title} ({e.run})" for e in entries
    }


def _test_folder(config: Config, dataset: str) -> Path:
    return Path(config.split_folder(dataset, "test"))


def _restored(config: Config, entry: collect.Entry, dataset: str, name: str) -> np.ndarray:
    folder = collect.score_folder(config, entry, dataset) / "images"
    return read_rgb((folder / name).with_suffix(".png"))


def _ratings(file: Path, name: str) -> str:
    """``NIQE 3.21`` and so on, a line each; metrics that could not run are left out."""
    table = collect.read_table(file)
    of_image = table[table["image"].str.rsplit(".", n=1).str[0] == Path(name).stem]
    found = of_image.set_index("metric")["score"]
    lines = [f"{m.title} {found[m.name]:.2f}" for m in METRICS if found.get(m.name) is not None]
    return "\n".join(line for line in lines if "nan" not in line)
