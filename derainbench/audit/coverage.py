"""How much of a paper is decided, how much could be, and what each missing claim takes.

Pure functions of a paper's ledger and its verdicts. A claim with several readings is

- ``decided`` if every reading has a verdict that answers it, at the paper's size;
- ``scaled down`` if every reading is answered, but some by a smaller network or a shorter training
  than the paper's alone: that decides nothing about the paper's own;
- ``partly`` decided if some readings are answered and others are not; ``open`` if none is.

The share of a paper that is decided sums the claims' shares of the tree, each times the share of its
readings that are answered at the paper's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from derainbench.audit.case import Verdict
from derainbench.audit.verdict_rule import LEAST
from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.claim_kinds import BRANCHES, TESTS, takes_training
from derainbench.catalog.dataset_entries import DatasetEntry, dataset_entry
from derainbench.catalog.ledger import LABELS, Claim, Label
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.recipes import load_recipe
from derainbench.catalog.verdicts import DECIDED, Outcome
from derainbench.training.schedule import plan_epochs

# Tests whose answer for the paper's own network takes its training, or its authors' weights.
FULL_SIZE = [name for name, test in TESTS.items() if takes_training(name) and not test.explains]
# How many networks are trained for a test, where it is more than the paper's own.
TRAINED_BESIDE = {
    "comparable": "an ANN",
    "outperforms": "the network that it is held against",
    "energy-against": "the network that it is held against",
    "energy-saving": "its ANN counterpart",
    "ablation": "itself without the part",
}


class State(StrEnum):
    """How far a claim is decided; see the head of this module."""

    DECIDED = "decided"
    SCALED_DOWN = "scaled down"
    PARTLY = "partly"
    OPEN = "open"


@dataclass(frozen=True)
class Need:
    """What a claim that is not decided takes.

    Attributes:
        configuration: label of the configurations that could decide it.
        networks: how many are trained.
        more_seeds: of each; 0 where seeds are not what is missing.
        training_steps: of the optimiser, all trainings together, no image held out for validation;
            None where recipe or number of training images is not known.
        gpu_hours: None where nobody has measured what a step takes.
        dataset, training_images, test_images: of the catalogue.
        data_gb: no true copy is larger when unpacked.
        takes: all of it in a sentence.
    """

    configuration: str
    networks: int
    more_seeds: int
    training_steps: int | None
    gpu_hours: float | None
    dataset: str | None
    training_images: int | None
    test_images: int | None
    data_gb: float | None
    takes: str


@dataclass(frozen=True)
class ClaimCoverage:
    """One claim in the tree.

    Attributes:
        share: of the whole paper, by the weights of the ledger.
        state: how far it is decided.
        readings, decided_readings: number of verdicts, and of those that answer at the paper's size.
        decidable: whether any configuration could decide it.
        need: what is missing; None for a decided claim.
    """

    claim: str
    wording: str
    branch: str
    share: float
    state: State
    readings: int
    decided_readings: int
    decidable: bool
    need: Need | None

    @property
    def decided_share(self) -> float:
        """What of the whole paper it decides."""
        return self.share * self.decided_readings / self.readings if self.readings else 0.0


def coverage(
    paper: AuditedPaper,
    verdicts: Sequence[Verdict],
    label: Label,
    seconds_per_step: float | None = None,
) -> list[ClaimCoverage]:
    """How far every claim of a paper is decided, in the order of the ledger.

    Args:
        paper: with its ledger.
        verdicts: on all of its claims.
        label: of the configuration that gave them.
        seconds_per_step: of the paper's training on one GPU, where it was measured.
    """
    shares = paper.ledger.shares()
    found = []
    for claim in paper.ledger.all():
        own = [verdict for verdict in verdicts if verdict.claim == claim.id]
        state = state_of(own)
        settled = state == State.DECIDED
        need = None if settled else _need(paper, claim, own, label, seconds_per_step)
        found.append(
            ClaimCoverage(
                claim=claim.id,
                wording=claim.wording,
                branch=claim.branch,
                share=shares[claim.id],
                state=state,
                readings=len(own),
                decided_readings=sum(map(_answers, own)),
                decidable=settled or not TESTS[claim.test].explains,
                need=need,
            )
        )
    return found


def state_of(verdicts: Sequence[Verdict]) -> State:
    """How far the readings of one claim decide it."""
    answered = [v for v in verdicts if v.verdict in DECIDED]
    if not answered:
        return State.OPEN
    if len(answered) < len(verdicts):
        return State.PARTLY
    return State.DECIDED if all(map(_answers, verdicts)) else State.SCALED_DOWN


def _answers(verdict: Verdict) -> bool:
    return verdict.verdict in DECIDED and not verdict.scaled_down


def summary(claims: Sequence[ClaimCoverage]) -> dict[str, Any]:
    """Counts and shares of some claims: of a paper, or of one branch.

    Returns:
        claims, one number per state (``decided``, ``scaled_down``, ``partly``, ``open``),
        ``could_be_decided`` (neither decided nor beyond every configuration), ``share`` of the paper
        and ``decided_share`` of these claims' own share.
    """
    share = sum(claim.share for claim in claims)
    decided = sum(claim.decided_share for claim in claims)
    counts = {
        state.replace(" ", "_"): sum(claim.state == state for claim in claims) for state in State
    }
    return {
        "claims": len(claims),
        **counts,
        "could_be_decided": sum(c.decidable and c.state != State.DECIDED for c in claims),
        "share": round(share, 6),
        "decided_share": round(decided / share, 6) if share else 0.0,
    }


def document(paper: AuditedPaper, verdicts: Sequence[Verdict], label: Label) -> dict[str, Any]:
    """The coverage of a paper as it is kept: in all, by branch, by claim."""
    claims = coverage(paper, verdicts, label)
    return {
        "paper": paper.name,
        **summary(claims),
        "branches": [
            {"branch": branch, **summary([c for c in claims if c.branch == branch])}
            for branch in BRANCHES
            if any(c.branch == branch for c in claims)
        ],
        "by_claim": [
            {
                **asdict(claim),
                "share": round(claim.share, 6),
                "decided_share": round(claim.decided_share, 6),
            }
            for claim in claims
        ],
    }


def _need(
    paper: AuditedPaper,
    claim: Claim,
    verdicts: Sequence[Verdict],
    label: Label,
    seconds_per_step: float | None,
) -> Need:
    if TESTS[claim.test].explains:
        takes = (
            "no configuration settles it: the networks or the code it is about are not published"
        )
        return _nothing_to_train(label, takes)
    of_another = claim.cell is not None and claim.cell.method != paper.method
    if claim.test not in FULL_SIZE or of_another:
        reasons = dict.fromkeys(v.reason for v in verdicts if v.verdict not in DECIDED)
        return _nothing_to_train(label, f"no training: {'; '.join(reasons)}")
    configuration = max(claim.speaks, key=LABELS.index)
    data = _training_set(paper, claim)
    test = dataset_entry(claim.dataset) if claim.dataset else data
    more = _more_seeds(verdicts)
    beside = TRAINED_BESIDE.get(claim.test)
    networks = 2 if beside else 1
    images = _images(data, "train")
    steps = _steps(paper, images)
    total = None if steps is None else steps * networks * more
    hours = None
    if total is not None and seconds_per_step is not None:
        hours = total * seconds_per_step / 3600
    return Need(
        configuration=configuration,
        networks=networks,
        more_seeds=more,
        training_steps=total,
        gpu_hours=hours,
        dataset=test.name if test else None,
        training_images=images,
        test_images=_images(test, "test"),
        data_gb=test.unpacked_gb if test else None,
        takes=f"a {configuration} configuration: {_sentence(more, beside, total, hours, data, test)}",
    )


def _nothing_to_train(label: str, takes: str) -> Need:
    return Need(label, 0, 0, 0, None, None, None, None, None, takes)


def _more_seeds(verdicts: Sequence[Verdict]) -> int:
    """Further seeds of the paper's own network: what its readings ask for, or the least of all."""
    own = [v for v in verdicts if v.verdict == Outcome.UNDECIDED and not v.scaled_down]
    return max((v.more_seeds or 0 for v in own), default=LEAST)


def _training_set(paper: AuditedPaper, claim: Claim) -> DatasetEntry | None:
    """The claim's own set if it can be trained on, else the first such set of the paper's tables."""
    names = [claim.dataset] if claim.dataset else []
    for artefact in paper.artefacts_of_kind("scores").values():
        names += artefact.sets
    entries = map(dataset_entry, names)
    return next((entry for entry in entries if _images(entry, "train")), None)


def _images(entry: DatasetEntry | None, split: str) -> int | None:
    facts = entry.splits.get(split) if entry else None
    return facts.images if facts else None


def _steps(paper: AuditedPaper, images: int | None) -> int | None:
    """Steps of one training by the paper's recipe: epochs x images / batch, rounded up."""
    recipe = model_card(paper.network).training.recipe
    if recipe is None or images is None:
        return None
    return sum(epoch.steps for epoch in plan_epochs(load_recipe(recipe), images))


def _sentence(
    more: int,
    beside: str | None,
    steps: int | None,
    hours: float | None,
    data: DatasetEntry | None,
    test: DatasetEntry | None,
) -> str:
    parts = []
    if more:
        networks = f"the network and {beside}" if beside else "the network"
        seeds = f"{more} seed{'s' * (more > 1)}{' each' if beside else ''}"
        cost = "steps not known" if steps is None else f"{steps:,} training steps"
        cost = cost if hours is None else f"about {hours:,.0f} GPU hours"
        where = f" on {data.name} ({_images(data, 'train'):,} pairs)" if data else ""
        parts.append(f"{seeds} of {networks}{where}, {cost}")
    if test:
        number = _images(test, "test")
        size = f"its {number:,} test images" if number else "its test images"
        parts.append(f"{test.name} whole ({size}; at most {test.unpacked_gb:g} GB unpacked)")
    return "; ".join(parts) or "the paper's recipe and data sets, which the catalogue does not know"
