"""The report's section on data sets: a card for each, and the backgrounds that they share."""

from __future__ import annotations

from typing import Any

import pandas as pd

from derainbench.catalog.dataset_entries import dataset_entry
from derainbench.config.schema import Config
from derainbench.data.findings import MEANING
from derainbench.metrics.infinite import counted
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json

_WORDS = {"synthetic": "generated here", "folder": "in a folder", "catalogue": "fetched"}
_WORDS |= {
    "recomposited": "re-composited here, not official",
    "stand-in": "generated here in its place",
}


def cards(config: Config) -> list[dict[str, Any]]:
    """Per set: name, where it is from, status with its meaning, splits, checks, picture files.

    Raises:
        BenchError: if a set has not been verified.
    """
    cards_of_sets: list[dict[str, Any]] = []
    for name, dataset in config.datasets.items():
        folder = layout_of(config).data(name)
        content = read_json(folder / "dataset.json")
        known = config.catalogue_name(name)
        cards_of_sets.append(
            {
                "name": name,
                "origin": _WORDS[dataset.kind],
                "entry": dataset_entry(known) if known else None,
                "status": content["status"],
                "meaning": MEANING[content["status"]],
                "splits": _splits(content),
                "checks": pd.DataFrame(content["checks"]),
                "sheet": folder / "sheet.png",
                "histograms": folder / "card.svg",
            }
        )
    return cards_of_sets


def _splits(content: dict[str, Any]) -> pd.DataFrame:
    rows = []
    for name, facts in content["splits"].items():
        row = {"split": name, "images": str(facts["images"]), "status": facts["status"]}
        if facts["paired"]:
            row[f"rainy PSNR, dB ({facts['protocol']})"] = _rainy_psnr(facts)
            row[f"rainy SSIM ({facts['protocol']})"] = f"{facts['ssim']:.4f}"
            row["pixels under streaks, %"] = f"{100 * facts['streak_density']:.1f}"
            row["mean rain layer, grey levels"] = f"{facts['mean_layer']:.1f}"
        row["sizes"] = ", ".join(f"{n} of {size}" for size, n in facts["sizes"].items())
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def _rainy_psnr(facts: dict[str, Any]) -> str:
    """``21.30``, and which images are left out of the mean; ``infinite`` if all are."""
    equal = facts.get("infinite_psnr_images", [])
    without = f", without {counted(equal)} equal to the ground truth" if equal else ""
    return "infinite" if facts["psnr"] is None else f"{facts['psnr']:.2f}{without}"


def leaks(config: Config) -> pd.DataFrame:
    """Per pair of training and test split: shared backgrounds and the runs they concern.

    Raises:
        BenchError: if the audit has not been made.
    """
    content = read_json(layout_of(config).leaks / "leaks.json")
    rows = [
        {
            "training images": f"{c['train_set']}/{c['train_split']}",
            "test images": f"{c['test_set']}/{c['test_split']}",
            "test backgrounds": str(c["test_images"]),
            "equal to a training background": str(c["exact"]),
            "nearly equal": str(c["near"]),
            "runs trained and tested so": ", ".join(_concerned(config, c)),
        }
        for c in content["comparisons"]
    ]
    return pd.DataFrame(rows)


def _concerned(config: Config, comparison: dict[str, Any]) -> list[str]:
    """Runs that were trained on the one and scored on the other."""
    folders = {config.dataset_folder(name).rsplit("/", 1)[-1]: name for name in config.datasets}
    trained, tested = (folders.get(comparison[key]) for key in ("train_set", "test_set"))
    if comparison["test_split"] != "test" or not comparison["exact"] + comparison["near"]:
        return []
    return [
        run.title or name
        for name, run in config.runs.items()
        if run.train and run.train.dataset == trained and tested in run.test
    ]
