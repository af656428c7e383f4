"""Keeps a configuration's results as reference: results/NAME -> results/reference/NAME.

python tools/reference.py smoke
python tools/reference.py real --replay

Tables, figures, scores, counts, histories and provenance are kept: all that `derainbench check`
compares and `derainbench replay` computes from. Weights, logs, the report and images are not, nor
strips of images, which take megabytes.

With --replay no results are needed: from the scores, counts and histories that the reference holds, all
that follows from them is computed anew and replaces what it holds, records included; also what follows
from code alone (structure, cross-checks). The drifts that this makes are printed.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

from derainbench.archive.replay import replay

RESULTS = Path(__file__).resolve().parent.parent / "results"
KEPT = (
    "config.json",
    *("tables/*", "audit/*", "figures/*.svg", "figures/*.png", "figures/*.json"),
    *("papers/*/*.csv", "papers/*/*.md", "papers/*/*.tex", "papers/*/*.json"),
    *("runs/*/*/*.json", "runs/*/*/history.csv", "scores/*/*/*/*.csv", "scores/*/*/*/*.json"),
    *(
        "structure/models.csv*",
        "structure/arguments.json",
        "gradients/*",
        "energy/*/*/*",
        "scenarios/*",
        "crosscheck/*",
    ),
    *("rated/*/*.csv*", "rated/*/*/*.csv*"),
    *("estimators/*/*", "joules/*/*", "spikes/*/*/*.csv", "spikes/*/*/*.json"),
    *("data/*/*.json", "data/*/images.csv", "data/*/card.*", "leaks/*.csv", "leaks/*.json"),
)


def keep(name: str, results: Path | None = None) -> None:
    """Replaces the reference of a configuration by what is kept of its results.

    Args:
        name: of the configuration.
        results: their folder; default: results/NAME.
    """
    source, target = results or RESULTS / name, RESULTS / "reference" / name
    shutil.rmtree(target, ignore_errors=True)
    for pattern in KEPT:
        for file in source.glob(pattern):
            if file.name.startswith("strip-") or file.is_dir():
                continue
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def keep_replayed(name: str) -> None:
    """Replaces what follows from the scores and counts of a reference."""
    with tempfile.TemporaryDirectory() as folder:
        found = replay(RESULTS / "reference" / name, Path(folder) / name, from_code=True)
        keep(name, Path(folder) / name)
    for line in (*found.comparison.all_drifts(), found.note(), found.comparison.summary()):
        print(line)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the configuration")
    parser.add_argument("--replay", action="store_true", help="from the reference itself")
    asked = parser.parse_args()
    if asked.replay:
        keep_replayed(asked.name)
    else:
        keep(asked.name)
