"""What the tolerances rest on: how far two folders of results of equal settings are apart.

python benchmarks/tolerances.py results/reference/smoke results/smoke

Prints for every named tolerance the largest differences and where they are, and what the records of both
folders differ in. With ``--keep NAME`` the table is kept as ``results/reference/machines/NAME.csv``: that
is how a machine that is not the reference's joins docs/endurance.md (``benchmarks/tolerances_page.py``).
Other processors are imitated by ``benchmarks/processors.py``.
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from derainbench.audit import drift
from derainbench.catalog import tolerances
from derainbench.foundation import provenance
from derainbench.foundation.files import write_text

MACHINES = Path(__file__).resolve().parent.parent / "results" / "reference" / "machines"
COLUMNS = ["tolerance", "kind", "file", "where", "difference"]


def differences(comparison: drift.Comparison, rules: tolerances.Tolerances) -> pd.DataFrame:
    """How far the numbers of two folders are apart.

    Args:
        comparison: of the folders.
        rules: that name the tolerance of each column.

    Returns:
        A row per number and kind, "absolute" or "relative" to the reference's, with the name of its
        tolerance ("exact" where a column has none). Of numbers that may be a share of little, absolute up
        to 1 and relative beyond. A cell that is a number in one folder only, or other
        text, is a row of kind "text" without a difference. Rows that no training enters are left out.
    """
    rows: list[tuple[str, str, str, str, float]] = []
    for file in comparison.files:
        rule = rules.rule(file.file)
        if rule is None:
            continue
        for key in file.matched:
            ours, theirs = file.reference_rows[key], file.result_rows[key]
            if not rule.trained(ours):
                continue
            for column in file.columns:
                name = rules.name_of(rule, column) or "exact"
                where = f"{drift.named(file.key, key)} {column}".strip()
                a, b = map(tolerances.numbers, (ours[column], theirs[column]))
                if len(a) != len(b) or (not a and ours[column] != theirs[column]):
                    rows.append((name, "text", file.file, where, 0.0))
                share = name in rules.tolerances and rules.tolerances[name].measured == "share"
                for x, y in zip(a, b, strict=False):
                    if not share or abs(x) <= 1:
                        rows.append((name, "absolute", file.file, where, abs(x - y)))
                    if abs(x) > 1 or (x and not share):
                        rows.append((name, "relative", file.file, where, abs(x - y) / abs(x)))
    return pd.DataFrame(rows, columns=COLUMNS)


def needed_factor(by_part: pd.Series) -> float:
    """How many times the largest difference of the other parts one's is, for the part where that is most.

    Args:
        by_part: the largest difference by part (seed, kind of processor).

    Returns:
        NaN if there is one part only, or the others show no difference.
    """
    own = by_part.sort_values(ascending=False)
    return own.iloc[0] / own.iloc[1] if len(own) > 1 and own.iloc[1] else math.nan


def weights_apart(a: Mapping[str, np.ndarray], b: Mapping[str, np.ndarray]) -> float:
    """The norm of the difference of two trainings' weights, over the norm of the first's."""
    pairs = [(a[name].astype(float), b[name].astype(float)) for name in a]
    difference = math.sqrt(sum(((x - y) ** 2).sum() for x, y in pairs))
    return difference / math.sqrt(sum((x**2).sum() for x, _ in pairs))


def largest(found: pd.DataFrame) -> pd.DataFrame:
    """The largest difference of every tolerance and kind, where it is, and of how many numbers."""
    groups = found.groupby(["tolerance", "kind"])["difference"]
    rows = found.loc[groups.idxmax()].reset_index(drop=True)
    return rows.assign(values=groups.count().to_numpy())


def in_work_folder(measure: Callable[[Path], None], description: str) -> None:
    """Runs a measurement that trains in a folder: that of ``--work``, to go on in, or one that goes."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--work", type=Path, help="folder to train in, and to go on in")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trainings-") as temporary:
        work = asked.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        measure(work.resolve())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("first", type=Path, help="a folder of results, the reference")
    parser.add_argument("second", type=Path, help="a folder of results of the same configuration")
    parser.add_argument("--keep", metavar="NAME", help="of the machine that made the second folder")
    asked = parser.parse_args()
    if asked.keep and not re.fullmatch(r"[a-z0-9][a-z0-9-]*", asked.keep):
        parser.error(f"--keep {asked.keep}: small letters, digits and hyphens")
    rules = tolerances.load()
    comparison = drift.compare(asked.first, asked.second, rules)
    table = largest(differences(comparison, rules))
    print(table.to_markdown(index=False, floatfmt=".3g"))
    print("", *(comparison.notes() or ["Equal weights."]), sep="\n")
    if asked.keep:
        file = MACHINES / f"{asked.keep}.csv"
        write_text(file, table.to_csv(index=False, float_format="%.4g"))
        provenance.write_record(file, settings={"differs": comparison.notes()})
        print(file)


if __name__ == "__main__":
    main()
