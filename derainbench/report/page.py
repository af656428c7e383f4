"""The report: one HTML file that opens from disk, everything inside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2

from derainbench import __version__, provenance
from derainbench.config import Config
from derainbench.data.leaks import NEAR
from derainbench.evaluation.protocols import PROTOCOLS
from derainbench.files import write_text
from derainbench.report import collect, datasets, energy
from derainbench.report.figures import published_points
from derainbench.report.tables import all_tables

BANNERS = {
    "smoke": (
        "SMOKE configuration: generated rain, small networks, minutes of training. It shows that "
        "the pipeline works; its numbers say nothing about the paper's accuracy."
    ),
    "study": (
        "Scaled-down study: small networks and part of the images. It cannot confirm or refute "
        "the paper's full-size scores."
    ),
    "paper": "The paper's protocol at full size.",
}
PUBLISHED = (
    " Dashed circles are published numbers, of unknown protocol: ESDNet at its counted size and at "
    "the published one (catalog/published_points names the sources)."
)
NUMERIC = r"[-+]?\d[-+\d.,/±%\[\] ]*"  # cells that are aligned to the right
MIME = {".png": "image/png", ".svg": "image/svg+xml"}


def data_uri(path: Path) -> str:
    """An image file as a ``data:`` address."""
    content = base64.b64encode(path.read_bytes()).decode()
    return f"data:{MIME[path.suffix]};base64,{content}"


def runs(config: Config) -> list[dict[str, Any]]:
    """Provenance of every set of weights and every score file, for the report's last section."""
    rows = []
    for entry in collect.entries(config):
        folders = [(d, collect.score_folder(config, entry, d)) for d in entry.spec.test]
        weights = Path(config.results) / "runs" / entry.run / entry.variant
        records = [("weights", weights / "model.safetensors")] if entry.spec.train else []
        records += [(f"scores on {d}", folder / "per_image.csv") for d, folder in folders]
        for what, file in records:
            record = collect.read_json(file.with_name(file.name + ".provenance.json"))
            rows.append(
                {
                    "title": entry.title,
                    "variant": entry.variant,
                    "what": what,
                    "file": str(file.relative_to(config.results)),
                    **record,
                }
            )
    return rows


def _figure(folder: Path, name: str, title: str, caption: str) -> dict[str, Any]:
    """A figure that lies in the folder as svg, pdf and png."""
    return {
        "title": title,
        "caption": caption,
        "source": data_uri(folder / f"{name}.svg"),
        "files": [f"figures/{name}.{kind}" for kind in ("pdf", "png", "svg")],
    }


def _audit_figures(config: Config) -> Iterator[tuple[str, str, str]]:
    """Name, title and caption of the figures on energy and spikes."""
    yield (
        "break-even",
        "Energy saved against firing rate",
        "Full-size ESDNet against ANN derainers, from the structure alone. A dot and a line down "
        "mark the break-even rate; where there is none, no firing rate makes it cheaper. Grey "
        "bands: measured rates of other networks, for orientation.",
    )
    for entry in energy.spiking_entries(config):
        name = entry.title
        yield (
            f"energy-by-block-{entry.run}",
            f"{name}: where its energy goes",
            "By block, in the order of computation; outlines: all the energy of the ANN twin.",
        )
        yield (
            f"firing-rates-{entry.run}",
            f"{name}: firing rates",
            "Of the inputs of all layers on spikes, by time step; bars: standard deviation over "
            "images.",
        )
        yield (
            f"scenarios-{entry.run}",
            f"{name}: energy saved under every scenario",
            "Reuse: what is constant over the time steps is computed once. Skip 0: products with a "
            "zero activation cost nothing, in ANNs too.",
        )
        yield (
            f"fig2-{entry.run}",
            f"{name}: rain and clean patch (the paper's Fig. 2)",
            "Where it rains most: pixels, membrane potentials before firing, spike rates.",
        )
        yield (
            f"rain-spikes-{entry.run}",
            f"{name}: do rain pixels cause more spikes?",
            "Difference in spike rate at every depth, over the test set. Hollow: undecided.",
        )


def _shared_backgrounds(config: Config) -> Path | None:
    """The picture of shared backgrounds, if there are any."""
    folder = Path(config.results) / "leaks"
    counts = collect.read_json(folder / "leaks.json")["comparisons"]
    found = any(c["exact"] or c["near"] for c in counts)
    return folder / "leaks.png" if found else None


def write_page(config: Config, out: Path) -> Path:
    """Writes ``out/index.html``, whole or not at all.

    Returns:
        Path of the page.

    Raises:
        BenchError: if a file that the page shows is missing.
    """
    figures = Path(config.results) / "figures"
    protocol = PROTOCOLS[config.figures.protocol]
    shown = [
        {
            "title": "Parameters against PSNR",
            "caption": (
                f"PSNR on the {config.figures.dataset} test images, protocol {protocol.name}: "
                f"{protocol.description}. A circle's area is proportional to the dense "
                "multiply-accumulates (MACs) of one 256x256 image, all time steps counted."
                f"{'' if published_points(config).empty else PUBLISHED}"
            ),
            "source": data_uri(figures / "pareto.svg"),
            "files": [f"figures/pareto.{kind}" for kind in ("pdf", "png", "svg")],
        },
        {
            "title": "Images side by side",
            "caption": (
                f"Test images spread over {config.figures.dataset}; below each its PSNR, "
                f"protocol {protocol.name}."
            ),
            "source": data_uri(figures / f"strip-{config.figures.dataset}.png"),
            "files": [f"figures/strip-{config.figures.dataset}.png"],
        },
    ]
    shown += [_figure(figures, *parts) for parts in _audit_figures(config)]
    templates = resources.files("derainbench.report").joinpath("templates")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.tests["numeric"] = lambda cell: re.fullmatch(NUMERIC, cell) is not None
    template = environment.from_string(templates.joinpath("index.html").read_text("utf-8"))
    html = template.render(
        config=config,
        banner=BANNERS[config.label],
        tables=all_tables(config),
        figures=shown,
        cards=datasets.cards(config),
        leaks=datasets.leaks(config),
        shared=_shared_backgrounds(config),
        data_uri=data_uri,
        near=NEAR,
        protocols=PROTOCOLS.values(),
        runs=runs(config),
        record=provenance.record(),
        version=__version__,
    )
    page = out / "index.html"
    write_text(page, html)
    return page
