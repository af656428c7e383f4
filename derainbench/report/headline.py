"""The first screen: a verdict per claim, compact, with what is behind it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derainbench.audit import ledger
from derainbench.config import Config
from derainbench.report import collect

# A verdict is told by its word, its symbol and its colour (a class of the style sheet).
SYMBOLS = {"reproduced": "✓", "deviates": "≈", "contradicted": "✗", "not testable here": "–"}
HOW = {
    "parameters": "parameters counted on the network's tensors",
    "energy-saving": "operations counted layer by layer, priced under every scenario; without "
    "trained full-size weights: whether any firing rate gives the saving",
    "comparable": "mean PSNR difference to the best ANN trained on the same data, over the same images",
    "score": "mean PSNR over the test images and seeds",
    "score-gap": "how far another protocol, seed or choice of epoch moves the network's score",
    "direct-training": "gradients of a loss through the surrogate functions, from random weights",
    "rain-spikes": "spike rates at rain pixels and at their clean counterparts, over the test set",
    "ablation": "the network with and without the part, by the same recipe: over images and over seeds",
    "analog-macs": "multiply-accumulates of the layers whose input is not spikes",
    "analog-ratio": "those against all multiply-accumulates of the ANN twin",
    "schedule": "the rates that the authors' schedule really gives, epoch by epoch",
    "selection-leak": "the epoch chosen on the test split against the one chosen on validation",
    "library": "the signature of the installed release against the authors' call",
}
MOST_LINES = 4  # of one claim on the first screen; more readings are put together by verdict
SCENARIO = re.compile(r"scenario \((\w+)\): (.*?)(, against|$)")


@dataclass(frozen=True)
class Line:
    """One verdict of a claim on the first screen, of one reading or of several that agree.

    Attributes:
        label: the reading in short; empty if the claim has one verdict.
        verdict: word.
        count: readings put together.
        found: measured value or range, with its interval.
        reason: of the first reading.
    """

    label: str
    verdict: str
    count: int
    found: str
    reason: str


def groups(config: Config) -> list[dict[str, Any]]:
    """Claims of every paper, then what its code shows: title and claims, each with its lines.

    Raises:
        BenchError: if ``audit/claims.json`` is missing.
    """
    content = collect.read_json(Path(config.results) / "audit" / "claims.json")
    found = []
    for paper in content["papers"]:
        findings = {claim.id for claim in ledger.load(paper["paper"]).findings}
        for title, wanted in (("Claims of the paper and its users", False),
                              ("Findings about the released code", True)):  # fmt: skip
            claims = [c for c in paper["claims"] if (c["id"] in findings) == wanted]
            if claims:
                found.append({"title": title, "claims": [_claim(claim) for claim in claims]})
    return found


def counts(of: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """How many claims have each verdict; those with several verdicts: "depends on the scenario"."""
    tally: Counter[str] = Counter()
    for claim in (c for group in of for c in group["claims"]):
        words = {line.verdict for line in claim["lines"]}
        tally[words.pop() if len(words) == 1 else "several verdicts"] += 1
    return [(word, tally[word]) for word in (*SYMBOLS, "several verdicts") if tally[word]]


def _claim(claim: dict[str, Any]) -> dict[str, Any]:
    tolerance = ""
    if claim["published"] is not None and claim["tolerance"]:
        share = claim["tolerance"] * (abs(claim["published"]) if claim["relative"] else 1)
        tolerance = f"± {value_text(share, claim['unit'])}"
    return {
        **claim,
        "published_text": value_text(claim["published"], claim["unit"])
        if claim["kind"] in ledger.PUBLISHED
        else "",
        "tolerance_text": tolerance,
        "how": HOW.get(claim["test"], claim["test"]),
        "lines": list(_lines(claim)),
        "readings": [{**v, "found": _found(claim, [v])} for v in claim["verdicts"]],
    }


def _lines(claim: dict[str, Any]) -> Iterator[Line]:
    by_reading: dict[str, list[dict]] = {}
    for verdict in claim["verdicts"]:
        scenario = SCENARIO.match(verdict["reading"])
        label = f"({scenario[1]})" if scenario else verdict["reading"]
        if scenario:
            verdict = {**verdict, "reason": f"{scenario[2]}: {verdict['reason']}"}
        by_reading.setdefault(label, []).append(verdict)
    if len(by_reading) > MOST_LINES:
        by_reading = {"": claim["verdicts"]}
    alone = len(by_reading) == 1
    for label, verdicts in by_reading.items():
        for word in dict.fromkeys(v["verdict"] for v in verdicts):
            same = [v for v in verdicts if v["verdict"] == word]
            yield Line(
                "" if alone else label, word, len(same), _found(claim, same), same[0]["reason"]
            )


def _found(claim: dict[str, Any], verdicts: list[dict]) -> str:
    """``12,811,463 parameters``, ``−25 % to 34 %``, ``30.1 dB [29.8, 30.3]``."""
    known = [v for v in verdicts if _known(v["measured"])]
    if not known or claim["test"] == "direct-training":
        return ""
    values = sorted(v["measured"] for v in known)
    ends = list(dict.fromkeys(value_text(v, claim["unit"]) for v in (values[0], values[-1])))
    # From the structure alone there is no interval: what is saved without a single spike.
    most = claim["test"] == "energy-saving" and all(v["low"] is None for v in known)
    text = ("at most " if most else "") + " to ".join(ends)
    if len(known) == 1 and _known(known[0]["low"]):
        low, high = (value_text(known[0][end], claim["unit"], bare=True) for end in ("low", "high"))
        text += f" [{low}, {high}]"
    return text


def _known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def value_text(value: float | None, unit: str = "", *, bare: bool = False) -> str:
    """A number with its unit; shares as per cent; nothing for none."""
    if value is None or math.isnan(value):
        return ""
    if unit.startswith("share"):
        return f"{100 * value:.0f} %".replace("-", "−")
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return (number if bare else f"{number} {unit}").strip().replace("-", "−")
