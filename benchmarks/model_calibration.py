"""Holds every network to the values of its official implementation, and writes down how close.

PYTHONPATH=tests DERAIN_SHARED=FOLDER python benchmarks/model_calibration.py

Reads FOLDER/golden (not part of this repository) and writes results/reference/models/calibration.csv;
then, from that file and results/reference/real/tables/comparison.csv, docs/calibration.md.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from networks import NETWORKS, fill

from derainbench.energy.structure import structure
from derainbench.foundation import provenance
from derainbench.foundation.files import write_text
from derainbench.foundation.frames import records
from derainbench.models.weights import load_weights
from esdnet import ESDNet

ROOT = Path(__file__).resolve().parent.parent
CSV = ROOT / "results" / "reference" / "models" / "calibration.csv"
SCORES = ROOT / "results" / "reference" / "real" / "tables" / "comparison.csv"
PAGE = ROOT / "docs" / "calibration.md"


def _worst(ours: torch.Tensor, official: np.ndarray) -> float:
    return (ours.double() - torch.from_numpy(official)).abs().max().item()


@torch.no_grad()
def baseline(name: str, folder: Path) -> dict[str, Any]:
    """How far a network is from its golden values, as a row of the table.

    ``difference`` and ``official_rounding`` are shares of the largest official output: ours in
    float32 against the official code in float64, and the official code in float32 against itself.
    ``difference64`` is the same with ours in float64.
    """
    manifest = json.loads((folder / "manifest.json").read_text())
    golden, network = np.load(folder / "golden.npz"), NETWORKS[name]
    model = fill(network.build(), name, manifest, "golden").eval()
    compute, x = getattr(model, network.method), torch.from_numpy(golden["x"])
    scale = np.abs(golden["y64"]).max()
    single = _worst(compute(x), golden["y64"])
    model.double()
    double = _worst(compute(x.double()), golden["y64"])
    side = 128 if manifest["gmacs_256"] is None else 256
    counts = structure(network.model, dict(network.kwargs), side).totals(side)
    return {
        "network": name,
        "model": network.model,
        "difference": single / scale,
        "official_rounding": manifest["float32_vs_float64_max_abs"] / scale,
        "difference64": double / scale,
        "parameters": counts["parameters"],
        "parameters_official": manifest["n_params"],
        "size": side,
        "gmacs": counts["macs_dense"] / 1e9,
        "gmacs_official": manifest[f"gmacs_{side}"],
    }


@torch.no_grad()
def esdnet(folder: Path) -> dict[str, Any]:
    """The same for ESDNet: its small golden network's output, and the full one's size."""
    case = json.loads((folder / "open" / "case.json").read_text())
    full = json.loads((folder / "full_manifest.json").read_text())
    golden = np.load(folder / "open" / "case.npz")
    model = ESDNet(**case["constructor"])
    load_weights(model, folder / "open" / "weights.safetensors")
    single = _worst(model.eval()(torch.from_numpy(golden["x"])), golden["y_eval"])
    counts = structure("esdnet", {}).totals(256)
    return {
        "network": "ESDNet",
        "model": "esdnet",
        "difference": single / np.abs(golden["y_eval"]).max(),
        "parameters": counts["parameters"],
        "parameters_official": full["n_params"],
        "size": 256,
        "gmacs": counts["macs_dense"] / 1e9,
    }


def document(calibration: pd.DataFrame, scores: pd.DataFrame) -> str:
    """The page, as Markdown."""
    rows = []
    for row in records(calibration):
        known = not np.isnan(row["gmacs_official"])
        rows.append(
            {
                "Network": row["network"],
                "Largest output difference": f"{row['difference']:.1e}",
                "of the official code's own rounding": ""
                if np.isnan(row["official_rounding"])
                else f"{row['official_rounding']:.1e}",
                "in float64": "" if np.isnan(row["difference64"]) else f"{row['difference64']:.0e}",
                "Parameters": f"{row['parameters']:,}",
                "Difference": str(row["parameters"] - row["parameters_official"]),
                "GMACs": f"{row['gmacs']:.3f} at {row['size']}x{row['size']}",
                "GMACs, difference": f"{row['gmacs'] / row['gmacs_official'] - 1:+.2%}"
                if known
                else "",
            }
        )
    networks = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    lines = []
    for row in records(scores):
        inside = {True: "inside", False: "outside"}.get(row["published_within"], "")
        known = not np.isnan(row["reproduced_psnr"])
        lines.append(
            {
                "Network": row["method"],
                "Test set": f"{row['dataset']}, {row['images']} images",
                "Weights": row["weights"],
                "Protocol": row["protocol"],
                "Published": f"{row['published_psnr']:.2f} / {row['published_ssim']:.4f}",
                "Reproduced": f"{row['reproduced_psnr']:.2f} / {row['reproduced_ssim']:.4f}"
                if known
                else "",
                "95 % interval (dB)": f"{row['low_psnr']:.2f} to {row['high_psnr']:.2f}"
                if known
                else "",
                "Published value": inside,
                "Published in": row["source"],
            }
        )
    reproduced = pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)
    return f"""# How close the networks here are to the official ones

Generated by `benchmarks/model_calibration.py` from
[`calibration.csv`](../results/reference/models/calibration.csv) and
[`comparison.csv`](../results/reference/real/tables/comparison.csv).

## Outputs, parameters, operations

The same weights and input in the official code and here. Differences are shares of the largest
output value: ours in float32 against the official code in float64, beside what rounding to float32
does to the official code itself, and ours in float64 too. Parameters: ours minus the official
ones. MACs are of one image of the size given.

{networks}

ESDNet's golden output is in float32, of a small network, and its official MACs are not known from
its authors' code: the counter they used sees none of its convolutions. Top-k attention of DRSformer
meets scores that are equal but for rounding, so single outputs differ more in float32; in float64
nothing does.

## Published and reproduced scores

Official weights on the images at hand: PSNR (dB) / SSIM. The published value is of the complete
test set; the bootstrap interval over the images here says how far their mean may lie from that of
the complete set, so that with the same weights and the same protocol the published value should lie
inside. Weights of another origin than the published table's need not.

{reproduced}
"""


def main(golden: Path) -> None:
    """Writes the table and the page."""
    rows = [esdnet(golden / "esdnet")]
    for name in NETWORKS:
        rows.append(baseline(name, golden / "baselines" / name))
        print(rows[-1], flush=True)
    table = pd.DataFrame(rows)
    write_text(CSV, table.to_csv(index=False, float_format="%.9g"))
    provenance.write_record(CSV)
    write_text(PAGE, document(pd.read_csv(CSV), pd.read_csv(SCORES)))


if __name__ == "__main__":
    main(Path(os.environ["DERAIN_SHARED"]) / "golden")
