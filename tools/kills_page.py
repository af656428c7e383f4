"""Writes what the kept kill tests found into docs/endurance.md.

python tools/kills_page.py

``tools/killtest.py`` keeps them: one in results/reference/endurance, those of further configurations in
folders below it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from derainbench.foundation.files import write_text  # noqa: E402

DOC = ROOT / "docs" / "endurance.md"
REFERENCE = ROOT / "results" / "reference" / "endurance"
_BLOCK = re.compile(r"(<!-- by tools/kills_page.py.*?-->\n).*?(<!-- end -->)", re.DOTALL)


def kept() -> list[Path]:
    """Folders of the kill tests that are kept, one per configuration."""
    return [REFERENCE, *sorted(file.parent for file in REFERENCE.glob("*/kills.json"))]


def described(folder: Path) -> str:
    """What a kill test found, as a sentence and a table in Markdown."""
    facts = json.loads((folder / "kills.json").read_text("utf-8"))
    kills = pd.read_csv(folder / "kills.csv")
    table = kills.groupby(["victim", "signal"]).size().unstack(fill_value=0)
    lines = [
        f"| killed | {' | '.join(table.columns)} |",
        f"|---|{'---:|' * len(table.columns)}",
        *(
            f"| {v} | {' | '.join(map(str, row))} |"
            for v, row in zip(table.index, table.values, strict=True)
        ),
    ]
    rounds = facts["rounds"]
    load = gone = ""
    if "load" in facts:
        load = f" on {facts['cores']} cores with a mean load of {facts['load']}"
    if "gone_after" in kills:
        ending = kills["gone_after"]
        gone = f" Processes were gone {ending.median():.1f} s after the kill (median), the last {ending.max():.0f} s."
    found = (
        f"{facts['kills']} kills of the configuration `{facts['configuration']}` over {rounds} "
        f"run{'s' * (rounds > 1)} from nothing, which took {facts['seconds_undisturbed']:.0f} s undisturbed"
        f"{load}: {facts['compared']} score tables, histories and weights compared, "
        f"{facts.get('different', 0)} different; {facts.get('lock_exceptions', 0)} starts refused for a "
        f"lock, {facts.get('stuck', 0)} runs stuck, {int(kills['outlived'].sum())} processes that outlived "
        f"their run, {facts.get('tracebacks', 0)} tracebacks, {facts.get('leftovers', 0)} temporaries left.{gone}"
    )
    return "\n".join(["", found, "", *lines, ""])


def write_doc() -> None:
    """Puts what the committed test found into docs/endurance.md."""
    text = DOC.read_text("utf-8")
    block = "".join(map(described, kept()))
    write_text(DOC, _BLOCK.sub(lambda match: f"{match[1]}{block}{match[2]}", text))


if __name__ == "__main__":
    write_doc()
