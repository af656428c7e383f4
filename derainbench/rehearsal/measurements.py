"""What a rehearsal measured, gathered from its benchmark files and provenance records."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from derainbench.config.schema import Config
from derainbench.foundation import provenance
from derainbench.foundation.documents import read_json_file
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import RECORD_SUFFIX
from derainbench.rehearsal.derivation import PREFIX
from derainbench.results.layout import layout_of

FOOTPRINTS, MEASURED = "footprints.json", "measured.json"
AGAIN = "run `derainbench rehearse` again"


def gather(config: Config, rehearsal: Config, speed: float) -> dict[str, Any]:
    """Everything that a plan is computed from.

    Args:
        config: that was rehearsed.
        rehearsal: its derived configuration, all of whose jobs have run.
        speed: of convolutions on this device, floating point operations per second.

    Returns:
        configuration; device: its name, cores, processor, threads and speed; jobs: a row for every
        job with rule, name, seconds, cpu_seconds, memory_mb; trainings by run: steps, validation,
        peak memory, footprint, bytes of weights; images: bytes of a restored one by data set.

    Raises:
        BenchError: if a file of the rehearsal is missing.
    """
    files = layout_of(rehearsal)
    footprints = read_json_file(files.root / FOOTPRINTS, AGAIN)
    trainings, device = {}, None
    for name, run in rehearsal.runs.items():
        weights = files.weights(name, run.variants()[0])
        record = read_json_file(weights.with_name(weights.name + RECORD_SUFFIX), AGAIN)
        device = record["device"]
        trainings[name] = {
            **record["measured"],
            "footprint": footprints[name],
            "weights_bytes": weights.stat().st_size,
            "threads": record["threads"],
        }
    images = {
        dataset: _mean_size(files.scores(run, variant, dataset) / "images")
        for run, variant, dataset in rehearsal.evaluations()
    }
    here = provenance.record()
    return {
        "configuration": config.name,
        "device": {
            "name": device,
            "processor": here["machine"]["processor"],
            "cores": here["machine"]["cores"],
            "convolution_flops": speed,
        },
        "code": here["code"],
        "packages": here["packages"],
        "time": here["time"],
        "jobs": jobs(files.root / "benchmarks"),
        "trainings": trainings,
        "images": images,
    }


def jobs(folder: Path) -> list[dict[str, Any]]:
    """A row for every benchmark file of Snakemake below a folder.

    Returns:
        rule, name (its path below the rule's folder), seconds on the clock, cpu_seconds of all
        threads, memory_mb (largest resident set, of all its processes); None where Snakemake did not
        get to look, as in very short jobs.

    Raises:
        BenchError: if there is none.
    """
    rows = []
    for file in sorted(folder.rglob("*.tsv")):
        rule, *name = file.relative_to(folder).with_suffix("").parts
        with open(file, encoding="utf-8", newline="") as stream:
            row = next(csv.DictReader(stream, delimiter="\t"))
        rows.append(
            {
                "rule": rule,
                "name": "/".join(name),
                "seconds": _number(row["s"]),
                "cpu_seconds": _number(row["cpu_time"]),
                "memory_mb": _number(row["max_rss"]),
            }
        )
    if not rows:
        raise BenchError(f"{folder}: holds no benchmark files; {AGAIN}")
    return rows


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:  # "NA" and "-"
        return None


def _mean_size(folder: Path) -> int:
    sizes = [file.stat().st_size for file in folder.glob("*.png")]
    if not sizes:
        raise BenchError(f"{folder}: holds no restored images; {AGAIN}")
    return sum(sizes) // len(sizes)


def read_measured(config: Config, file: Path | None = None) -> dict[str, Any]:
    """What a rehearsal of a configuration took.

    Args:
        config: that was rehearsed.
        file: default: where a rehearsal writes it.

    Raises:
        BenchError: if there is none, or it is of another configuration.
    """
    file = file or Path(f"results/{PREFIX}{config.name}") / MEASURED
    found = read_json_file(file, AGAIN)
    if not isinstance(found, dict) or found.get("configuration") != config.name:
        raise BenchError(f"{file}: is no rehearsal of '{config.name}'")
    missing = config.runs.keys() - found["trainings"].keys()
    if missing:
        raise BenchError(f"{file}: does not know run '{min(missing)}'; {AGAIN}")
    return found
