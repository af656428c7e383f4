"""The figures on scores, Pareto and image strip: their files, and what the page says of them."""

from __future__ import annotations

from pathlib import Path

from derainbench.config.schema import Config
from derainbench.foundation import provenance, reads
from derainbench.foundation.outputs import staged_folder
from derainbench.report.figures import pareto, strip
from derainbench.report.figures.page_figure import PageFigure
from derainbench.report.figures.style import save, style

VERB = "figures"


def write_figures(config: Config, out: Path, images: bool = True) -> None:
    """Writes ``pareto.{pdf,png,svg}`` and ``strip-<dataset>.png``, all or nothing.

    Args:
        config: whose results.
        out: folder.
        images: whether those of the data sets are at hand; without them there is no strip.
    """
    settings = {"configuration": config.name}
    with style(), staged_folder(out) as stage:
        with reads.recording():
            save(pareto.pareto(config), stage / "pareto")
            provenance.write_record(stage / "pareto.svg", settings=settings)
        if images:
            name = _strip_name(config)
            save(strip.strip(config), stage / name, ("png",))
            provenance.write_record(stage / f"{name}.png", settings=settings)


def _strip_name(config: Config) -> str:
    return f"strip-{config.figures.dataset}"


def pareto_figure(config: Config) -> PageFigure:
    """What the page says of the Pareto figure."""
    inputs = ("scores/*/*/*/per_image.csv", "energy/*/*/energy.json")
    title = "Parameters against PSNR"
    return PageFigure(VERB, "pareto", title, pareto.caption(config), inputs)


def strip_figure(config: Config) -> PageFigure:
    """What the page says of the strip of images."""
    inputs = (f"scores/*/*/{config.figures.dataset}/per_image.csv",)
    title = "Images side by side"
    return PageFigure(VERB, _strip_name(config), title, strip.caption(config), inputs)
