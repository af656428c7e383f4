"""The figures on scores, Pareto and image strip: their files, and what the page says of them."""

from __future__ import annotations

from pathlib import Path

from derainbench.config.schema import Config
from derainbench.foundation import provenance
from derainbench.foundation.outputs import staged_folder
from derainbench.report.figures import pareto, strip
from derainbench.report.figures.page_figure import PageFigure
from derainbench.report.figures.style import save, style

VERB = "figures"


def write_figures(config: Config, out: Path) -> None:
    """Writes ``pareto.{pdf,png,svg}`` and ``strip-<dataset>.png``, all or nothing."""
    with style(), staged_folder(out) as stage:
        save(pareto.pareto(config), stage / "pareto")
        name = _strip_name(config)
        save(strip.strip(config), stage / name, ("png",))
        for file in ("pareto.svg", f"{name}.png"):
            provenance.write_record(stage / file, settings={"configuration": config.name})


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
