"""The verdicts as a table."""

from __future__ import annotations

import pandas as pd

from derainbench.catalog.ledger import KINDS
from derainbench.catalog.papers import read_paper
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.report.tables.table import Table
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table


def claims(config: Config) -> Table:
    """A row per verdict of ``derainbench audit``."""
    frame = read_table(layout_of(config).claims)
    frame.insert(0, "configuration", config.name)
    repeated = frame[["paper", "claim"]].duplicated()
    titles = {name: read_paper(name).method for name in frame["paper"].unique()}
    view = [
        {
            "Paper": "" if again else titles[row["paper"]],
            "Claim": "" if again else row["wording"],
            "Verdict": row["verdict"],
            "Reading": _text(row["reading"]),
            "Published": "" if again else _value(row["published"], row["unit"]),
            "Found": _value(row["measured"], row["unit"]),
            "95 % interval": ""
            if is_empty(row["low"])
            else f"[{row['low']:.4g}, {row['high']:.4g}]",
            "Reason": row["reason"],
            "Stated in": "" if again else f"{row['source']} ({KINDS[row['kind']]})",
        }
        for row, again in zip(records(frame), repeated, strict=True)
    ]
    caption = (
        "Every claim of each paper and its users, and what its code shows, with the verdict that "
        f"the configuration '{config.name}' allows. A claim whose answer depends on assumptions has "
        "one verdict for each. Files behind each: column evidence of the CSV."
    )
    return Table("claims", caption, frame, pd.DataFrame(view))


def _text(value: object) -> str:
    return "" if is_empty(value) else str(value)


def _value(value: float, unit: object) -> str:
    if is_empty(value):
        return ""
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{number} {_text(unit)}".strip()
