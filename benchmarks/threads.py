"""How far another number of threads moves a training, and the bounds that `derainbench check` takes from it.

    python benchmarks/threads.py            # trains, measures, keeps: about ten minutes of one core
    python benchmarks/tolerances_page.py    # the catalogue's bounds and docs/endurance.md, from what is kept

Small networks of ``config/smoke.yaml`` are trained through the workflow with one thread and with two, by
several seeds; the network whose layers can be computed in two ways also by the way it was written.
Weights, histories, scores, counts and prices of the two folders are compared number by number.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from tolerances import differences, in_work_folder, largest, needed_factor, weights_apart  # noqa: E402

from derainbench.audit import drift  # noqa: E402
from derainbench.audit.retraining import SELECTION  # noqa: E402
from derainbench.catalog import tolerances  # noqa: E402
from derainbench.config import schema  # noqa: E402
from derainbench.foundation import provenance  # noqa: E402
from derainbench.foundation.files import sha256, write_json, write_text  # noqa: E402
from derainbench.results.layout import layout_of  # noqa: E402

SMOKE = ROOT / "config" / "smoke.yaml"
OUT = ROOT / "results" / "reference" / "threads"
SEEDS = (1, 2, 3)
SEEDS_AS_WRITTEN = (1,)
THREADS = (1, 2)
# Smoke's trainings at half their steps and on smaller crops; the youngest paper's as smoke has it.
SMALLER = {"crop": 32, "val_crop": 64}
TRAINED_ON = 14  # images
RUNS = ("esdnet", "esdnet-ann", "nafnet", "spikerain")
AS_WRITTEN = "esdnet-reference"  # the run whose layers are those of the network as it was written


def seeds_of(run: str) -> list[int]:
    """The seeds of a run."""
    return list(SEEDS_AS_WRITTEN if run == AS_WRITTEN else SEEDS)


def configuration(threads: int) -> dict[str, Any]:
    """The trainings, as a configuration."""
    content = yaml.safe_load(SMOKE.read_text("utf-8"))
    runs = {name: content["runs"][name] for name in RUNS}
    runs["esdnet"]["kwargs"] = runs["esdnet"]["kwargs"] | {"T": 2}
    runs[AS_WRITTEN] = json.loads(json.dumps(runs["esdnet"]))
    for name, run in runs.items():
        train = run["train"] = run["train"] | {"seeds": seeds_of(name), "monitor": False}
        small = SMALLER if train["set"]["crop"] > SMALLER["crop"] else {}
        layers = {"layers": "reference"} if name == AS_WRITTEN else {}
        train["set"] = train["set"] | small | layers
    heavy = content["datasets"]["synthetic-heavy"] | {"train": TRAINED_ON, "test": 2}
    return content | {
        "name": "threads",
        "title": "Trainings with one thread and with two",
        "papers": ["esdnet"],
        "datasets": {"synthetic-heavy": heavy},
        "runs": runs,
        "energy": {"size": 128, "images": 1},
        "threads": {"train": threads, "infer": 1},
    }


def computed(folder: Path, threads: int) -> Path:
    """Trains, scores and counts in a folder, which may hold what another number of threads gave.

    Args:
        folder: to work in.
        threads: of a training.

    Returns:
        The folder of the results.
    """
    folder.mkdir(exist_ok=True)
    file = folder / "threads.json"
    file.write_text(json.dumps(configuration(threads)), encoding="utf-8")
    config = schema.load(file)
    layout = layout_of(config)
    wanted = [layout.per_image(*evaluation) for evaluation in config.evaluations()]
    # Named, or a training that was stopped while it was trained anew would leave the scores before it.
    wanted += [
        layout.weights(run, f"seed-{n}") for run in (*RUNS, AS_WRITTEN) for n in seeds_of(run)
    ]
    wanted += [layout.scenarios / f"{name}.csv" for name in ("energy", "savings")]
    command = [sys.executable, "-m", "derainbench.workflow", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", str(file), "--cores", "2", "--"]
    # A thread that waits does not keep the core that the other one is to run on.
    environment = os.environ | {"OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT)}
    subprocess.run([*command, *map(str, wanted)], check=True, cwd=folder, env=environment)
    return folder / config.results


def trainings(one: Path, two: Path) -> pd.DataFrame:
    """What each training came to with one thread and with two: a row per run and seed.

    Columns: ``weights``, how far the weights are apart by the norm of their difference over their own;
    ``best_epoch_1`` and ``_2``; ``validation_psnr``, the largest difference of an epoch, dB.
    """
    rows = []
    for run in (*RUNS, AS_WRITTEN):
        for seed in seeds_of(run):
            folders = [side / "runs" / run / f"seed-{seed}" for side in (one, two)]
            a, b = (load_file(folder / "model.safetensors") for folder in folders)
            facts = [json.loads((folder / "training.json").read_text()) for folder in folders]
            psnr = [pd.read_csv(folder / "history.csv")[SELECTION] for folder in folders]
            rows.append(
                {
                    "run": run,
                    "seed": seed,
                    "weights": weights_apart(a, b),
                    **{
                        f"best_epoch_{n}": f["best_epoch"]
                        for n, f in zip(THREADS, facts, strict=True)
                    },
                    "validation_psnr": float((psnr[0] - psnr[1]).abs().max()),
                }
            )
    return pd.DataFrame(rows)


def same_layers(folder: Path) -> bool:
    """Whether both ways to compute the layers gave the same weights."""
    pairs = [
        [
            folder / "runs" / run / f"seed-{seed}" / "model.safetensors"
            for run in ("esdnet", AS_WRITTEN)
        ]
        for seed in SEEDS_AS_WRITTEN
    ]
    return all(weights_apart(*map(load_file, pair)) == 0 for pair in pairs)


def measured_bounds(found: pd.DataFrame) -> pd.DataFrame:
    """The largest difference of every tolerance, and the factor that the seeds call for.

    ``needed`` is how many times the largest difference of the other seeds a seed's largest one is, for
    the seed where that is most.
    """
    table = largest(found[found["kind"] != "text"])
    seeds = (found["file"] + " " + found["where"]).str.extract(r"seed-(\d+)")[0]
    known = found.assign(seed=seeds).dropna(subset="seed")
    by_seed = known.groupby(["tolerance", "kind", "seed"])["difference"].max()
    needed = [
        needed_factor(by_seed.get(pair, pd.Series(dtype=float)))
        for pair in zip(table["tolerance"], table["kind"], strict=True)
    ]
    return table.assign(needed=needed)


def measure(work: Path) -> None:
    """Trains with one thread and with two in a folder, and keeps what came of it."""
    folders = [work / str(threads) for threads in THREADS]
    first = computed(folders[0], THREADS[0])
    if not folders[1].is_dir():
        shutil.copytree(*folders)  # images and full-size structure, which no thread enters
    results = [first, computed(folders[1], THREADS[1])]
    rules = tolerances.load()
    found = differences(drift.compare(*results, rules), rules)
    rows = trainings(*results)
    layers = {str(n): same_layers(folder) for n, folder in zip(THREADS, results, strict=True)}
    for name, table in (("trainings", rows), ("bounds", measured_bounds(found))):
        write_text(OUT / f"{name}.csv", table.to_csv(index=False, float_format="%.4g"))
    write_json(OUT / "facts.json", {"processor": provenance.processor(), "same_layers": layers})
    kept = [OUT / f"{name}" for name in ("trainings.csv", "bounds.csv", "facts.json")]
    inputs = {"config/smoke.yaml": sha256(SMOKE)}
    provenance.write_record(*kept, inputs=inputs, settings={"config": configuration(THREADS[0])})


if __name__ == "__main__":
    in_work_folder(measure, __doc__)
