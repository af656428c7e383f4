"""What the records of two folders of results say about weights that are not the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derainbench.catalog.tolerances import Level
from derainbench.foundation.documents import read_json_file
from derainbench.foundation.frames import read_csv

SELECTION = "selection_psnr_rgb"  # column of a history: what the best epoch is chosen by
_TRAINED = "runs/{}/model.safetensors.provenance.json"


@dataclass(frozen=True)
class OtherWeights:
    """A run whose weights are not the reference's.

    Attributes:
        run: RUN/VARIANT.
        level: the tolerances that its numbers are held to.
        reason: what the records of both trainings differ in, in words.
    """

    run: str
    level: Level
    reason: str


def other_weights(reference: Path, results: Path) -> list[OtherWeights]:
    """The runs that were scored with other weights than the reference's, by digests in the records.

    Args:
        reference: folder of results.
        results: folder of results.
    """
    scored = sorted(reference.glob("scores/*/*/*/*.provenance.json"))
    pairs = [(ours, results / ours.relative_to(reference)) for ours in scored]
    runs = dict.fromkeys(
        "/".join(ours.relative_to(reference).parts[1:3])
        for ours, theirs in pairs
        if theirs.is_file() and _weights(ours) != _weights(theirs)
    )
    return [_explained(run, reference, results) for run in runs]


def best_epochs(reference: Path, results: Path) -> Iterator[str]:
    """A line for every training whose best epoch is another one: how close the two epochs were.

    Two epochs of nearly equal PSNR on the validation images change places by rounding alone, and then
    the weights kept are of another moment of the training.

    Args:
        reference: folder of results.
        results: folder of results.
    """
    for file in sorted(reference.glob("runs/*/*/training.json")):
        other = results / file.relative_to(reference)
        if not other.is_file():
            continue
        ours, theirs = (_json(f).get("best_epoch") for f in (file, other))
        if ours is None or theirs is None or ours == theirs:
            continue
        gaps = [_gap(f.with_name("history.csv"), ours, theirs) for f in (file, other)]
        known = [gap for gap in gaps if gap is not None]
        close = f": validation PSNR of both within {max(known):.2g} dB" if len(known) == 2 else ""
        run = "/".join(file.relative_to(reference).parts[1:3])
        yield f"{run}: best epoch {theirs} instead of {ours}{close}"


def _gap(history: Path, first: int, second: int) -> float | None:
    """How far two epochs' PSNR are apart, dB; None where one was not measured."""
    if not history.is_file():
        return None
    rows = read_csv(history, "make it anew").set_index("epoch")
    if SELECTION not in rows or not {first, second} <= {*rows.index}:
        return None
    gap = abs(float(rows[SELECTION][first]) - float(rows[SELECTION][second]))
    return gap if gap == gap else None  # an epoch without validation


def _explained(run: str, reference: Path, results: Path) -> OtherWeights:
    files = [folder / _TRAINED.format(run) for folder in (reference, results)]
    if not all(file.is_file() for file in files):
        return OtherWeights(run, "retrained", "no record says how they were trained")
    ours, theirs = map(_json, files)
    reasons = [*_differences(ours, theirs)]
    threads = [record.get("threads") for record in (ours, theirs)]
    counts = f"{threads[1]} threads instead of {threads[0]}"
    if threads[0] != threads[1]:
        return OtherWeights(
            run, "retrained" if reasons else "threads", ", ".join([*reasons, counts])
        )
    unknown = "machine, threads, libraries and settings are recorded as the same: other code?"
    return OtherWeights(run, "retrained", ", ".join(reasons) or unknown)


def _differences(ours: dict[str, Any], theirs: dict[str, Any]) -> Iterator[str]:
    """What two trainings differ in, the number of threads apart."""
    for name in ("processor", "instructions"):
        a, b = (record.get("machine", {}).get(name) for record in (ours, theirs))
        if a and b and a != b:
            yield f"{name} {b} instead of {a}"
    for name in ("device", "accelerator"):
        a, b = ours.get(name), theirs.get(name)
        if a != b:
            yield f"{name} {b or 'none'} instead of {a or 'none'}"
    versions, others = ours.get("packages", {}), theirs.get("packages", {})
    for name in versions:
        if versions[name] != others.get(name):
            yield f"{name} {others.get(name, 'none')} instead of {versions[name]}"
    for name, words in (("seed", "another seed"), ("settings", "other settings")):
        if ours.get(name) != theirs.get(name):
            yield words
    if ours.get("inputs") != theirs.get("inputs"):
        yield "other images"


def _weights(record: Path) -> str | None:
    digest: str | None = _json(record).get("inputs", {}).get("weights")
    return digest


def _json(path: Path) -> dict[str, Any]:
    content = read_json_file(path, "make it anew")
    return content if isinstance(content, dict) else {}
