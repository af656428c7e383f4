"""The bounds that `derainbench check` takes from kept measurements, and what docs/endurance.md says of them.

python benchmarks/threads_page.py

Writes the catalogue's tolerances of another number of threads and the document's section from what
``benchmarks/threads.py`` and ``benchmarks/tolerances.py --keep`` have kept. Nothing is computed anew.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path

import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from threads import OUT, THREADS  # noqa: E402
from tolerances import MACHINES  # noqa: E402

from derainbench.catalog import tolerances  # noqa: E402
from derainbench.catalog.files import CATALOG  # noqa: E402
from derainbench.foundation.files import write_text  # noqa: E402

DOC = ROOT / "docs" / "endurance.md"
BOUNDS = CATALOG / tolerances.CATALOG_FILES[1]
# A bound is this many times the largest difference that was measured. What the factor has to cover is
# known: the largest difference of a seed over that of the other seeds (column `needed`).
FACTOR = 2
# Not measured, but follows: how far a difference of two sets' means moves, each by as much as `psnr_mean`.
DERIVED = {"difference": (2, "psnr_mean")}
WORDS = {
    "loss": "loss of an epoch",
    "psnr": "PSNR of an image",
    "psnr_mean": "mean PSNR of a set, validation included",
    "ssim": "SSIM of an image",
    "ssim_mean": "mean SSIM of a set",
    "rate": "firing rate of a network",
    "operations": "operations on spikes and non-zero inputs",
    "energy": "energy",
    "saving": "saving, a share of the baseline's energy",
}
_DECIBEL = ("psnr", "psnr_mean")
_BLOCK = r"(<!-- by benchmarks/threads_page.py{} -->\n).*?(<!-- end -->)"


def bounds(kept: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The tolerances of another number of threads, from the kept table.

    In the form (absolute or relative) of the catalogue's tolerances of another training, for those that
    have one that is not left out; rounded up to two digits, and never tighter than for equal weights.
    """
    found = {}
    for name, level in tolerances.load().tolerances.items():
        wide = level.retrained
        if wide is None or wide.ignored:
            continue
        times, source = DERIVED.get(name, (1, name))
        kind = "absolute" if wide.absolute else "relative"
        rows = kept[(kept["tolerance"] == source) & (kept["kind"] == kind)]
        if len(rows):
            bound = _rounded_up(FACTOR * times * float(rows["difference"].iloc[0]))
            found[name] = {kind: max(bound, getattr(level.same, kind))}
    return found


def _rounded_up(value: float) -> float:
    if not value:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.2g}")


def catalogue(kept: pd.DataFrame) -> str:
    """The text of the catalogue's file."""
    head = (
        "# How far another number of threads moves numbers of a training. Written by\n"
        "# `python benchmarks/threads_page.py` from the measurement that `source` names, never by hand:\n"
        "# each is `factor` times the largest difference measured, rounded up to two digits.\n"
    )
    content = {
        "source": "results/reference/threads/bounds.csv",
        "factor": FACTOR,
        "tolerances": bounds(kept),
    }
    return head + yaml.safe_dump(content, sort_keys=False)


def described() -> str:
    """What was measured, in Markdown."""
    kept, rows = pd.read_csv(OUT / "bounds.csv"), pd.read_csv(OUT / "trainings.csv")
    facts = json.loads((OUT / "facts.json").read_text("utf-8"))
    moved = rows[rows["best_epoch_1"] != rows["best_epoch_2"]]
    same = ["the same bytes" if facts["same_layers"][str(n)] else "other weights" for n in THREADS]
    lines = [
        "",
        f"{len(rows)} trainings with one thread and with two on {facts['processor']}: "
        f"{rows['run'].nunique()} runs, {rows['seed'].nunique()} seeds. Layers as written and the faster "
        f"exact ones gave {same[0]} with one thread and {same[1]} with two. The best epoch is another "
        f"one in {len(moved)} of {len(rows)}.",
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
        ((kind, value),) = bound.items()
        is_row = (kept["tolerance"] == name) & (kept["kind"] == kind)
        most = float(kept[is_row]["difference"].iloc[0])
        lines.append(
            f"| {WORDS[name]} | {_shown(name, kind, most)} | {_shown(name, kind, value)} |"
        )
    needed = float(kept[kept["tolerance"].isin(WORDS)]["needed"].max())
    lines += [
        "",
        f"`check` allows {FACTOR} times the largest difference: few trainings are no bound for others. What "
        f"the factor has to cover was looked at as well: no seed's largest difference is more than "
        f"{needed:.2g} times that of the other seeds.",
        "",
    ]
    return "\n".join(lines)


def _shown(name: str, kind: str, value: float) -> str:
    if kind == "relative":
        return f"{value * 100:.2g} %"
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
    write_text(BOUNDS, catalogue(pd.read_csv(OUT / "bounds.csv")))
    text = DOC.read_text("utf-8")
    for name, block in (
        (" from results/reference/threads", described()),
        (", machines", machines()),
    ):
        text = re.sub(
            _BLOCK.format(name), lambda m, b=block: f"{m[1]}{b}{m[2]}", text, flags=re.DOTALL
        )
    write_text(DOC, text)


if __name__ == "__main__":
    write()
