"""Keeps a configuration's results as reference: results/NAME -> results/reference/NAME.

python tools/reference.py smoke

Tables, figures, scores, counts, histories and provenance are kept: all that `derainbench check`
compares. Weights, logs, the report and images are not, nor strips of images, which take megabytes.
"""

import shutil
import sys
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "results"
KEPT = (
    "config.json",
    *("tables/*", "audit/*", "figures/*.svg", "figures/*.png"),
    *("papers/*/*.csv", "papers/*/*.md", "papers/*/*.tex", "papers/*/*.json"),
    *("runs/*/*/*.json", "runs/*/*/history.csv", "scores/*/*/*/*.csv", "scores/*/*/*/*.json"),
    *(
        "structure/models.csv",
        "structure/arguments.json",
        "gradients/*",
        "energy/*/*/*",
        "scenarios/*",
        "crosscheck/*",
    ),
    *("estimators/*/*", "joules/*/*", "spikes/*/*/*.csv", "spikes/*/*/*.json"),
    *("data/*/*.json", "data/*/images.csv", "data/*/card.*", "leaks/*.csv", "leaks/*.json"),
)


def keep(name: str) -> None:
    """Replaces the reference of a configuration."""
    source, target = RESULTS / name, RESULTS / "reference" / name
    shutil.rmtree(target, ignore_errors=True)
    for pattern in KEPT:
        for file in source.glob(pattern):
            if file.name.startswith("strip-"):
                continue
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


if __name__ == "__main__":
    keep(sys.argv[1])
