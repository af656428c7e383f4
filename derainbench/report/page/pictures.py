"""Images of the page: small copies for the before/after comparison, sheets and strips."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from derainbench.catalog.protocols import protocol_names
from derainbench.config.schema import Config
from derainbench.data.images import read_rgb
from derainbench.data.pairs import Pair, read_split
from derainbench.foundation.errors import BenchError
from derainbench.foundation.frames import is_empty, records
from derainbench.metrics.no_reference import METRICS
from derainbench.report.page import gaps
from derainbench.report.tables.table import RAINY
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table
from derainbench.results.runs import RunVariant, run_variants

LONGEST = 512  # pixels; with QUALITY it keeps twenty methods on six images within 6 MB
PHOTOGRAPHS_WIDTH = 1400  # pixels, of sheets and strips
LARGEST_PLOT = 700_000  # bytes of a PNG; larger ones hold photographs
PLOT_SCALE = 0.6  # CSS pixels per pixel of a plot: drawn at 200 dpi, sharp on dense screens
QUALITY = 82  # of WebP, 0 to 100


@dataclass(frozen=True)
class Picture:
    """An image of the page: address relative to the page, and size in CSS pixels if known."""

    src: str
    width: int | None = None
    height: int | None = None


def write_webp(image: np.ndarray, path: Path, longest: int = LONGEST) -> tuple[int, int]:
    """Writes a small lossy copy of an image, uint8 [H,W,3]; gives its width and height."""
    small = Image.fromarray(image)
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    small.save(path, "WEBP", quality=QUALITY, method=4)
    return small.size


def comparison(config: Config, assets: Path) -> dict[str, Any]:
    """Copies of test images, rainy, clean and restored by every method, with their scores.

    Args:
        config: of runs that were scored.
        assets: folder to write ``images/*.webp`` to.

    Returns:
        ``sets`` with ``images``, each with ``versions`` of it (``src`` relative to the folder
        above ``assets``, ``scores``: texts by protocol, or by metric where there is no ground
        truth), ``methods``, ``missing`` notes.
    """
    names = [config.figures.dataset, *config.real_rain()]
    sets: list[dict[str, Any]] = []
    missing: list[str] = []
    for name in dict.fromkeys(names):
        rated = layout_of(config).no_reference_input(name)
        if not config.paired(name) and not rated.is_file():
            continue
        try:
            sets.append(_set(config, name, assets, missing))
        except BenchError as error:
            missing.append(gaps.note(config, error))
    if not any(s["images"] for s in sets):
        raise BenchError("; ".join(missing) or f"{config.results}/scores: missing")
    return {"sets": sets, "protocol": config.figures.protocol, "missing": missing}


def _set(config: Config, dataset: str, assets: Path, missing: list[str]) -> dict[str, Any]:
    paired = config.paired(dataset)
    split = read_split(Path(config.split_folder(dataset, "test")), need_target=paired)
    count = min(config.figures.strip_images, len(split.pairs))
    chosen = np.linspace(0, len(split.pairs) - 1, count).round().astype(int)
    tested = [e for e in run_variants(config) if dataset in e.spec.test]
    shown = list({e.run: e for e in reversed(tested)}.values())[::-1]  # first variant of each run
    tables = {e.run: read_table(gaps.score_file(config, e, dataset)) for e in shown}
    layout = layout_of(config)
    restored = {e.run: layout.scores(e.run, e.variant, dataset) / "images" for e in shown}
    if not paired:
        tables["input"] = read_table(layout.no_reference_input(dataset))
    images, absent = [], []
    for number, pair in enumerate(split.pairs[i] for i in chosen):
        versions = {}
        for version, title, file in _versions(pair, shown, restored):
            if not file.is_file():
                absent.append(file)
                continue
            path = assets / "images" / f"{dataset}-{number}-{version}.webp"
            width, height = write_webp(read_rgb(file), path)
            versions[version] = {
                "title": title,
                "src": f"{assets.name}/images/{path.name}",
                "width": width,
                "height": height,
                "scores": _paired_scores(tables, version, pair.name)
                if paired
                else _rated_scores(tables[version], file),
            }
        images.append({"name": pair.name, "versions": versions})
    if absent:
        missing += gaps.missing(config, absent)
    return {"name": dataset, "paired": paired, "images": images}


def _versions(
    pair: Pair, shown: list[RunVariant], restored: dict[str, Path]
) -> list[tuple[str, str, Path]]:
    """Every version of a test image: name, title, file."""
    versions = [("input", RAINY, pair.input)]
    versions += [(e.run, e.title, (restored[e.run] / pair.name).with_suffix(".png")) for e in shown]
    return versions + ([("target", "Ground truth", pair.target)] if pair.target else [])


def _paired_scores(tables: dict[str, pd.DataFrame], version: str, image: str) -> dict[str, str]:
    """``24.31 dB / 0.8123`` by protocol; the rainy image's scores stand in every method's file."""
    rainy = "_input" if version == "input" else ""
    table = next(iter(tables.values()), None) if rainy else tables.get(version)
    if table is None:
        return {}
    rows = {row["protocol"]: row for row in records(table[table["image"] == image])}
    return {
        p: f"{rows[p][f'psnr{rainy}']:.2f} dB / {rows[p][f'ssim{rainy}']:.4f}"
        for p in protocol_names()
        if p in rows
    }


def _rated_scores(table: pd.DataFrame, file: Path) -> dict[str, str]:
    """``4.31`` by metric, or why there is none."""
    of_image = table[table["image"].map(lambda name: Path(name).stem) == file.stem]
    rows = {row["metric"]: row for row in records(of_image)}
    return {
        metric.title: f"not measured: {rows[metric.name]['reason']}"
        if is_empty(rows[metric.name]["score"])
        else f"{rows[metric.name]['score']:.2f}"
        for metric in METRICS
        if metric.name in rows
    }


def show_figure(stem: Path, assets: Path, name: str | None = None) -> Picture | None:
    """Copies a figure as WebP, which browsers show much faster than matplotlib's SVG.

    Args:
        stem: path of the figure without its suffix.
        assets: folder to copy to.
        name: of the copy; default: the figure's.

    Returns:
        The copy; without a PNG a copy of the SVG; None if there is neither.
    """
    name = name or stem.name
    png, svg = (stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg"))
    if not png.is_file():
        if not svg.is_file():
            return None
        shutil.copyfile(svg, assets / f"{name}.svg")
        return Picture(f"{assets.name}/{name}.svg")
    photographs = png.stat().st_size > LARGEST_PLOT
    with Image.open(png) as image:
        shown = image.convert("RGB")
    if photographs:
        shown.thumbnail((PHOTOGRAPHS_WIDTH, 16383), Image.Resampling.LANCZOS)  # WebP's limit
    path = assets / f"{name}.webp"
    # Plots without loss; there the two numbers are the effort, and more of it takes seconds.
    quality, method = (QUALITY, 4) if photographs else (10, 1)
    shown.save(path, "WEBP", lossless=not photographs, quality=quality, method=method)
    scale = 1 if photographs else PLOT_SCALE
    return Picture(f"{assets.name}/{path.name}", *(round(scale * side) for side in shown.size))
