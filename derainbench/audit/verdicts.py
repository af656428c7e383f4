"""From a ledger and a configuration's results to verdicts.

Every test takes a claim and the results and gives one verdict or several, where the answer depends
on assumptions. What is missing makes a verdict "not testable here", with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from derainbench import provenance
from derainbench.audit import claims_scores, claims_structure, claims_training, ledger
from derainbench.audit.case import (
    NOT_TESTABLE,
    Case,
    Missing,
    Verdict,
)
from derainbench.audit.ledger import KINDS, PUBLISHED, TRAINED
from derainbench.config import Config
from derainbench.files import staged_folder, write_json, write_text

Test = Callable[[Case], Iterator[Verdict]]
TESTS: dict[str, Test] = {
    "parameters": claims_structure.parameters,
    "energy-saving": claims_structure.energy_saving,
    "analog-macs": claims_structure.analog_macs,
    "analog-ratio": claims_structure.analog_ratio,
    "schedule": claims_structure.schedule,
    "library": claims_structure.library,
    "score": claims_scores.score,
    "score-gap": claims_scores.gap,
    "comparable": claims_scores.comparable,
    "ablation": claims_scores.ablation,
    "direct-training": claims_training.direct_training,
    "rain-spikes": claims_training.rain_spikes,
    "selection-leak": claims_training.selection_leak,
}


def judge(config: Config, paper: str) -> list[Verdict]:
    """The verdicts on every claim of a paper's ledger that a configuration's results allow.

    Raises:
        BenchError: for an unknown paper or a mistake in its ledger.
    """
    book = ledger.load(paper)
    verdicts: list[Verdict] = []
    for claim in book.all():
        told = "second-hand report: " if claim.kind == "user" else ""
        for verdict in _judged(Case(claim, book, config)):
            verdicts.append(replace(verdict, reason=told + verdict.reason))
    return verdicts


def _judged(case: Case) -> list[Verdict]:
    speaks = case.claim.speaks
    if case.config.label not in speaks:
        return [case.verdict(NOT_TESTABLE, f"takes a {' or '.join(speaks)} configuration")]
    try:
        found = list(TESTS[case.claim.test](case))
    except Missing as missing:
        return [case.verdict(NOT_TESTABLE, str(missing))]
    return found or [case.verdict(NOT_TESTABLE, "the results hold nothing to test it on")]


def table(paper: str, verdicts: list[Verdict]) -> pd.DataFrame:
    """One row per verdict, with its claim's wording, source and published value."""
    claims = {claim.id: claim for claim in ledger.load(paper).all()}
    rows = []
    for v in verdicts:
        claim = claims[v.claim]
        rows.append(
            {
                "paper": paper,
                "claim": v.claim,
                "wording": claim.wording,
                "source": claim.source,
                "kind": claim.kind,
                "published": claim.published if claim.kind in PUBLISHED else None,
                "unit": claim.unit,
                "trained": claim.test in TRAINED,
                "reading": v.reading,
                "verdict": v.verdict,
                "measured": v.measured,
                "low": v.low,
                "high": v.high,
                "reason": v.reason,
                "evidence": " ".join(v.evidence),
            }
        )
    return pd.DataFrame(rows)


def write(config: Config, out: Path, papers: list[str] | None = None) -> pd.DataFrame:
    """Writes ``claims.json`` and ``claims.csv``, all or nothing; gives the latter.

    Raises:
        BenchError: for an unknown paper or a mistake in a ledger.
    """
    tables, content = [], []
    for paper in papers or ledger.names():
        book, verdicts = ledger.load(paper), judge(config, paper)
        tables.append(table(paper, verdicts))
        content.append(
            {
                "paper": paper,
                "model": book.model,
                "claims": [
                    {
                        **claim.model_dump(mode="json"),
                        "kind_meaning": KINDS[claim.kind],
                        "verdicts": [asdict(v) for v in verdicts if v.claim == claim.id],
                    }
                    for claim in book.all()
                ],
            }
        )
    found = pd.concat(tables, ignore_index=True)
    with staged_folder(out) as stage:
        write_text(stage / "claims.csv", found.to_csv(index=False, float_format="%.9g"))
        write_json(
            stage / "claims.json",
            {"configuration": config.name, "label": config.label, "papers": content},
        )
        provenance.write_record(stage / "claims.json", settings={"configuration": config.name})
    return found
