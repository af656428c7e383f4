"""What verifying a data set finds, and what its verdicts mean."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import pandas as pd

DEFAULT_PROTOCOL = "matlab-double"
# Best first; a set is as good as its worst split.
STATUSES = ("verified", "rotated", "complete", "subset", "unlisted", "stand-in", "deviates")
MEANING = {
    "verified": "complete, every decoded pixel as in the true copy",
    "rotated": "complete and true, but some images lie on their side",
    "complete": "all checks passed; no digests of a true copy are known, so another version of "
    "equal counts would not be noticed",
    "subset": "part of the set; what is there passed",
    "unlisted": "no set of the catalogue: only readability and pairing were checked",
    "stand-in": "generated in the set's layout, names and sizes to rehearse with; no image is real",
    "deviates": "not the real thing, or damaged",
}
NAMED = 3  # files named in a finding; the rest is counted


@dataclass(frozen=True)
class Check:
    """One finding: verdict is ok, note (worth knowing), fail, or unknown (nothing to hold it to)."""

    split: str
    check: str
    expected: str
    found: str
    verdict: str


def checks_table(content: dict[str, Any]) -> pd.DataFrame:
    """The findings, for people."""
    return pd.DataFrame(
        [astuple(Check(**c)) for c in content["checks"]], columns=list(Check.__annotations__)
    )


def none_of(split: str, check: str, bad: list[str]) -> Check:
    more = ", …" if len(bad) > NAMED else ""
    found = f"{len(bad)} not: {', '.join(bad[:NAMED])}{more}" if bad else "all"
    return Check(split, check, "all", found, "fail" if bad else "ok")
