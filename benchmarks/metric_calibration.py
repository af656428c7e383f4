"""Compares our metrics and pyiqa's with the values of the original scripts.

DERAIN_SHARED=FOLDER python benchmarks/metric_calibration.py

Reads FOLDER/golden/metrics/open (real images, not part of this repository) and writes
results/reference/metrics/calibration.{csv,md}.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pyiqa
import torch

from derainbench.catalog.protocols import protocols
from derainbench.data.images import read_rgb
from derainbench.foundation import provenance
from derainbench.foundation.files import write_text
from derainbench.metrics.full_reference import score

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "reference" / "metrics"
# Keys of the golden file by protocol: PSNR's and SSIM's.
KEYS = {
    "esdnet": ("esdnet_y_crop4", "esdnet_y_crop4"),
    "matlab-uint8": ("restormer_matlab_y_uint8", "restormer_matlab_y_uint8"),
    "matlab-double": ("prenet_matlab_y_double", "prenet_matlab_y_double"),
    "rgb": ("rgb_global_mse", "rgb_channel_mean"),
}
YCBCR = {"test_y_channel": True, "color_space": "ycbcr"}
# pyiqa has no protocol that rounds Y for PSNR; its nearest settings otherwise.
PYIQA = {
    "esdnet": ({**YCBCR, "crop_border": 4}, "psnr", "ssim"),
    "matlab-double": (YCBCR, "psnr", "ssim"),
    "rgb": ({}, "psnr", "ssimc"),
}


def tensor(image: np.ndarray) -> torch.Tensor:
    """uint8 [H,W,3] -> float64 [1,3,H,W] in [0,1]."""
    return torch.from_numpy(image.transpose(2, 0, 1)[None] / 255.0)


def differences(golden: Path) -> pd.DataFrame:
    """|ours - original| and |pyiqa - original| by image, protocol and metric."""
    expected = json.loads((golden / "expected.json").read_text())
    rows = []
    for name, values in expected.items():
        restored, target = (read_rgb(golden / side / name) for side in ("restored", "target"))
        for protocol, (psnr_key, ssim_key) in KEYS.items():
            original = values[psnr_key]["psnr"], values[ssim_key]["ssim"]
            ours = score(restored, target, protocols()[protocol])
            theirs = [np.nan, np.nan]
            if protocol in PYIQA:
                options, *metrics = PYIQA[protocol]
                theirs = [
                    pyiqa.create_metric(m, device="cpu", **options)(
                        tensor(restored), tensor(target)
                    ).item()
                    for m in metrics
                ]
            for i, metric in enumerate(("psnr_db", "ssim")):
                rows.append(
                    {
                        "image": name,
                        "protocol": protocol,
                        "metric": metric,
                        "derainbench": abs(ours[i] - original[i]),
                        "pyiqa": abs(theirs[i] - original[i]),
                    }
                )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    folder = Path(os.environ["DERAIN_SHARED"]) / "golden" / "metrics" / "open"
    found = differences(folder)
    largest = found.groupby(["protocol", "metric"], sort=False)[["derainbench", "pyiqa"]]
    table = largest.max().reset_index()
    write_text(OUT / "calibration.csv", table.to_csv(index=False, float_format="%.3g"))
    text = table.astype(object).map(lambda v: f"{v:.1e}" if isinstance(v, float) else v)
    text = text.replace("nan", "no such setting")
    note = (
        f"Largest difference to the original scripts over {found['image'].nunique()} images, "
        f"derained and rainy: derainbench, and pyiqa {pyiqa.__version__} with its nearest settings."
    )
    write_text(OUT / "calibration.md", f"{note}\n\n{text.to_markdown(index=False)}\n")
    provenance.write_record(OUT / "calibration.csv")
