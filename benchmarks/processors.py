"""How far another kind of processor moves a training, and the bounds that `derainbench check` takes from it.

    python benchmarks/processors.py          # trains smoke once per kind: about five minutes of two cores each
    python benchmarks/tolerances_page.py     # the catalogue's bounds and docs/endurance.md, from what is kept

The smoke configuration is trained, scored, counted and audited with fewer vector instructions than the
processor has, by what torch's libraries offer for it: sums round differently, as on other processors.
Every two of the folders are compared number by number.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from tolerances import differences, in_work_folder, largest, weights_apart  # noqa: E402

from derainbench.audit import drift  # noqa: E402
from derainbench.audit.retraining import SELECTION  # noqa: E402
from derainbench.catalog import tolerances  # noqa: E402
from derainbench.catalog.model_cards import model_card  # noqa: E402
from derainbench.config import schema  # noqa: E402
from derainbench.foundation import provenance  # noqa: E402
from derainbench.foundation.files import sha256, write_json, write_text  # noqa: E402
from derainbench.results.layout import layout_of  # noqa: E402

SMOKE = ROOT / "config" / "smoke.yaml"
OUT = ROOT / "results" / "reference" / "processors"
# Highest instructions of ATen's loops, of oneDNN's convolutions and of MKL's products of matrices.
KINDS = {
    "as it is": {},
    "avx2, sse41": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "avx2, avx": {"ONEDNN_MAX_CPU_ISA": "AVX", "MKL_CBWR": "AVX"},
    "default, avx2": {"ATEN_CPU_CAPABILITY": "default"},
    "default, avx": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "AVX"},
    "default, sse41": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
}
# What no training enters, made once and copied: images and full-size structure.
UNTRAINED = ("data", "structure", "gradients", "crosscheck", "leaks")
VARIANT = "seed-1234"
# The ends behind which lies all that is compared, but for papers' tables, which are the same numbers.
ENDS = ("audit/claims.csv", "tables/claims.csv", "scenarios/savings.csv")


def computed(folder: Path, environment: dict[str, str], like: Path | None) -> Path:
    """Trains smoke in a folder.

    Args:
        folder: to work in; what it holds already is not computed again.
        environment: variables that choose instructions.
        like: results of another kind, to copy what no training enters from.

    Returns:
        The folder of the results.
    """
    config = schema.load(SMOKE)
    results = folder / config.results
    layout = layout_of(config)
    spiking = [name for name, run in config.runs.items() if model_card(run.model).spiking]
    looked_at = [layout.spikes_answer(run, VARIANT) for run in spiking]
    if not folder.is_dir() and like:
        for name in UNTRAINED:
            shutil.copytree(like / name, results / name)
    folder.mkdir(exist_ok=True, parents=True)
    command = [sys.executable, "-m", "derainbench.workflow", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(SMOKE), "--cores", "2", "--rerun-triggers", "mtime"]
    command += ["--", *(f"{config.results}/{name}" for name in ENDS), *map(str, looked_at)]
    environment = os.environ | {"OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT)} | environment
    subprocess.run(command, check=True, cwd=folder, env=environment)
    return results


def pairs_compared(folders: dict[str, Path]) -> pd.DataFrame:
    """How far the numbers of every two folders are apart, with the two kinds of processor."""
    rules = tolerances.load()
    tables = []
    for first, second in itertools.combinations(folders, 2):
        found = differences(drift.compare(folders[first], folders[second], rules), rules)
        tables.append(found.assign(first=first, second=second))
    return pd.concat(tables, ignore_index=True)


def measured_bounds(found: pd.DataFrame) -> pd.DataFrame:
    """The largest difference of every tolerance, and the factor that the kinds of processor call for.

    ``needed`` is how many times the largest difference of pairs without a kind the largest one of all
    is, for the kind where that is most: what this kind would have done beyond bounds from the others.
    """
    found = found[found["kind"] != "text"]
    kinds = {*found["first"], *found["second"]}
    table = largest(found)
    needed = []
    for name, kind, most in table[["tolerance", "kind", "difference"]].itertuples(index=False):
        own = found[(found["tolerance"] == name) & (found["kind"] == kind)]
        without = [
            own.loc[(own["first"] != left) & (own["second"] != left), "difference"].max()
            for left in kinds
        ]
        needed.append(most / min(without) if min(without) > 0 else math.nan)
    return table.assign(needed=needed)


def trainings(folders: dict[str, Path]) -> pd.DataFrame:
    """How far every training on another kind is from that on the processor as it is.

    Columns: ``weights``, the norm of their difference over their own; ``validation_psnr``, the largest
    difference of an epoch, dB; ``best_epoch`` and ``best_epoch_as_it_is``.
    """
    rows = []
    (_, here), *others = folders.items()
    for (kind, there), file in itertools.product(
        others, sorted(here.glob("runs/*/*/training.json"))
    ):
        run = file.parent.relative_to(here)
        sides = [here / run, there / run]
        a, b = (load_file(side / "model.safetensors") for side in sides)
        psnr = [pd.read_csv(side / "history.csv")[SELECTION] for side in sides]
        best = [
            json.loads((side / "training.json").read_text("utf-8"))["best_epoch"] for side in sides
        ]
        rows.append(
            {
                "run": run.parts[1],
                "kind": kind,
                "weights": weights_apart(a, b),
                "validation_psnr": float((psnr[0] - psnr[1]).abs().max()),
                "best_epoch_as_it_is": best[0],
                "best_epoch": best[1],
            }
        )
    return pd.DataFrame(rows)


def measure(work: Path) -> None:
    """Trains smoke once per kind in a folder, and keeps what came of it."""
    folders: dict[str, Path] = {}
    for kind, environment in KINDS.items():
        like = next(iter(folders.values()), None)
        folders[kind] = computed(work / kind.replace(",", "").replace(" ", "-"), environment, like)
    tables = {
        "trainings": trainings(folders),
        "bounds": measured_bounds(pairs_compared(folders)),
    }
    for name, table in tables.items():
        write_text(OUT / f"{name}.csv", table.to_csv(index=False, float_format="%.4g"))
    machine = {"processor": provenance.processor(), "instructions": instructions(folders)}
    write_json(OUT / "facts.json", machine | {"kinds": KINDS})
    kept = [OUT / name for name in ("trainings.csv", "bounds.csv", "facts.json")]
    provenance.write_record(
        *kept, inputs={"config/smoke.yaml": sha256(SMOKE)}, settings={"kinds": KINDS}
    )


def instructions(folders: dict[str, Path]) -> str | None:
    """The vector instructions of the processor as it is, from a training's record."""
    record = next(next(iter(folders.values())).glob("runs/*/*/*.safetensors.provenance.json"))
    found: str | None = json.loads(record.read_text("utf-8"))["machine"]["instructions"]
    return found


if __name__ == "__main__":
    in_work_folder(measure, __doc__)
