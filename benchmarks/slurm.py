"""Trainings that a real SLURM interrupts, and a plan of a thousand jobs: figures for docs/endurance.md.

python benchmarks/slurm.py
python benchmarks/slurm.py --doc    # only the page, from what is kept

Starts a SLURM of one node (tools/slurm_node.py) and sends two trainings through profiles/slurm. Both are
preempted, which kills them without a word; one of them is then told to stop, as at the end of its time.
They go on, and are held to trainings that nobody disturbed. Writes results/reference/endurance/slurm.json.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from derainbench.foundation import provenance
from derainbench.foundation.files import sha256, write_json, write_text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from slurm_node import slurm_node

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "reference" / "endurance" / "slurm.json"
DOC = ROOT / "docs" / "endurance.md"
_BLOCK = re.compile(r"(<!-- by benchmarks/slurm.py.*?-->\n).*?(<!-- end -->)", re.DOTALL)
INPUTS = (
    "config/paper.yaml",
    "derainbench/catalog/resources.yaml",
    "profiles/slurm/profile.yaml",
    "tools/slurm_node.py",
)
SEEDS_OF_A_THOUSAND_JOBS = 6  # per run of config/paper.yaml
PATIENCE = 1800  # seconds until a run that hangs is given up
SEEDS = (1, 2)
CONFIG = {
    "name": "two",
    "label": "smoke",
    "title": "Two trainings",
    "papers": ["esdnet"],
    "device": "cpu",
    "datasets": {
        "rain": {"kind": "synthetic", "rain": "heavy", "size": 64, "train": 4, "val": 1, "test": 2}
    },
    "runs": {
        "tiny": {
            "model": "esdnet",
            "kwargs": {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]},
            "train": {
                "dataset": "rain",
                "seeds": list(SEEDS),
                "set": {
                    **{"epochs": 60, "warmup_epochs": 3, "batch_size": 2, "crop": 16},
                    **{"val_crop": 32, "validate_every": 10},
                },
            },
            "test": ["rain"],
        }
    },
    "figures": {"dataset": "rain"},
}
WEIGHTS = [f"results/two/runs/tiny/seed-{seed}/model.safetensors" for seed in SEEDS]


def thousand_jobs(folder: Path) -> Path:
    """Writes config/paper.yaml with more seeds, whose plan has more than a thousand jobs."""
    content = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text("utf-8"))
    for run in content["runs"].values():
        run["train"] = run["train"] | {"seeds": list(range(SEEDS_OF_A_THOUSAND_JOBS))}
    file = folder / "thousand.yaml"
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def plan(folder: Path) -> dict[str, Any]:
    """Plans these jobs in an empty folder: how many there are, and the seconds of one core."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [*_snakemake(folder, thousand_jobs(folder)), "--cores", "2", "-n", "--quiet", "rules"],
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    totals = re.findall(r"^total +(\d+)$", done.stdout + done.stderr, re.MULTILINE)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"jobs": int(totals[0]), "cpu_seconds": round(seconds, 1)}


def interrupted(folder: Path) -> dict[str, Any]:
    """Sends the trainings through SLURM and interrupts them; what became of the jobs."""
    config = folder / "two.yaml"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    started = time.monotonic()
    with slurm_node() as environment:
        profile = ["--workflow-profile", ROOT / "profiles" / "slurm", "--slurm-no-account"]
        profile += ["--slurm-status-command", "squeue"]
        profile += ["--slurm-init-seconds-before-status-checks", "1"]
        process = subprocess.Popen(
            [*_snakemake(folder, config), *profile, "--", *WEIGHTS], env=environment
        )
        try:
            first, *_ = _both_in_their_middle(folder, environment, process)
            urgent = ["-p", "urgent", "--exclusive", "--output=/dev/null", "--wrap", "sleep 1"]
            _slurm(environment, "sbatch", *urgent)
            preempted_after = [_resumed(folder, process, seed) for seed in SEEDS]
            _slurm(environment, "scancel", "--signal=TERM", first)
            status = process.wait(PATIENCE)
        finally:
            process.kill()
        shown = _slurm(environment, "scontrol", "show", "job")
        version = _slurm(environment, "sbatch", "--version").split()[1]
    if status:
        raise SystemExit("the interrupted workflow failed")
    jobs = [
        dict(part.split("=", 1) for part in job.split() if "=" in part)
        for job in shown.split("\n\n")
        if "JobId=" in job
    ]
    trainings = [job for job in jobs if "train" in job.get("Comment", "")]
    return {
        "slurm": version,
        "plugin": metadata.version("snakemake-executor-plugin-slurm"),
        "snakemake": metadata.version("snakemake"),
        "seconds": round(time.monotonic() - started, 1),
        "jobs": len(jobs),
        "trainings": {job["JobId"]: _outcome(job) for job in trainings},
        "told_to_stop": first,
        "resumed_after_epochs": {
            "preempted": preempted_after,
            "at the end": [_resumed(folder, process, seed) for seed in SEEDS],
        },
    }


def same_results(disturbed: Path, undisturbed: Path) -> dict[str, bool]:
    """Whether weights are the same byte for byte, and histories but for the seconds."""
    histories = [
        [
            pd.read_csv((folder / file).with_name("history.csv")).drop(columns="seconds")
            for file in WEIGHTS
        ]
        for folder in (disturbed, undisturbed)
    ]
    return {
        "same_weights": all(
            sha256(disturbed / file) == sha256(undisturbed / file) for file in WEIGHTS
        ),
        "same_histories": all(a.equals(b) for a, b in zip(*histories, strict=True)),
    }


def keep(planned: dict[str, Any], found: dict[str, Any]) -> None:
    """Writes the figures and their record."""
    write_json(OUT, {"plan": planned, "slurm": found})
    inputs = {name: sha256(ROOT / name) for name in INPUTS}
    provenance.write_record(OUT, settings={"config": CONFIG}, inputs=inputs)


def described() -> str:
    """What the kept run found, as sentences and a table in Markdown."""
    facts = json.loads(OUT.read_text("utf-8"))
    found, planned = facts["slurm"], facts["plan"]
    same = found["same_weights"] and found["same_histories"]
    first, second = found["resumed_after_epochs"]["preempted"]
    rows = [
        f"| {job}{' (told to stop)' * (job == found['told_to_stop'])} | {facts['state'].lower()} "
        f"| {facts['restarts']} | {facts['memory'].removesuffix('M')} |"
        for job, facts in found["trainings"].items()
    ]
    if found["told_to_stop"] not in found["trainings"]:
        rows.insert(0, f"| {found['told_to_stop']} (told to stop) | no longer listed | | |")
    return "\n".join(
        [
            "",
            f"SLURM {found['slurm']} with one node, Snakemake {found['snakemake']} and its plugin "
            f"{found['plugin']}: two trainings were preempted at once by a job of another partition, were "
            f"put back into the queue and went on after epoch {first} and epoch {second}. One was "
            f"then told to stop, as at the end of its time; its next attempt asked for more memory and went "
            f"on. Weights and histories of both are {'those' if same else 'NOT those'} of trainings that "
            f"nobody disturbed{', byte for byte' * same}.",
            "",
            "| job | ended | put back into the queue | memory, MB |",
            "|---:|---|---:|---:|",
            *rows,
            "",
            f"The plan of `config/paper.yaml` with {SEEDS_OF_A_THOUSAND_JOBS} seeds has "
            f"{planned['jobs']} jobs and takes {planned['cpu_seconds']:.0f} s of one core.",
            "",
        ]
    )


def write_doc() -> None:
    """Puts what the kept run found into docs/endurance.md."""
    text, block = DOC.read_text("utf-8"), described()
    write_text(DOC, _BLOCK.sub(lambda match: f"{match[1]}{block}{match[2]}", text))


def _snakemake(folder: Path, config: Path) -> list[Any]:
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile"]
    return [*command, "-d", folder, "--configfile", config]


def _slurm(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def _both_in_their_middle(
    folder: Path, environment: dict[str, str], process: subprocess.Popen
) -> list[str]:
    """Waits until both trainings have a checkpoint; gives their jobs."""
    end = time.monotonic() + PATIENCE
    while len(list((folder / ".derainbench" / "checkpoints").glob("[!.]*.pt"))) < len(SEEDS):
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit("the trainings did not come to their middle")
        time.sleep(0.1)
    running = _slurm(environment, "squeue", "--noheader", "--format=%i %k")
    return sorted(line.split()[0] for line in running.splitlines() if "train" in line)


def _outcome(job: dict[str, str]) -> dict[str, str]:
    names = {"JobState": "state", "Restarts": "restarts", "MinMemoryNode": "memory"}
    return {name: job[field] for field, name in names.items()}


def _resumed(folder: Path, process: subprocess.Popen, seed: int) -> int:
    """Waits until a training that was interrupted runs again; gives the epochs it had done."""
    log = folder / f"results/two/logs/train/tiny/seed-{seed}.log"
    end = time.monotonic() + PATIENCE
    while not (found := re.search(r"resumed after (\d+) of", _text(log))):
        if process.poll() or time.monotonic() > end:
            raise SystemExit(f"the training with seed {seed} did not go on")
        time.sleep(0.1)
    return int(found[1])


def _text(file: Path) -> str:
    return file.read_text("utf-8") if file.is_file() else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--doc", action="store_true", help="only write docs/endurance.md")
    if not parser.parse_args().doc:
        measure()
    write_doc()


def measure() -> None:
    """Interrupts the trainings, and keeps what came of it."""
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name) / part for part in ("plan", "disturbed", "undisturbed")]
        for folder in folders:
            folder.mkdir()
        planned = plan(folders[0])
        print(planned, flush=True)
        found = interrupted(folders[1])
        print(found, flush=True)
        command = _snakemake(folders[2], folders[1] / "two.yaml")
        subprocess.run([*command, "--cores", "1", "--quiet", "all", "--", *WEIGHTS], check=True)
        found |= same_results(folders[1], folders[2])
    keep(planned, found)
    print(OUT.read_text("utf-8"))


if __name__ == "__main__":
    main()
