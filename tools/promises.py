"""What this version promises to keep, as it is now: python tools/promises.py

Writes tests/recorded/promises.json: verbs with their options, columns of results, keys of a configuration.
What disappears from it is a broken promise: docs/stability.md says in which versions that may be.
"""

import csv
import json
from pathlib import Path
from typing import Any

import typer.main

from derainbench.cli import app

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT / "tests" / "recorded" / "promises.json"
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.json"
REFERENCES = ROOT / "results" / "reference"
TABLES = ("tables/*.csv", "audit/claims.csv")
# One of each kind is written per network, data set or seed: promised by its name alone.
PER_RUN = ("per_image.csv", "layers.csv", "history.csv")


def verbs() -> dict[str, list[str]]:
    """Every shown verb, such as ``data fetch``, with its arguments and options."""
    found: dict[str, list[str]] = {}

    def visit(command: Any, name: str) -> None:
        for verb, inner in getattr(command, "commands", {}).items():
            if not inner.hidden:
                visit(inner, f"{name} {verb}".strip())
        if not hasattr(command, "commands"):
            names = [n for p in command.params for n in (*p.opts, *p.secondary_opts)]
            found[name] = sorted(names)

    visit(typer.main.get_group(app), "")
    return found


def columns() -> dict[str, list[str]]:
    """Columns of every table of results, by its place in ``results/NAME``; per run by its file name.

    Read off the kept references, to which `make check` holds what the code writes: columns that every
    table of that name has.
    """
    found: dict[str, set[str]] = {}
    for reference in sorted(REFERENCES.iterdir()):
        files = {f: f.relative_to(reference).as_posix() for p in TABLES for f in reference.glob(p)}
        files |= {f: f"…/{name}" for name in PER_RUN for f in reference.rglob(name)}
        for file, name in files.items():
            with file.open(encoding="utf-8", newline="") as stream:
                header = set(next(csv.reader(stream), []))
            if header:
                found[name] = found.get(name, header) & header
    return {name: sorted(header) for name, header in sorted(found.items())}


def configuration() -> dict[str, list[str]]:
    """Keys of every part of a configuration, by the part's name in the schema."""
    schema = json.loads(SCHEMA.read_text("utf-8"))
    parts = {"configuration": schema} | schema["$defs"]
    return {
        name: sorted(part["properties"]) for name, part in parts.items() if "properties" in part
    }


def promises() -> dict[str, dict[str, list[str]]]:
    """All of it, by kind."""
    return {"verbs": verbs(), "columns": columns(), "configuration": configuration()}


if __name__ == "__main__":
    text = json.dumps(promises(), indent=1, sort_keys=True, ensure_ascii=False)
    RECORDED.write_text(f"{text}\n", encoding="utf-8")
