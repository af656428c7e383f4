"""Keeps a configuration's results as reference: results/NAME -> results/reference/NAME.

python tools/reference.py smoke

Tables, figures, scores, counts, histories and provenance are kept; weights, logs, the report and
images are not. Of data sets that are not generated here no picture is kept either.
"""

import json
import shutil
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "results"
KEPT = (
    "config.json",
    "structure/models.csv",
    "tables/*",
    "figures/pareto.*",
    "runs/*/*/*.json",
    "runs/*/*/history.csv",
)
KEPT += ("scores/*/*/*/*.csv", "scores/*/*/*/*.json", "energy/*/*/*", "data/*/*.json")
KEPT += ("scenarios/*", "spikes/*/*/*.csv", "spikes/*/*/*.json", "joules/*/*.json")
KEPT += ("data/*/images.csv", "data/*/card.*", "leaks/*.csv", "leaks/*.json")


def keep(name: str) -> None:
    """Replaces the reference of a configuration."""
    source, target = RESULTS / name, RESULTS / "reference" / name
    config = json.loads((source / "config.json").read_text())
    generated = all(d["kind"] == "synthetic" for d in config["datasets"].values())
    patterns = (*KEPT, "figures/strip-*") if generated else KEPT
    shutil.rmtree(target, ignore_errors=True)
    for pattern in patterns:
        for file in source.glob(pattern):
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


if __name__ == "__main__":
    keep(sys.argv[1])
