"""The licence of every installed package as a CSV: python tools/licences.py OUT.csv

From the packages' own metadata; what these leave open stands in tools/licences.toml, with where it was
read. A package of which neither tells ends it with exit code 1 and names it.
"""

import argparse
import csv
import sys
import tomllib
from importlib import metadata
from pathlib import Path

SUPPLEMENT = Path(__file__).with_name("licences.toml")
LONGEST = 100  # characters; longer fields hold the text of the licence, not its name
UNTOLD = {"", "UNKNOWN", "License", "Dual License"}
OWN = "derainbench"


def told(facts: metadata.PackageMetadata) -> str:
    """A package's licence by its metadata: SPDX expression, classifiers, or field; else nothing."""
    classifiers = facts.get_all("Classifier") or []
    kinds = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    field = (facts.get("License") or "").strip()
    names = [
        facts.get("License-Expression") or "",
        " AND ".join(k for k in kinds if "OSI" not in k),
    ]
    names += [field if len(field) <= LONGEST and "\n" not in field else ""]
    return next((name for name in names if name not in UNTOLD), "")


def licences() -> list[dict[str, str]]:
    """Every installed package but this one, by name: ``package``, ``version``, ``licence``, ``source``.

    The licence is empty where nobody tells.
    """
    supplement = tomllib.loads(SUPPLEMENT.read_text("utf-8"))
    rows = {}
    for package in metadata.distributions():
        name = package.metadata["Name"].lower().replace("_", "-")
        own = told(package.metadata)
        known = supplement.get(name, {})
        licence, source = (own, "its metadata") if own else (known.get("licence", ""), "")
        row = {"package": name, "version": package.version, "licence": licence}
        rows[name] = row | {"source": source or known.get("source", "")}
    rows.pop(OWN, None)
    return [rows[name] for name in sorted(rows)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="the table, CSV")
    out = parser.parse_args().out
    found = licences()
    if unknown := [row["package"] for row in found if not row["licence"]]:
        sys.exit(
            f"no licence known of {', '.join(unknown)}: look it up, write it into {SUPPLEMENT}"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
