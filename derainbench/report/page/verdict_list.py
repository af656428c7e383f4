"""The first screen: a verdict per claim, by paper, compact, with what is behind it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from derainbench.catalog import ledger
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.claim_kinds import TestName
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.verdicts import Outcome
from derainbench.config.schema import Config
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json

# A verdict is told by its word, its symbol and its colour (a class of the style sheet).
SYMBOLS = {
    Outcome.REPRODUCED: "✓",
    Outcome.DEVIATES: "≈",
    Outcome.CONTRADICTED: "✗",
    Outcome.UNDECIDED: "?",
    Outcome.NOT_TESTABLE: "–",
}
SEVERAL = "several verdicts"  # of one claim: the answer depends on assumptions
HOW: dict[TestName, str] = {
    "parameters": "parameters counted on the network's tensors",
    "energy-saving": "operations counted layer by layer, priced under every scenario; without "
    "trained full-size weights: whether any firing rate gives the saving, with them over seeds",
    "energy-against": "operations of both networks priced under every scenario and cost table: "
    "whether any two firing rates give the share",
    "parameters-against": "parameters of both networks counted on their tensors; others' counts beside",
    "macs-against": "multiply-accumulates of both networks; others' counts beside, at several sizes",
    "outperforms": "mean PSNR difference to the named network, trained by one recipe for as long, over "
    "seeds and over the same images",
    "untested": "not at all: the reason says why",
    "comparable": "mean PSNR difference to the best ANN trained on the same data, over seeds and over "
    "the same images",
    "score": "mean PSNR: two one-sided tests over seeds, over images where a part of the set was scored",
    "score-gap": "how far another protocol, seed or choice of epoch moves the network's score",
    "direct-training": "gradients of a loss through the surrogate functions, from random weights",
    "rain-spikes": "firing rates at rain pixels and at their clean counterparts, over seeds",
    "ablation": "the network with and without the part, by the same recipe: over images and over seeds",
    "analog-macs": "multiply-accumulates of the layers whose input is not spikes",
    "analog-ratio": "those against all multiply-accumulates of the ANN counterpart",
    "schedule": "the rates that the authors' schedule really gives, epoch by epoch",
    "selection-leak": "the epoch chosen on the test split against the one chosen on validation",
    "printed-score": "mean score over the test images, or over seeds, against the printed one: two "
    "one-sided tests",
    "no-reference": "mean over the photographs that the method restored, by pyiqa",
    "printed-parameters": "parameters counted on the network's tensors",
    "printed-operations": "dense multiply-accumulates of one image, all time steps counted",
    "printed-energy": "operations priced under every scenario and cost table",
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
        measured: measured value or range, with its interval.
        reason: of the first reading.
    """

    label: str
    verdict: str
    count: int
    measured: str
    reason: str


@dataclass(frozen=True)
class PaperVerdicts:
    """The verdicts on one paper.

    Attributes:
        name: of the paper in the catalogue.
        title: as its tables call its network.
        citation: of the paper.
        groups: titles with their claims, each with its lines: claims, then findings.
    """

    name: str
    title: str
    citation: str
    groups: tuple[tuple[str, list[dict[str, Any]]], ...]

    @property
    def claims(self) -> list[dict[str, Any]]:
        """The claims of all groups."""
        return [claim for _, claims in self.groups for claim in claims]


def paper_verdicts(config: Config) -> list[PaperVerdicts]:
    """The verdicts on the claims of every paper, and on what its code shows.

    Raises:
        BenchError: if ``audit/claims.json`` is missing.
    """
    content = read_json(layout_of(config).audit / "claims.json")
    return [_of_paper(judged) for judged in content["papers"]]


def _of_paper(judged: dict[str, Any]) -> PaperVerdicts:
    paper = read_audited_paper(judged["paper"])
    findings = {claim.id for claim in paper.ledger.findings}
    parted = {
        "Claims of the paper and its users": [
            claim
            for claim in judged["claims"]
            if claim["id"] not in findings and not claim.get("cell")
        ],
        "Findings about the released code": [
            claim for claim in judged["claims"] if claim["id"] in findings
        ],
        "Cells of its tables": [claim for claim in judged["claims"] if claim.get("cell")],
    }
    groups = tuple((title, [*map(_claim, claims)]) for title, claims in parted.items() if claims)
    return PaperVerdicts(paper.name, paper.method, model_card(paper.network).citation, groups)


def tally(papers: list[PaperVerdicts]) -> list[tuple[str, int]]:
    """How many claims have each verdict; those with more than one count as :data:`SEVERAL`."""
    counts: Counter[str] = Counter()
    for claim in (claim for paper in papers for claim in paper.claims):
        counts[word_of(claim)] += 1
    return [(word, counts[word]) for word in (*SYMBOLS, SEVERAL) if counts[word]]


def word_of(claim: dict[str, Any]) -> str:
    """The verdict on a claim of :func:`paper_verdicts`; :data:`SEVERAL` where it has more than one."""
    words = {line.verdict for line in claim["lines"]}
    return str(words.pop()) if len(words) == 1 else SEVERAL


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
        "how": HOW[claim["test"]],
        "lines": list(_lines(claim)),
        "readings": [{**v, "measured_text": _measured(claim, [v])} for v in claim["verdicts"]],
    }


def _lines(claim: dict[str, Any]) -> Iterator[Line]:
    by_reading: dict[str, list[dict[str, Any]]] = {}
    for verdict in claim["verdicts"]:
        scenario = SCENARIO.match(verdict["reading"])
        label = f"({scenario[1]})" if scenario else verdict["reading"]
        if scenario:
            verdict = {**verdict, "reason": f"{scenario[2]}: {verdict['reason']}"}
        by_reading.setdefault(label, []).append(verdict)
    if len(by_reading) > MOST_LINES:
        by_reading = _by_word(by_reading)
    alone = len(by_reading) == 1
    for label, verdicts in by_reading.items():
        for word in dict.fromkeys(v["verdict"] for v in verdicts):
            same = [v for v in verdicts if v["verdict"] == word]
            shown = "" if alone else label
            yield Line(shown, word, len(same), _measured(claim, same), same[0]["reason"])


def _by_word(by_reading: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """The verdicts of many readings by what they say: of scenarios ``(b, d)``, of others unnamed."""
    if not all(re.fullmatch(r"\(\w+\)", label) for label in by_reading):
        return {"": [verdict for verdicts in by_reading.values() for verdict in verdicts]}
    letters: dict[str, dict[str, None]] = {}
    agreed: dict[str, list[dict[str, Any]]] = {}
    for label, verdicts in by_reading.items():
        for verdict in verdicts:
            letters.setdefault(verdict["verdict"], {})[label.strip("()")] = None
            agreed.setdefault(verdict["verdict"], []).append(verdict)
    by_letters: dict[str, list[dict[str, Any]]] = {}
    for word, verdicts in agreed.items():  # two words may be of the same scenarios
        by_letters.setdefault(f"({', '.join(letters[word])})", []).extend(verdicts)
    return by_letters


def _measured(claim: dict[str, Any], verdicts: list[dict[str, Any]]) -> str:
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
        return f"{100 * value:.4g} %".replace("-", "−")
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return (number if bare else f"{number} {unit}").strip().replace("-", "−")
