"""A small folder of results with everything the report shows: the reference's numbers, invented
images, a second data set with published values, and photographs of real rain."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
from helpers import ROOT, noise, read_json, save
from scipy.ndimage import gaussian_filter

from derainbench.config.schema import Config, parse
from derainbench.models.construction import constructor_arguments

REFERENCE = ROOT / "results" / "reference" / "smoke"
PARTS = ("audit", "crosscheck", "data", "energy", "estimators", "figures", "leaks", "runs")
PARTS += ("scenarios", "scores", "structure", "tables")
PHOTOS = ("a.png", "b.png")


def results(folder: Path, parts: tuple[str, ...] = PARTS) -> Config:
    """Lays ``results/smoke`` out below a folder, which must be the working directory.

    Args:
        folder: where.
        parts: of the reference.
    """
    values = read_json(REFERENCE / "config.json")
    values["data_root"] = "data"
    values["datasets"] |= {
        "Rain200H": {"kind": "folder"},
        "photographs": {"kind": "folder", "paired": False},
    }
    values["runs"]["esdnet"]["test"] += ["Rain200H", "photographs"]
    found = parse(values, "invented")
    out = folder / found.results
    for part in parts:
        shutil.copytree(REFERENCE / part, out / part, copy_function=shutil.copyfile)
    (out / "config.json").write_text(found.model_dump_json())
    if "scores" in parts:
        _scores(found, folder, out)
    if "data" in parts:
        for name in ("synthetic-heavy", "synthetic-light"):
            save(out / "data" / name / "sheet.png", _photo(300, 400, 1))
    if "figures" in parts:
        save(out / "figures" / "strip-synthetic-heavy.png", _photo(300, 900, 2))
    if "audit" in parts:
        _paper(out)
    if "structure" in parts:
        _structure(found, out / "structure")
    return found


def _scores(found: Config, folder: Path, out: Path) -> None:
    own = out / "scores" / "esdnet" / "seed-1234"
    shutil.copytree(own / "synthetic-heavy", own / "Rain200H", copy_function=shutil.copyfile)
    names = pd.read_csv(own / "synthetic-heavy" / "per_image.csv")["image"].unique()
    split = folder / found.split_folder("synthetic-heavy", "test")
    for i, name in enumerate(names):
        clean = _photo(96, 128, i)
        save(split / "target" / name, clean)
        save(split / "input" / name, clean // 2 + noise(96, 128, i) // 2)
        for run in found.runs:
            images = out / "scores" / run / "seed-1234" / "synthetic-heavy" / "images"
            save(images / name, clean // 4 * 3)
    for i, name in enumerate(PHOTOS):
        save(folder / "data" / "photographs" / "input" / name, _photo(600, 450, 20 + i))
        save(own / "photographs" / "images" / name, _photo(600, 450, 30 + i))
    scores = (("niqe", 4.25, ""), ("piqe", 31.5, ""), ("brisque", None, "no parameter file"))
    rated = pd.DataFrame(
        [(name, *score) for name in PHOTOS for score in scores],
        columns=["image", "metric", "score", "reason"],
    )
    for file in ("input", "esdnet/seed-1234"):
        (out / "rated" / file).mkdir(parents=True)
        rated.to_csv(out / "rated" / file / "photographs.csv", index=False)


def _photo(height: int, width: int, seed: int) -> np.ndarray:
    smooth = gaussian_filter(noise(height, width, seed).astype(float), (9, 9, 0))
    return ((smooth - smooth.min()) * 255 / np.ptp(smooth)).astype(np.uint8)


def _paper(out: Path) -> None:
    folder = out / "papers" / "esdnet"
    folder.mkdir(parents=True)
    (folder / "table-1.md").write_text("Scores.\n\n| Method | Text |\n|:--|:--|\n| A | x \\| y |\n")
    shutil.copyfile(out / "figures" / "pareto.svg", folder / "figure-1.svg")
    facts = {
        "table-1": {"title": "Scores", "files": ["table-1.md"], "caption": "Scores."},
        "table-2": {"title": "Real rain", "files": [], "reason": "nothing was rated"},
        "figure-1": {"title": "Pareto", "files": ["figure-1.svg"], "caption": "PSNR by size."},
    }
    (folder / "paper.json").write_text(json.dumps({"artefacts": facts}))


def _structure(found: Config, folder: Path) -> None:
    """What the reference leaves out: layers of two networks, and constructor arguments."""
    macs = {("esdnet", "spikes"): 332.79e9, ("esdnet", "analog"): 159.51e9}
    macs |= {("esdnet-ann", "unmeasured"): 128.30e9}
    layers = [
        {"model": model, "layer": kind, "role": "layer", "input": kind, "macs": number}
        for (model, kind), number in macs.items()
    ]
    pd.DataFrame(layers).to_csv(folder / "layers.csv", index=False)
    arguments = {run.network: constructor_arguments(run.network, {}) for run in found.runs.values()}
    (folder / "arguments.json").write_text(json.dumps(arguments))
