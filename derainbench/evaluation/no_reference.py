"""Scores that need no ground truth, through pyiqa: for photographs of real rain.

NIQE and BRISQUE compare an image with statistics that lie in parameter files of their authors;
pyiqa would download them while it scores. Here they are looked for in a folder first, and a metric
without its file gives its reason in place of a number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from derainbench.data.crops import to_tensor
from derainbench.data.images import image_files, read_rgb
from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import digest_of, sha256, write_text
from derainbench.foundation.progress import Reporter
from derainbench.metrics.no_reference import METRICS, Metric

COLUMNS = ("image", "metric", "score", "reason")


def pyiqa_cache() -> Path:
    """Where pyiqa keeps what it once downloaded."""
    from pyiqa.utils.download_util import DEFAULT_CACHE_DIR

    return Path(DEFAULT_CACHE_DIR)


def parameter_file(metric: Metric, folder: Path | None) -> Path | None:
    """A metric's parameter file: in ``folder``, else in pyiqa's cache; None if it has none.

    Raises:
        BenchError: if it is in neither; the message says how to supply it.
    """
    if metric.file is None:
        return None
    for place in (folder, pyiqa_cache()):
        if place and (found := Path(place) / metric.file).is_file():
            return found
    raise BenchError(
        f"{metric.file} is missing: `derainbench metrics fetch {metric.name}`, or put the file "
        "into the folder given with --metric-files"
    )


def load_metric(metric: Metric, folder: Path | None) -> nn.Module:
    """A pyiqa metric with its parameters, on the CPU.

    Raises:
        BenchError: if the parameter file is missing, damaged, or holds anything but numbers.
    """
    import pyiqa  # takes seconds

    file = parameter_file(metric, folder)
    if file is None:
        return pyiqa.create_metric(metric.name, device="cpu")
    try:
        if file.suffix == ".pth":
            torch.load(file, weights_only=True)  # pyiqa itself would run code hidden in it
        return pyiqa.create_metric(metric.name, device="cpu", pretrained_model_path=str(file))
    except Exception as error:  # whatever scipy, pickle or torch say to a foreign file
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise BenchError(
            f"{file}: not the parameter file of {metric.title} ({first}); replace it"
        ) from error


@torch.no_grad()
def rate(images: Path, out: Path, metric_files: Path | None = None) -> pd.DataFrame:
    """Scores every image of a folder with every metric.

    Writes a CSV with the columns image, metric, score, reason (of a missing score), and a
    provenance record.

    Args:
        images: folder.
        out: CSV file.
        metric_files: folder with parameter files.

    Returns:
        The rows written.

    Raises:
        BenchError: if the folder has no image or one cannot be read.
    """
    files = image_files(images)
    rows, inputs = [], {"images": digest_of(files, images)}
    with Reporter("rate", len(files) * len(METRICS)) as reporter:
        for metric in METRICS:
            try:
                model, reason = load_metric(metric, metric_files), ""
                if file := parameter_file(metric, metric_files):
                    inputs[file.name] = sha256(file)
            except BenchError as error:
                model, reason = None, str(error)
            for file in files:
                score, why = (np.nan, reason) if model is None else _score(model, file)
                rows.append({"image": file.name, "metric": metric.name, "score": score, "reason": why})  # fmt: skip
                reporter.advance(f"{metric.title} {file.name}")
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    write_text(out, table.to_csv(index=False, float_format="%.8g"))
    provenance.write_record(out, inputs=inputs)
    return table


def _score(model: nn.Module, file: Path) -> tuple[float, str]:
    """A finite score, or the reason why there is none."""
    try:
        score = float(model(to_tensor(read_rgb(file))[None]))
    except (RuntimeError, ValueError, AssertionError) as error:  # too small for its windows
        first = (str(error).splitlines() or [type(error).__name__])[0]
        return np.nan, f"{file.name}: not measurable ({first})"
    return (score, "") if np.isfinite(score) else (np.nan, f"{file.name}: not finite")


def means(table: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Per metric its mean over the images, or NaN with the first reason."""
    found = {}
    for metric in METRICS:
        of_metric = table[table.metric == metric.name]
        reasons = [r for r in of_metric.reason.fillna("") if r]
        found[metric.name] = (np.nan, reasons[0]) if reasons else (of_metric.score.mean(), "")
    return found
