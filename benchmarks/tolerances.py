"""What the tolerances rest on: how far two folders of results of equal settings are apart.

python benchmarks/tolerances.py results/reference/smoke results/smoke

Prints for every named tolerance the largest differences and where they are. Another processor is
imitated by fewer vector instructions, in front of the command that makes the second folder:

ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE snakemake --cores all
"""

import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd

from derainbench.audit import drift
from derainbench.catalog import tolerances


def main(first: Path, second: Path) -> None:
    """Prints the table."""
    rules = tolerances.load()
    found = defaultdict(list)
    comparison = drift.compare(first, second, rules)
    for file in comparison.files:
        rule = rules.rule(file.file)
        if rule is None:
            continue
        for key in file.matched:
            for column in file.columns:
                cells = file.reference_rows[key][column], file.result_rows[key][column]
                name = rules.name_of(rule, column) or "exact"
                a, b = map(tolerances.numbers, cells)
                if len(a) != len(b) or (not a and cells[0] != cells[1]):
                    found[name, "text"].append((0.0, f"{file.file} {column}: {cells}"))
                for x, y in zip(a, b, strict=False):
                    where = f"{file.file} {drift.named(file.key, key)} {column}"
                    found[name, "absolute"].append((abs(x - y), where))
                    if x:
                        found[name, "relative"].append((abs(x - y) / abs(x), where))
    rows = [(*name, len(values), *max(values)) for name, values in sorted(found.items())]
    table = pd.DataFrame(rows, columns=["tolerance", "kind", "values", "largest", "where"])
    print(table.to_markdown(index=False, floatfmt=".3g"))
    print(f"\n{comparison.note() or 'Equal weights.'}")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
