"""The verdicts as a table."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from derainbench.audit.ledger import KINDS
from derainbench.config import Config
from derainbench.report import collect
from derainbench.report.cells import Table


def claims(config: Config) -> Table:
    """A row per verdict of ``derainbench audit``."""
    frame = collect.read_table(Path(config.results) / "audit" / "claims.csv")
    frame.insert(0, "configuration", config.name)
    repeated = frame["claim"].duplicated()
    view = [
        {
            "Claim": "" if again else row["wording"],
            "Verdict": row["verdict"],
            "Reading": _text(row["reading"]),
            "Published": "" if again else _value(row["published"], row["unit"]),
            "Found": _value(row["measured"], row["unit"]),
            "95 % interval": ""
            if pd.isna(row["low"])
            else f"[{row['low']:.4g}, {row['high']:.4g}]",
            "Reason": row["reason"],
            "Stated in": "" if again else f"{row['source']} ({KINDS[row['kind']]})",
        }
        for (_, row), again in zip(frame.iterrows(), repeated, strict=True)
    ]
    caption = (
        "Every claim of the paper and its users, and what its code shows, with the verdict that "
        f"the configuration '{config.name}' allows. A claim whose answer depends on assumptions has "
        "one verdict for each. Files behind each: column evidence of the CSV."
    )
    return Table("claims", caption, frame, pd.DataFrame(view))


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)


def _value(value: float, unit: object) -> str:
    if pd.isna(value):
        return ""
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{number} {_text(unit)}".strip()
