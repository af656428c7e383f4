"""Restoring and scoring image sets, into files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from derainbench import models, provenance
from derainbench.data.images import image_files, read_rgb, write_png
from derainbench.data.pairs import dataset_digests, match_pairs, read_split
from derainbench.device import prepare
from derainbench.errors import BenchError
from derainbench.evaluation.inference import describe, restore_image
from derainbench.evaluation.protocols import score_all
from derainbench.files import sha256, staged_folder, write_json, write_text
from derainbench.progress import Reporter


class Restorer:
    """A model with weights, ready to restore uint8 images.

    Args:
        model_name: name in the registry.
        weights: weight file.
        kwargs: constructor arguments, for weight files that do not carry them.
        mode: "tiled", "whole", or None for what the model's official evaluation does, except that
            images too large for one pass are tiled.
        quantise: "round", "truncate", or None likewise.
        device: torch device.
    """

    def __init__(
        self,
        model_name: str,
        weights: Path,
        *,
        kwargs: Mapping[str, Any] | None = None,
        mode: str | None = None,
        quantise: str | None = None,
        device: str = "auto",
    ) -> None:
        card = models.card(model_name)
        self.device = prepare(device)
        model, arguments = models.load(model_name, weights, kwargs)
        self.model: nn.Module = model.to(self.device)
        # Uformer's depends on its arguments.
        multiple = getattr(model, "size_multiple", card.size_multiple)
        self.card = replace(card, size_multiple=multiple)
        self.mode = mode
        self.settings = {
            "model": card.name,
            "kwargs": arguments,
            **describe(card, mode),
            "quantise": quantise or card.quantise,
        }
        self.weights = weights

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 [H,W,3] -> uint8 [H,W,3]."""
        return restore_image(
            self.model,
            image,
            card=self.card,
            mode=self.mode,
            quantise=self.settings["quantise"],
            device=self.device,
        )


def derain(files: Sequence[Path], restorer: Restorer, out: Path) -> list[Path]:
    """Restores single images into ``out`` as PNG files of the same stem.

    Raises:
        BenchError: if two images would get one name, or an image cannot be read.
    """
    names = [f"{f.stem}.png" for f in files]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise BenchError(f"two of the images would be written as {twice}; derain them apart")
    with staged_folder(out) as stage, Reporter("derain", len(files)) as reporter:
        for file, name in zip(files, names, strict=True):
            write_png(stage / name, restorer(read_rgb(file)))
            reporter.advance(file.name)
    return [out / name for name in names]


def evaluate(
    restorer: Restorer, split_folder: Path, out: Path, dataset: Path | None = None
) -> pd.DataFrame:
    """Restores a split and, where it has ground truth, scores it under every protocol.

    Writes ``images/``, ``per_image.csv`` (one row per image and protocol, see
    :func:`score_rows`), ``summary.json`` and a provenance record; all or nothing.

    Args:
        restorer: model with weights.
        split_folder: folder with ``input`` and maybe ``target``.
        out: folder to write to.
        dataset: ``dataset.json`` of the verified set, for the record.

    Returns:
        The rows of ``per_image.csv``; none without ground truth.

    Raises:
        BenchError: for unusable weights or images.
    """
    split = read_split(split_folder, need_target=False)
    inputs = dataset_digests(split, dataset)
    rows: list[dict[str, Any]] = []
    with staged_folder(out) as stage:
        with Reporter(f"evaluate {restorer.settings['model']}", len(split.pairs)) as reporter:
            for pair in split.pairs:
                rainy = read_rgb(pair.input)
                restored = restorer(rainy)
                write_png(stage / "images" / f"{Path(pair.name).stem}.png", restored)
                if pair.target:
                    of_image = score_rows(pair.name, restored, read_rgb(pair.target), rainy)
                    rows += of_image
                    first = of_image[0]
                    reporter.advance(f"{pair.name} {first['psnr']:.2f} dB ({first['protocol']})")
                else:
                    reporter.advance(pair.name)
        table = write_scores(rows, stage / "per_image.csv")
        facts = {**restorer.settings, "images": len(split.pairs)}
        write_json(stage / "summary.json", {**facts, "protocols": summarise(table)})
        provenance.write_record(
            stage / "per_image.csv",
            settings=restorer.settings,
            inputs=inputs | {"weights": sha256(restorer.weights)},
            device=str(restorer.device),
        )
    return table


def score_folders(restored: Path, target: Path, out: Path) -> pd.DataFrame:
    """Scores images that anyone made against their targets, paired by name.

    Raises:
        BenchError: for missing folders, unpaired files or unequal sizes.
    """
    rows: list[dict[str, Any]] = []
    pairs = match_pairs(image_files(restored), image_files(target))
    for pair in pairs:
        rows += score_rows(pair.name, read_rgb(pair.input), read_rgb(pair.target))
    table = write_scores(rows, out)
    digests = {p.name: sha256(p.input) for p in pairs} | {
        f"target {p.name}": sha256(p.target) for p in pairs
    }
    provenance.write_record(out, inputs=digests)
    return table


def score_rows(
    name: str, restored: np.ndarray, target: np.ndarray, rainy: np.ndarray | None = None
) -> list[dict[str, Any]]:
    """One row per protocol: image, protocol, psnr, ssim and, given the rainy image, its scores."""
    try:
        scores = score_all(restored, target)
    except BenchError as error:
        raise BenchError(f"{name}: {error}") from error
    before = score_all(rainy, target) if rainy is not None else {}
    rows = []
    for protocol, (psnr, ssim) in scores.items():
        row = {"image": name, "protocol": protocol, "psnr": psnr, "ssim": ssim}
        if before:
            row["psnr_input"], row["ssim_input"] = before[protocol]
        rows.append(row)
    return rows


def write_scores(rows: list[dict[str, Any]], path: Path) -> pd.DataFrame:
    """Writes per-image scores with enough digits to compare runs exactly."""
    columns = ["image", "protocol", "psnr", "ssim", "psnr_input", "ssim_input"]
    table = pd.DataFrame(rows, columns=columns)
    if rows and "psnr_input" not in rows[0]:
        table = table.drop(columns=["psnr_input", "ssim_input"])
    write_text(path, table.to_csv(index=False, float_format="%.10g"))
    return table


def summarise(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Means over images, by protocol."""
    if table.empty:
        return {}
    means = table.groupby("protocol", sort=False).mean(numeric_only=True)
    return means.round(6).to_dict(orient="index")
