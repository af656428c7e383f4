"""Restoring and scoring image sets, into files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from derainbench.data.images import image_files, read_rgb, write_png
from derainbench.data.pairs import Split, dataset_digests, match_pairs, read_split
from derainbench.data.restored import OTHERS, match_restored
from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import sha256, write_json, write_text
from derainbench.foundation.outputs import staged_folder
from derainbench.foundation.progress import Reporter
from derainbench.metrics.infinite import counted, finite, infinite_images
from derainbench.metrics.scorer import Scorer

if TYPE_CHECKING:  # images that others made are scored without torch
    from derainbench.evaluation.restoration import Restorer


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
    return _score_split(
        split,
        lambda _, rainy: restorer.with_levels(rainy),
        out,
        restorer.settings,
        inputs | {"weights": sha256(restorer.weights)},
        device=str(restorer.device),
    )


def evaluate_images(
    restored: Path, split_folder: Path, out: Path, dataset: Path | None = None
) -> pd.DataFrame:
    """Scores images that others restored of a split, as :func:`evaluate` scores its own.

    Writes the same files; ``images/`` holds the same pixels as PNG, called as the rainy images. The
    provenance record has the digest of every image of theirs.

    Args:
        restored: folder of their images; see :func:`~derainbench.data.restored.match_restored`.
        split_folder: folder with ``input`` and maybe ``target``.
        out: folder to write to.
        dataset: ``dataset.json`` of the verified set, for the record.

    Returns:
        The rows of ``per_image.csv``; none without ground truth.

    Raises:
        BenchError: for unusable images, or such that are missing, too many, or of another size.
    """
    split = read_split(split_folder, need_target=False)
    files = match_restored(restored, split)
    inputs = dataset_digests(split, dataset)
    return _score_split(
        split,
        lambda name, _: (read_rgb(files[name]), None),
        out,
        {"model": OTHERS},
        inputs | {f"restored {file.name}": sha256(file) for file in files.values()},
    )


def _score_split(
    split: Split,
    restore: Callable[[str, np.ndarray], tuple[np.ndarray, np.ndarray | None]],
    out: Path,
    settings: dict[str, Any],
    inputs: dict[str, str],
    device: str | None = None,
) -> pd.DataFrame:
    """Writes what :func:`evaluate` writes.

    Args:
        split: the images.
        restore: from a rainy image's name and pixels, uint8 [H,W,3], to the restored pixels, and to
            the same before rounding where that is at hand.
        out: folder to write to.
        settings: of the restoration, ``model`` among them, for summary and record.
        inputs, device: for the record.
    """
    rows: list[dict[str, Any]] = []
    with staged_folder(out, ("images", "per_image.csv", "summary.json")) as stage:
        with Reporter(f"evaluate {settings['model']}", len(split.pairs)) as reporter:
            for pair in split.pairs:
                rainy = read_rgb(pair.input)
                restored, levels = restore(pair.name, rainy)
                write_png(stage / "images" / f"{Path(pair.name).stem}.png", restored)
                if pair.target:
                    target = read_rgb(pair.target)
                    of_image = score_rows(pair.name, restored, target, rainy, levels)
                    rows += of_image
                    first = of_image[0]
                    reporter.advance(f"{pair.name} {first['psnr']:.2f} dB ({first['protocol']})")
                else:
                    reporter.advance(pair.name)
        table = write_scores(rows, stage / "per_image.csv")
        facts = {**settings, "images": len(split.pairs)}
        write_json(stage / "summary.json", {**facts, "protocols": summarise(table)})
        provenance.write_record(
            stage / "per_image.csv", settings=settings, inputs=inputs, device=device
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
        rows += score_rows(pair.name, read_rgb(pair.input), read_rgb(pair.clean))
    table = write_scores(rows, out)
    digests = {p.name: sha256(p.input) for p in pairs} | {
        f"target {p.name}": sha256(p.clean) for p in pairs
    }
    provenance.write_record(out, inputs=digests)
    return table


def score_rows(
    name: str,
    restored: np.ndarray,
    target: np.ndarray,
    rainy: np.ndarray | None = None,
    unrounded: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """One row per protocol: image, protocol, psnr, ssim and, given the rainy image, its scores."""
    try:
        scorer = Scorer(target)
        scores = scorer(restored, unrounded)
        before = scorer(rainy) if rainy is not None else {}
    except BenchError as error:
        raise BenchError(f"{name}: {error}") from error
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


def summarise(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Means over images, by protocol.

    Infinite scores, of images equal to the ground truth, are left out: ``infinite_psnr`` says how
    many and ``infinite_psnr_images`` which, where there are any (``_input`` for the rainy images).
    A mean without any finite score is NaN, and ``psnr_reason`` says why.
    """
    summary: dict[str, dict[str, Any]] = {}
    if table.empty:
        return summary
    rounded = finite(table).groupby("protocol", sort=False).mean(numeric_only=True).round(6)
    for protocol, means in rounded.iterrows():
        rows = table[table["protocol"] == protocol]
        of_protocol: dict[str, Any] = {str(name): float(mean) for name, mean in means.items()}
        for column in means.index:
            if images := infinite_images(rows, column):
                of_protocol[f"infinite_{column}"] = len(images)
                of_protocol[f"infinite_{column}_images"] = images
                if len(images) == len(rows):
                    of_protocol[f"{column}_reason"] = "every image is equal to its ground truth"
        summary[str(protocol)] = of_protocol
    return summary


def summary_line(protocol: str, means: dict[str, Any]) -> str:
    """A protocol's means for people, and which images they leave out."""
    line = f"{protocol}: {_decibels(means, 'psnr')}, SSIM {means['ssim']:.4f}"
    if "psnr_input" in means:
        line += f" (rainy input {_decibels(means, 'psnr_input')}, {means['ssim_input']:.4f})"
    return line


def _decibels(means: dict[str, Any], column: str) -> str:
    """``31.234 dB``, and how many images are left out of it; or why there is no mean."""
    reason = means.get(f"{column}_reason")
    if reason:
        return f"no mean PSNR, {reason}"
    images = means.get(f"infinite_{column}_images")
    left_out = f" without {counted(images)} of infinite PSNR" if images else ""
    return f"{means[column]:.3f} dB{left_out}"
