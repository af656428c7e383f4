"""How time and memory of scoring, prices, verdicts, tables and page grow with what they are given.

python benchmarks/scaling.py [results/smoke]

Copies a finished folder of results with 3 and 10 times as many images, runs or seeds, calls every
verb on the copy as a process of its own, and writes ``results/reference/scaling/scaling.csv`` and
``scaling.md``. Nothing is trained: the further runs and seeds are copies of those that are there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from derainbench.config.schema import Config, load
from derainbench.foundation import provenance
from derainbench.foundation.files import digest_of, write_text

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "reference" / "scaling"
FACTORS = (1, 3, 10)
IMAGES, SEEDS, RUNS = VARIED = ("images", "seeds", "runs")
VERBS = ("scenarios", "audit", "tables", "report")
# What is neither read by these verbs nor small.
LEFT_OUT = shutil.ignore_patterns("made", "logs", "benchmarks", "*.safetensors", "images")
BY_RUN = ("runs", "scores", "energy", "spikes", "estimators", "rated")
PAIRS, SIDE = 12, 256  # images that are scored at once the amount, and pixels of their sides


def again(number: int, name: str) -> str:
    """The name of a copy; the first is the original."""
    return f"{name}-{number}" if number else name


def enlarged(base: Path, work: Path, varied: str, factor: int) -> Path:
    """Copies a folder of results with some times as many images, runs or seeds.

    Args:
        base: the results.
        work: folder in which ``results/NAME`` is made.
        varied: "images", "runs" or "seeds".
        factor: how many times as many.

    Returns:
        The configuration of the copy.
    """
    config = load(base / "config.json")
    out = work / config.results
    shutil.copytree(base, out, ignore=LEFT_OUT)
    grow = {IMAGES: more_images, SEEDS: more_seeds, RUNS: more_runs}[varied]
    write_text(out / "config.json", grow(config, out, factor).model_dump_json())
    return out / "config.json"


def more_images(config: Config, out: Path, factor: int) -> Config:
    """Every image's scores several times, under names of their own."""
    for file in out.glob("scores/*/*/*/per_image.csv"):
        scores = pd.read_csv(file)
        copies = [
            scores.assign(image=[again(i, n) for n in scores["image"]]) for i in range(factor)
        ]
        pd.concat(copies).to_csv(file, index=False)
    return config


def more_seeds(config: Config, out: Path, factor: int) -> Config:
    """Every trained run with several times as many seeds."""
    values = config.model_dump()
    for name, run in config.runs.items():
        if run.train is None:
            continue
        first = list(run.train.seeds)
        step = max(first) - min(first) + 1
        values["runs"][name]["train"]["seeds"] = [
            s + i * step for i in range(factor) for s in first
        ]
        for i in range(1, factor):
            for seed in first:
                for part in BY_RUN:
                    for file in list((out / part / name).glob(f"seed-{seed}*")):
                        new = file.name.replace(f"seed-{seed}", f"seed-{seed + i * step}", 1)
                        copied(file, file.with_name(new))
    return Config.model_validate(values)


def more_runs(config: Config, out: Path, factor: int) -> Config:
    """Every run several times, with its figures."""
    values = config.model_dump()
    for name in config.runs:
        for i in range(1, factor):
            new = again(i, name)
            values["runs"][new] = values["runs"][name] | {"title": f"{config.runs[name].title} {i}"}
            for part in BY_RUN:
                if (out / part / name).exists():
                    copied(out / part / name, out / part / new)
            for file in list((out / "figures").glob(f"*-{name}.*")):
                copied(file, file.with_name(file.name.replace(f"-{name}.", f"-{new}.")))
    return Config.model_validate(values)


def copied(source: Path, target: Path) -> None:
    """A copy of a file or folder."""
    shutil.copytree(source, target) if source.is_dir() else shutil.copyfile(source, target)


def image_pairs(folder: Path, count: int) -> None:
    """Random restored and clean images."""
    random = np.random.default_rng(0)
    for side in ("restored", "target"):
        (folder / side).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / side / f"{i:04d}.png")


def measured(work: Path, *arguments: str) -> dict[str, float]:
    """Runs a verb; gives its seconds on the clock and of the processor, and its peak memory.

    Raises:
        subprocess.CalledProcessError: if it fails.
    """
    command = [sys.executable, "-m", "derainbench", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=work, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return {
        "seconds": round(time.monotonic() - started, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }


def measurements(base: Path) -> pd.DataFrame:
    """All of them: a row per verb, what is varied, and factor."""
    rows = []
    for factor in FACTORS:
        with tempfile.TemporaryDirectory() as folder:
            image_pairs(Path(folder), PAIRS * factor)
            options = ("--restored", "restored", "--target", "target", "--out", "scores.csv")
            found = measured(Path(folder), "score", *options)
        rows.append({"verb": "score", "varied": IMAGES, "factor": factor, **found})
        for varied in VARIED:
            with tempfile.TemporaryDirectory() as folder:
                config = enlarged(base, Path(folder), varied, factor)
                for verb in VERBS:
                    out = config.parent / verb
                    found = measured(Path(folder), verb, "--config", str(config), "--out", str(out))
                    rows.append({"verb": verb, "varied": varied, "factor": factor, **found})
                    print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def growth(table: pd.DataFrame) -> pd.DataFrame:
    """By verb and what is varied: processor seconds and memory at every factor, and the exponent.

    The exponent is that of the part that grows: log of ``(t10 - t1) / (t3 - t1)`` over that of
    ``(10 - 1) / (3 - 1)``; 1 is linear. It is left out where less than half a second is added.
    """
    rows = []
    for (verb, varied), group in table.groupby(["verb", "varied"], sort=False):
        by = group.set_index("factor")
        row: dict[str, object] = {"verb": verb, "varied": varied}
        row |= {f"CPU s, {f}x": by.loc[f, "cpu_seconds"] for f in FACTORS}
        row |= {f"MB, {f}x": by.loc[f, "peak_mb"] for f in FACTORS}
        first, middle, last = (float(by.loc[f, "cpu_seconds"]) for f in FACTORS)
        a, b, c = FACTORS
        if last - first >= 0.5 and middle > first:
            grown = np.log((last - first) / (middle - first)) / np.log((c - a) / (b - a))
            row["exponent"] = round(float(grown), 2)
        rows.append(row)
    return pd.DataFrame(rows)


def _shown(table: pd.DataFrame) -> str:
    return table.astype(object).where(table.notna(), "").to_markdown(index=False)


def main(base: Path) -> None:
    """Measures and writes the tables."""
    table = measurements(base.resolve())
    write_text(OUT / "scaling.csv", table.to_csv(index=False))
    write_text(OUT / "scaling.md", _shown(growth(table)) + "\n")
    files = [f for f in base.rglob("*.csv") if f.is_file()]
    provenance.write_record(OUT / "scaling.csv", inputs={base.name: digest_of(files, base)})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    finished = ROOT / "results" / "smoke"
    parser.add_argument("base", type=Path, nargs="?", default=finished, help="finished results")
    asked = parser.parse_args().base
    if not (asked / "config.json").is_file():
        parser.error(f"{asked}: no results of a configuration")
    main(asked)
