"""The bounds that `derainbench check` takes from kept measurements, and what docs/endurance.md says of them.

python benchmarks/tolerances_page.py

Writes the catalogue's measured tolerances and the document's sections from what ``benchmarks/threads.py``,
``benchmarks/processors.py`` and ``benchmarks/tolerances.py --keep`` have kept. Nothing is computed anew.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import processors  # noqa: E402
import threads  # noqa: E402
from tolerances import MACHINES  # noqa: E402

from derainbench.catalog import tolerances  # noqa: E402
from derainbench.catalog.files import CATALOG  # noqa: E402
from derainbench.foundation.files import write_text  # noqa: E402

DOC = ROOT / "docs" / "endurance.md"
BOUNDS = CATALOG / tolerances.CATALOG_FILES[1]
MEASUREMENTS = {"threads": threads.OUT / "bounds.csv", "retrained": processors.OUT / "bounds.csv"}
# A bound is this many times the largest difference that was measured. What the factor has to cover is
# known: the largest difference with a seed, or a kind of processor, over that without (column `needed`).
FACTOR = 2
# Not measured, but follows: how far a difference of two sets' means moves, each by as much as `psnr_mean`.
DERIVED = {"difference": (2, "psnr_mean")}
WORDS = {
    "loss": "loss of an epoch",
    "psnr": "PSNR of an image",
    "psnr_mean": "mean PSNR of a set, validation included",
    "ssim": "SSIM of an image",
    "ssim_mean": "mean SSIM of a set",
    "rate": "firing rate, of a network or of a layer on an image",
    "rate_interval": "end of a firing rate's interval",
    "ratio": "ratio of two firing rates",
    "operations": "operations on spikes and non-zero inputs",
    "energy": "energy",
    "saving": "saving, a share of the baseline's energy",
    "saving_interval": "end of a saving's interval",
}
_DECIBEL = ("psnr", "psnr_mean")
_BLOCK = r"(<!-- by benchmarks/tolerances_page.py{} -->\n).*?(<!-- end -->)"


def bounds(kept: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The tolerances that follow from a kept table, in the forms that the catalogue asks for.

    Rounded up to two digits, and never tighter than for equal weights.
    """
    found = {}
    for name, level in tolerances.load().tolerances.items():
        if level.measured is None:
            continue
        times, source = DERIVED.get(name, (1, name))
        forms = ("absolute", "relative") if level.measured == "share" else (level.measured,)
        known = {form: largest_of(kept, source, form) for form in forms}
        if all(value is not None for value in known.values()):
            found[name] = {
                form: max(_rounded_up(FACTOR * times * value), getattr(level.same, form))
                for form, value in known.items()
            }
    return found


def largest_of(kept: pd.DataFrame, name: str, form: str) -> float | None:
    """The largest difference of a kept table; None if there were no such numbers."""
    rows = kept[(kept["tolerance"] == name) & (kept["kind"] == form)]
    return float(rows["difference"].iloc[0]) if len(rows) else None


def _rounded_up(value: float) -> float:
    if not value:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.2g}")


def catalogue(measurements: Mapping[str, Path]) -> str:
    """The text of the catalogue's file.

    Args:
        measurements: the kept table by level.
    """
    head = (
        "# How far numbers of a training move with another number of threads, and on another kind of\n"
        "# processor (`retrained`). Written by `python benchmarks/tolerances_page.py` from the measurements\n"
        "# that `source` names, never by hand: each is `factor` times the largest difference measured,\n"
        "# rounded up to two digits.\n"
    )
    content = {
        level: {
            "source": file.relative_to(ROOT).as_posix(),
            "factor": FACTOR,
            "tolerances": bounds(pd.read_csv(file)),
        }
        for level, file in measurements.items()
    }
    return head + yaml.safe_dump(content, sort_keys=False)


def described_threads() -> str:
    """What was measured of threads, in Markdown."""
    rows = pd.read_csv(threads.OUT / "trainings.csv")
    facts = json.loads((threads.OUT / "facts.json").read_text("utf-8"))
    moved = rows[rows["best_epoch_1"] != rows["best_epoch_2"]]
    same = [
        "the same bytes" if facts["same_layers"][str(n)] else "other weights"
        for n in threads.THREADS
    ]
    said = (
        f"{len(rows)} trainings with one thread and with two on {facts['processor']}: "
        f"{rows['run'].nunique()} runs, {rows['seed'].nunique()} seeds. Layers as written and the faster "
        f"exact ones gave {same[0]} with one thread and {same[1]} with two. The best epoch is another "
        f"one in {len(moved)} of {len(rows)}."
    )
    return _described(said, rows, MEASUREMENTS["threads"], "seed")


def described_processors() -> str:
    """What was measured of kinds of processor, in Markdown."""
    rows = pd.read_csv(processors.OUT / "trainings.csv")
    facts = json.loads((processors.OUT / "facts.json").read_text("utf-8"))
    moved = rows[rows["best_epoch"] != rows["best_epoch_as_it_is"]]
    kinds = len(facts["kinds"])
    said = (
        f"The smoke configuration on {facts['processor']} with {facts['instructions']} as it is, and with "
        f"the instructions of {kinds - 1} lesser kinds; {rows['run'].nunique()} trainings each. Every two "
        f"of the {kinds} were compared, {kinds * (kinds - 1) // 2} pairs. The best epoch is another one "
        f"than on the processor as it is in {len(moved)} of {len(rows)}."
    )
    return _described(said, rows, MEASUREMENTS["retrained"], "kind")


def _described(said: str, rows: pd.DataFrame, file: Path, part: str) -> str:
    kept = pd.read_csv(file)
    lines = [
        "",
        said,
        "",
        "| run | weights apart | validation PSNR apart, dB |",
        "|---|---:|---:|",
    ]
    for run, own in rows.groupby("run", sort=False):
        low, high = own["weights"].min(), own["weights"].max()
        lines.append(f"| {run} | {low:.2g} to {high:.2g} | {own['validation_psnr'].max():.2g} |")
    lines += [
        "",
        "| number | largest difference | `check` allows |",
        "|---|---:|---:|",
    ]
    for name, bound in bounds(kept).items():
        if name not in WORDS:
            continue
        for form, value in bound.items():
            word = WORDS[name]
            if len(bound) == 2:
                word += {"absolute": ": up to 1", "relative": ": beyond 1"}[form]
            most = largest_of(kept, name, form)
            lines.append(f"| {word} | {_shown(name, form, most)} | {_shown(name, form, value)} |")
    forms = {(name, form) for name, bound in bounds(kept).items() for form in bound}
    used = [pair in forms for pair in zip(kept["tolerance"], kept["kind"], strict=True)]
    lines += [
        "",
        f"`check` allows {FACTOR} times the largest difference: few trainings are no bound for others. What "
        f"the factor has to cover was looked at as well: no {part}'s largest difference is more than "
        f"{kept.loc[used, 'needed'].max():.2g} times that of the others.",
        "",
    ]
    return "\n".join(lines)


def _shown(name: str, kind: str, value: float) -> str:
    if kind == "relative":
        return f"{float(f'{value * 100:.2g}'):g} %"
    return f"{value:.2g} dB" if name in _DECIBEL else f"{value:.2g}"


def machines() -> str:
    """The other machines that somebody measured, as a table in Markdown."""
    files = sorted(MACHINES.glob("*.csv"))
    if not files:
        return "\nNobody has sent one yet.\n"
    lines = [
        "",
        "| machine | PSNR of an image, dB | mean PSNR, dB | energy |",
        "|---|---:|---:|---:|",
    ]
    for file in files:
        table = pd.read_csv(file).set_index(["tolerance", "kind"])["difference"]
        psnr, mean = (table[(name, "absolute")] for name in _DECIBEL)
        energy = table[("energy", "relative")]
        lines.append(f"| {file.stem} | {psnr:.2g} | {mean:.2g} | {energy * 100:.2g} % |")
    return "\n".join([*lines, ""])


def write() -> None:
    """Writes the catalogue's bounds and the document."""
    write_text(BOUNDS, catalogue(MEASUREMENTS))
    text = DOC.read_text("utf-8")
    for name, block in (
        (" from results/reference/threads", described_threads()),
        (" from results/reference/processors", described_processors()),
        (", machines", machines()),
    ):
        text = re.sub(
            _BLOCK.format(name), lambda m, b=block: f"{m[1]}{b}{m[2]}", text, flags=re.DOTALL
        )
    write_text(DOC, text)


if __name__ == "__main__":
    write()
