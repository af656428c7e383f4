"""Invented results of the first paper's network, its ANN counterpart and a baseline."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.protocols import protocol_names
from derainbench.config.schema import Config, parse
from derainbench.models.construction import constructor_arguments
from derainbench.results.layout import layout_of
from derainbench.results.runs import RunVariant, run_variants

SEEDS = [1, 2]
TRAIN = {"dataset": "Rain200H", "seeds": SEEDS}
CONFIG = {
    "name": "made",
    "label": "paper",
    "title": "Made",
    "data_root": "data",
    "weights_root": "weights",
    "datasets": {"Rain200H": {"kind": "folder", "catalogue": "Rain200H", "subset": True}},
    "runs": {
        "esdnet": {"model": "esdnet", "title": "ESDNet", "train": TRAIN, "test": ["Rain200H"]},
        "counterpart": {
            "model": "esdnet-ann",
            "title": "Counterpart",
            "train": TRAIN,
            "test": ["Rain200H"],
        },
        "prenet": {
            "model": "prenet",
            "title": "PReNet",
            "weights": "prenet.pth",
            "test": ["Rain200H"],
        },
        "plain": {
            "model": "esdnet",
            "title": "without FRB",
            "kwargs": {"refine": False},
            "train": {"dataset": "Rain200H", "seeds": [1]},
            "test": ["Rain200H"],
            "ablation": {"of": "esdnet", "part": "FRB"},
        },
    },
    "figures": {"dataset": "Rain200H"},
}
# Mean PSNR under protocol esdnet; matlab-double is 0.25 dB lower.
PSNR = {("esdnet", "seed-1"): 28.0, ("esdnet", "seed-2"): 28.2, ("plain", "seed-1"): 27.6}
PSNR |= {
    ("counterpart", "seed-1"): 29.0,
    ("counterpart", "seed-2"): 29.0,
    ("prenet", "official"): 29.75,
}
IMAGES = [f"{i}.png" for i in range(8)]


def made_results(label: str = "paper", better: float = 0.0) -> Config:
    """Writes scores, counts and constructor arguments below the working directory."""
    config = parse(CONFIG | {"label": label}, "made")
    layout = layout_of(config)
    base = np.linspace(-4, 4, len(IMAGES))
    for ablations in (False, True):
        for entry in run_variants(config, ablations=ablations):
            psnr = base + PSNR[entry.run, entry.variant] + better
            rows = [
                {"image": i, "protocol": p, "psnr": v - 0.25 * (p == "matlab-double")}
                for p in protocol_names()
                for i, v in zip(IMAGES, psnr, strict=True)
            ]
            table = pd.DataFrame(rows).assign(ssim=0.9, psnr_input=13.0, ssim_input=0.4)
            write(layout.per_image(entry.run, entry.variant, "Rain200H"), table)
            counted(config, entry)
    arguments = {name: constructor_arguments(name, {}) for name in ("esdnet", "esdnet-ann")}
    layout.structure.mkdir(parents=True, exist_ok=True)
    (layout.structure / "arguments.json").write_text(json.dumps(arguments))
    return config


def write(path: Path, table: pd.DataFrame) -> None:
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False)


def counted(config: Config, entry: RunVariant) -> None:
    """The operation counts of a set of weights, in short."""
    spiking = entry.spec.model == "esdnet"
    facts = {"images": 2, "size": [64, 64], "structure": {"parameters": 1000, "macs_dense": 2e9}}
    facts["mean"] = {"sops": 4e8 if spiking else 0, "firing_rate": 0.2 if spiking else None}
    path = layout_of(config).account_summary(entry.run, entry.variant)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def scenario_files() -> None:
    """Energies and savings of every seed; structure of two models."""
    common = {"costs": DEFAULT_COSTS, "reuse": False, "zero_skipping": False}
    energies = [
        {"source": "measured", "name": f"{run}/{variant}", "model": model, "mj": mj}
        for run, variant, model, mj in (
            *(("esdnet", f"seed-{s}", "esdnet", 4.0 + s) for s in SEEDS),
            *(("counterpart", f"seed-{s}", "esdnet-ann", 10.0) for s in SEEDS),
            ("prenet", "official", "prenet", 7.0),
        )
    ]
    energies.append({"source": "structure", "name": "prenet", "model": "prenet", "mj": 70.0})
    energies = pd.DataFrame([e | common | {"scenario": s} for e in energies for s in "abcd"])
    write(Path("results/made/scenarios/energy.csv"), energies)
    savings = [
        {
            "source": "measured",
            "name": f"esdnet/seed-{s}",
            "title": "ESDNet",
            "dataset": "Rain200H",
            "baseline": baseline,
            "baseline_title": baseline.partition("/")[0].capitalize(),
            "baseline_bits": bits,
            "firing_rate": 0.2,
        }
        | common
        | {"scenario": "b", "saving": saving, "low": saving - 0.01, "high": saving + 0.01}
        for s, saving in zip(SEEDS, (-0.2, -0.3), strict=True)
        for baseline, bits, saving in (
            ("counterpart/seed-1", None, saving),
            ("counterpart/seed-2", None, saving),
            ("counterpart/seed-1", 3, -9.0),
            ("prenet/official", None, -8.0),
        )
    ]
    write(Path("results/made/scenarios/savings.csv"), pd.DataFrame(savings))
    models = [
        ("esdnet", "ESDNet", 12811463, 492.3, True),
        ("prenet", "PReNet", 168963, 66.2, False),
    ]
    models = pd.DataFrame(models, columns=["model", "title", "parameters", "gmacs", "spiking"])
    write(Path("results/made/structure/models.csv"), models.assign(size="256x256"))
