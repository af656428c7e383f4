"""Is this copy of a data set the real thing? Every image is read; all findings, then a verdict."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from derainbench.catalog.dataset_entries import SPLITS, DatasetEntry, SplitFacts, known_digests
from derainbench.catalog.protocols import Protocol, protocols
from derainbench.data.findings import DEFAULT_PROTOCOL, STATUSES, Check, none_of
from derainbench.data.images import image_files, read_rgb
from derainbench.data.judgement import judge_split, status_of
from derainbench.data.pairs import Pair, pair_up
from derainbench.data.pixels import (
    background_key,
    orientation_of,
    perceptual_hashes,
    pixel_digest,
    rain_facts,
)
from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import digest_of, write_json, write_text
from derainbench.foundation.outputs import check_output_folder
from derainbench.foundation.progress import Reporter
from derainbench.metrics.full_reference import score, smallest_side
from derainbench.metrics.infinite import finite, infinite_images


def verify(
    folder: Path,
    entry: DatasetEntry | None = None,
    *,
    subset: bool = False,
    stand_in: bool = False,
    splits: Sequence[str] = (),
    out: Path | None = None,
    workers: int | None = None,
) -> dict[str, Any]:
    """Checks a set against the catalogue.

    Writes, if ``out`` is given, ``out/dataset.json`` (the findings), ``out/images.csv`` (a row per
    image: digests, hashes, scores) and a provenance record.

    Args:
        folder: set with ``train``, ``val``, ``test``, or a single split.
        entry: what it should be; None for a set that the catalogue does not know.
        subset: fewer images or splits than the catalogue says are no failure.
        stand_in: they are generated images in the set's place, held to its layout and sizes alone.
        splits: those that must be there; default: all of the catalogue's.
        out: folder for the findings.
        workers: threads; default: one per core.

    Returns:
        The content of ``dataset.json``: name, status, splits, checks.

    Raises:
        BenchError: if there is no split, or a split has no image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BenchError(f"{folder}: no such folder; get the set with `derainbench data fetch`")
    if stand_in and entry:
        entry, subset = _layout_alone(entry), True
    found = {s: folder / s for s in SPLITS if (folder / s / "input").is_dir()}
    found = found or {folder.name: folder}
    checks: list[Check] = []
    summaries: dict[str, Any] = {}
    tables = []
    for name in [*found, *(s for s in (entry.splits if entry else ()) if s not in found)]:
        facts = entry.splits.get(name) if entry else None
        if name not in found:
            verdict = "note" if subset or (splits and name not in splits) else "fail"
            checks.append(
                Check(name, "images", str((facts and facts.images) or "some"), "0", verdict)
            )
            continue
        table, of_split = _read_split(name, found[name], entry, facts, workers)
        of_split += judge_split(name, table, facts, subset)
        checks += of_split
        summaries[name] = _summary(name, found[name], table, facts)
        status = status_of(of_split, entry, facts)
        summaries[name]["status"] = "stand-in" if stand_in and status != "deviates" else status
        tables.append(table)
    if entry and not set(summaries) & set(entry.splits):
        raise BenchError(f"{folder}: has none of the splits of {entry.name}")
    # A split beside the catalogue's (a validation set of one's own) only counts if it is broken.
    statuses = [
        facts["status"]
        for name, facts in summaries.items()
        if not entry or name in entry.splits or facts["status"] == "deviates"
    ]
    if entry and set(entry.splits) - set(summaries):
        failed = any(c.verdict == "fail" for c in checks)
        statuses.append("deviates" if failed else "subset")
    content = {
        "name": entry.name if entry else folder.resolve().name,
        "kind": entry.kind if entry else "unlisted",
        "status": max(statuses, key=STATUSES.index),
        "splits": summaries,
        "checks": [asdict(c) for c in checks],
    }
    if out:
        check_output_folder(out, ("images.csv", "dataset.json"))
        rows = pd.concat(tables, ignore_index=True)
        write_text(out / "images.csv", rows.to_csv(index=False, float_format="%.10g"))
        write_json(out / "dataset.json", content)
        digests = {name: facts["digest"] for name, facts in summaries.items()}
        provenance.write_record(out / "dataset.json", out / "images.csv", inputs=digests)
    return content


def _layout_alone(entry: DatasetEntry) -> DatasetEntry:
    """A set's facts without those that only a true copy fulfils."""
    free = {"digests": None, "rainy": None}
    splits = {name: facts.model_copy(update=free) for name, facts in entry.splits.items()}
    return entry.model_copy(update={"splits": splits})


def _read_split(
    name: str,
    folder: Path,
    entry: DatasetEntry | None,
    facts: SplitFacts | None,
    workers: int | None,
) -> tuple[pd.DataFrame, list[Check]]:
    """Measures every image; the checks are those on files: readable, paired, of one size."""
    pairs, lonely = _pairs(folder)
    known = known_digests(facts.digests) if facts and facts.digests else {}
    protocol = protocols()[facts.rainy.protocol if facts and facts.rainy else DEFAULT_PROTOCOL]
    rows, unreadable, unequal, small = [], [], [], []

    reasons: list[str] = []

    def measure(pair: Pair) -> dict[str, Any] | str:
        try:
            return _measure(name, pair, known, protocol)
        except BenchError as error:
            return str(error)

    with (
        ThreadPoolExecutor(workers or os.cpu_count()) as pool,
        Reporter(f"verify {name}", len(pairs)) as reporter,
    ):
        for pair, row in zip(pairs, pool.map(measure, pairs), strict=True):
            if isinstance(row, str):
                unreadable.append(pair.name)
                reasons.append(row)
            elif row.pop("unequal"):
                unequal.append(pair.name)
            else:
                small += [pair.name] if row.pop("too_small") else []
                rows.append(row)
            reporter.advance()
    paired = any(p.target for p in pairs)
    checks = [none_of(name, "readable", unreadable)]
    if paired:
        checks += [none_of(name, "paired", lonely), none_of(name, "equal sizes", unequal)]
    if small:
        checks.append(none_of(name, "large enough for SSIM", small))
    if not rows:
        first = [*reasons, *(f"{n}: of another size than its partner" for n in unequal)]
        first += [f"{file}: has no partner" for file in lonely]
        raise BenchError(f"{folder}: no image is usable; {first[0]}")
    if entry and entry.kind in ("paired", "recomposited") and not paired:
        checks.append(Check(name, "ground truth", "yes", "none", "fail"))
    return pd.DataFrame(rows), checks


def _pairs(folder: Path) -> tuple[list[Pair], list[str]]:
    """All pairs, and the names of files without a partner."""
    inputs = image_files(folder / "input")
    if not (folder / "target").is_dir():
        return [Pair(f.name, f, None) for f in inputs], []
    pairs, lonely = pair_up(inputs, image_files(folder / "target"))
    return pairs, [f"{file.parent.name}/{file.name}" for file in lonely]


def _measure(
    split: str, pair: Pair, known: dict[tuple[str, str], str], protocol: Protocol
) -> dict[str, Any]:
    rainy = read_rgb(pair.input)
    clean = read_rgb(pair.target) if pair.target else None
    row: dict[str, Any] = {
        "split": split,
        "image": pair.name,
        "height": rainy.shape[0],
        "width": rainy.shape[1],
        "unequal": clean is not None and clean.shape != rainy.shape,
    }
    if row["unequal"]:
        return row
    background = rainy if clean is None else clean
    row["pixels_input"] = pixel_digest(rainy)
    row["pixels_target"] = pixel_digest(clean) if clean is not None else ""
    row["background"] = background_key(background)
    row["hashes"] = " ".join(perceptual_hashes(background))
    row["copy"] = _compare(pair, rainy, clean, known)
    row["too_small"] = min(rainy.shape[:2]) < smallest_side(protocol)
    if clean is not None:
        scores = (math.nan, math.nan) if row["too_small"] else score(rainy, clean, protocol)
        row["psnr"], row["ssim"] = scores
        facts = rain_facts(rainy, clean)
        row.update(asdict(facts))
    return row


def _compare(
    pair: Pair, rainy: np.ndarray, clean: np.ndarray | None, known: dict[tuple[str, str], str]
) -> str:
    """How both sides lie relative to the true copy: an orientation, "differs", "unlisted" or ""."""
    if not known:
        return ""
    answers = []
    for part, image, file in (("input", rainy, pair.input), ("target", clean, pair.target)):
        digest = known.get((part, file.stem)) if file else None
        answers.append(
            (orientation_of(image, digest) or "differs")
            if digest and image is not None
            else "unlisted"
        )
    return answers[0] if len(set(answers)) == 1 else "differs"


def _summary(
    name: str, folder: Path, table: pd.DataFrame, facts: SplitFacts | None
) -> dict[str, Any]:
    paired = "psnr" in table
    files = [
        f
        for side in ("input", "target")
        if (folder / side).is_dir()
        for f in image_files(folder / side)
    ]
    pixels = sorted(table.pixels_input + table.pixels_target)
    summary: dict[str, Any] = {
        "images": len(table),
        "paired": paired,
        "digest": digest_of(files, folder),
        "pixels": hashlib.sha256("\n".join(pixels).encode()).hexdigest(),
        "sizes": {f"{h}x{w}": len(rows) for (h, w), rows in table.groupby(["height", "width"])},
    }
    if paired:
        summary["protocol"] = facts.rainy.protocol if facts and facts.rainy else DEFAULT_PROTOCOL
        for column in ("psnr", "ssim", "streak_density", "mean_layer"):
            summary[column] = round(float(finite(table)[column].mean()), 6)
        if equal := infinite_images(table):  # rainy images without rain, left out of the mean
            summary["infinite_psnr_images"] = equal
    return summary
