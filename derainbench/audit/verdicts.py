"""From a ledger and a configuration's results to verdicts.

Every test takes a claim and the results and gives one verdict or several, where the answer depends
on assumptions. What is missing makes a verdict "not testable here", with the reason; the words are
those of :class:`~derainbench.catalog.verdicts.Outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from derainbench.audit import coverage
from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.claim_tests import (
    against,
    printed,
    printed_costs,
    score_gaps,
    scores,
    training,
)
from derainbench.audit.claim_tests.energy import energy_saving
from derainbench.audit.claim_tests.outperforming import outperforms
from derainbench.audit.claim_tests.structure import (
    analog_macs,
    analog_ratio,
    library,
    parameters,
    schedule,
)
from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.claims import read_judged_paper
from derainbench.catalog.claim_kinds import TestName, is_trained, takes_training
from derainbench.catalog.ledger import KINDS, PUBLISHED
from derainbench.catalog.verdicts import Outcome
from derainbench.config.schema import Config
from derainbench.foundation import provenance
from derainbench.foundation.files import write_json, write_text
from derainbench.foundation.outputs import staged_folder


def untested(case: Case) -> Iterator[Verdict]:
    """A claim that is in the ledger for completeness: its reason says why nothing tests it."""
    yield case.verdict(Outcome.NOT_TESTABLE, case.claim.reason or "")


Test = Callable[[Case], Iterator[Verdict]]
TESTS: dict[TestName, Test] = {
    "parameters": parameters,
    "energy-saving": energy_saving,
    "analog-macs": analog_macs,
    "analog-ratio": analog_ratio,
    "schedule": schedule,
    "library": library,
    "score": scores.score,
    "score-gap": score_gaps.gap,
    "comparable": scores.comparable,
    "ablation": scores.ablation,
    "direct-training": training.direct_training,
    "rain-spikes": training.rain_spikes,
    "selection-leak": training.selection_leak,
    "printed-score": printed.printed_score,
    "no-reference": printed.no_reference,
    "printed-parameters": printed_costs.printed_parameters,
    "printed-operations": printed_costs.printed_operations,
    "printed-energy": printed_costs.printed_energy,
    "energy-against": against.energy_against,
    "parameters-against": against.parameters_against,
    "macs-against": against.macs_against,
    "outperforms": outperforms,
    "untested": untested,
}


def judge(config: Config, paper: AuditedPaper) -> list[Verdict]:
    """The verdicts on every claim of a paper's ledger that a configuration's results allow."""
    verdicts: list[Verdict] = []
    for claim in paper.ledger.all():
        origin = "second-hand report: " if claim.kind == "user" else ""
        for verdict in _judged(Case(claim, paper, config)):
            verdicts.append(replace(verdict, reason=origin + verdict.reason))
    return verdicts


def _judged(case: Case) -> list[Verdict]:
    speaks = case.claim.speaks
    if case.config.judged_as not in speaks:
        reason = f"takes a {' or '.join(speaks)} configuration"
        return [case.verdict(Outcome.NOT_TESTABLE, reason)]
    try:
        verdicts = list(TESTS[case.claim.test](case))
    except Missing as missing:
        return [case.verdict(Outcome.NOT_TESTABLE, str(missing))]
    if case.config.label == "rehearsal" and takes_training(case.claim.test):
        return [_rehearsed(case, verdict) for verdict in verdicts]
    nothing = "the results hold nothing to test it on"
    return verdicts or [case.verdict(Outcome.NOT_TESTABLE, nothing)]


def _rehearsed(case: Case, verdict: Verdict) -> Verdict:
    """What is left of a verdict on networks that were trained for a few steps: that it came about."""
    return case.verdict(
        Outcome.NOT_TESTABLE,
        "a rehearsal: the test ran, on stand-ins and networks that were hardly trained",
        reading=verdict.reading,
        evidence=verdict.evidence,
    )


def table(paper: AuditedPaper, verdicts: list[Verdict]) -> pd.DataFrame:
    """One row per verdict, with its claim's wording, source and published value."""
    claims = {claim.id: claim for claim in paper.ledger.all()}
    rows = []
    for verdict in verdicts:
        claim = claims[verdict.claim]
        rows.append(
            {
                "paper": paper.name,
                "claim": claim.id,
                "wording": claim.wording,
                "source": claim.source,
                "kind": claim.kind,
                "branch": claim.branch,
                "published": claim.published if claim.kind in PUBLISHED else None,
                "unit": claim.unit,
                "trained": is_trained(claim.test),
                "reading": verdict.reading,
                "verdict": verdict.verdict,
                "measured": verdict.measured,
                "low": verdict.low,
                "high": verdict.high,
                "more_seeds": verdict.more_seeds,
                "scaled_down": verdict.scaled_down,
                "reason": verdict.reason,
                "evidence": " ".join(verdict.evidence),
            }
        )
    return pd.DataFrame(rows)


def write(config: Config, out: Path, names: list[str] | None = None) -> pd.DataFrame:
    """Writes ``claims.json``, ``claims.csv`` and ``coverage.json``, all or nothing.

    Args:
        config: whose results are judged.
        out: folder.
        names: of the papers; default: those of the configuration.

    Returns:
        The content of ``claims.csv``.

    Raises:
        BenchError: for an unknown paper or a mistake in a ledger.
    """
    tables, content, covered = [], [], []
    for paper in map(read_judged_paper, names or config.paper_names):
        verdicts = judge(config, paper)
        tables.append(table(paper, verdicts))
        covered.append(coverage.document(paper, verdicts, config.judged_as))
        content.append(
            {
                "paper": paper.name,
                "model": paper.network,
                "claims": [
                    {
                        **claim.model_dump(mode="json"),
                        "kind_meaning": KINDS[claim.kind],
                        "verdicts": [asdict(v) for v in verdicts if v.claim == claim.id],
                    }
                    for claim in paper.ledger.all()
                ],
            }
        )
    judged = pd.concat(tables, ignore_index=True)
    with staged_folder(out) as stage:
        write_text(stage / "claims.csv", judged.to_csv(index=False, float_format="%.9g"))
        about = {"configuration": config.name, "label": config.label}
        write_json(stage / "claims.json", about | {"papers": content})
        write_json(stage / "coverage.json", about | {"papers": covered})
        provenance.write_record(
            stage / "claims.json",
            stage / "coverage.json",
            settings={"configuration": config.name},
        )
    return judged
