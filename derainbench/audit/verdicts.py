"""From a ledger and a configuration's results to verdicts.

Every test takes a claim and the results and gives one verdict or several, where the answer depends
on assumptions. What is missing makes a verdict "not testable here", with the reason.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from spikingjelly.activation_based.layer import MultiDimensionalAttention
from spikingjelly.activation_based.neuron import BaseNode, LIFNode

from derainbench import models, provenance
from derainbench.audit import ledger
from derainbench.audit.ledger import KINDS, Claim, Ledger
from derainbench.audit.selection import selection
from derainbench.audit.statistics import mean_interval
from derainbench.config import Config, Run
from derainbench.energy.account import read_layers
from derainbench.energy.counting import ATTENTION, SPIKES
from derainbench.energy.scenarios import DEFAULT_COSTS, scenarios
from derainbench.errors import BenchError
from derainbench.files import staged_folder, write_json, write_text
from derainbench.report import collect
from derainbench.training.recipe import load_recipe
from derainbench.training.schedule import rate_at

VERDICTS = REPRODUCED, DEVIATES, CONTRADICTED, NOT_TESTABLE = (
    "reproduced",
    "deviates",
    "contradicted",
    "not testable here",
)


@dataclass(frozen=True)
class Verdict:
    """The outcome of one claim under one reading.

    Attributes:
        claim: id.
        reading: scenario, rival or data set, where the verdict depends on it.
        verdict: one of :data:`VERDICTS`.
        reason: in a sentence.
        measured: the value found, in the claim's unit; None if there is none.
        low, high: its 95 % interval.
        evidence: files behind it, relative to the results folder.
    """

    claim: str
    verdict: str
    reason: str
    reading: str = ""
    measured: float | None = None
    low: float | None = None
    high: float | None = None
    evidence: tuple[str, ...] = ()


class Missing(Exception):
    """What a test needs is not among the results."""


@dataclass(frozen=True)
class Case:
    """A claim with all that its test may look at."""

    claim: Claim
    book: Ledger
    config: Config

    @property
    def results(self) -> Path:
        return Path(self.config.results)

    def table(self, file: str) -> pd.DataFrame:
        """A CSV file of the results.

        Raises:
            Missing: if it is not there.
        """
        if not (self.results / file).is_file():
            raise Missing(f"{file} is missing")
        return read_layers(self.results / file)

    def verdict(self, verdict: str, reason: str, **facts: Any) -> Verdict:
        return Verdict(self.claim.id, verdict, reason, **facts)


Test = Callable[[Case], Iterator[Verdict]]
TESTS: dict[str, Test] = {}


def _tests(name: str) -> Callable[[Test], Test]:
    def register(test: Test) -> Test:
        TESTS[name] = test
        return test

    return register


@_tests("parameters")
def _parameters(case: Case) -> Iterator[Verdict]:
    table = case.table("structure/models.csv").set_index("model")
    found = int(table.loc[case.book.model, "parameters"])
    evidence = ["structure/models.csv"]
    fits = case.claim.within(found)
    reason = f"the network has {found:,} parameters"
    if not fits:
        reason += f", {found / case.claim.published:.1f} times the published number"
        try:
            others = case.table("crosscheck/crosscheck.csv")
            evidence.append("crosscheck/crosscheck-layers.csv")
        except Missing:
            others = pd.DataFrame(columns=["model", "parameters"])
        near = others[others["model"] == case.book.model]
        near = near[near["parameters"].map(case.claim.within)]
        for row in near.itertuples():
            reason += (
                f"; {row.counter} reports {int(row.parameters):,}, because it does not see layer "
                "types that it has no rule for: the likely origin"
            )
    yield case.verdict(
        REPRODUCED if fits else CONTRADICTED, reason, measured=found, evidence=tuple(evidence)
    )


@_tests("energy-saving")
def _energy_saving(case: Case) -> Iterator[Verdict]:
    table = case.table("scenarios/savings.csv")
    plain = table[(table["costs"] == DEFAULT_COSTS) & ~table["reuse"] & ~table["zero_skipping"]]
    full = plain[(plain["source"] == "structure") & (plain["model"] == case.book.model)]
    measured = plain[(plain["source"] == "measured") & (plain["model"] == case.book.model)]
    for letter, scenario in scenarios().items():
        named = f"scenario ({letter}): {scenario.title}"
        rows = full[full["scenario"] == letter]
        if case.config.label == "paper" and not measured.empty:
            yield from _measured_saving(case, measured[measured["scenario"] == letter], named)
            continue
        twin = rows[rows["rival"] == case.book.twin]
        for row in twin.itertuples():
            yield _possible_saving(case, row, f"{named}, against the ANN twin")
        yield _against_anyone(case, rows[rows["rival"] != case.book.twin], named)


def _measured_saving(case: Case, rows: pd.DataFrame, named: str) -> Iterator[Verdict]:
    for row in rows.itertuples():
        fits = case.claim.within(row.saving)
        yield case.verdict(
            REPRODUCED if fits else DEVIATES if row.saving > 0 else CONTRADICTED,
            f"{row.saving:.0%} at the measured firing rate of {row.rate:.3f}",
            reading=f"{named}, against {row.rival_title}",
            measured=row.saving,
            low=row.low,
            high=row.high,
            evidence=("scenarios/savings.csv",),
        )


def _possible_saving(case: Case, row: Any, reading: str) -> Verdict:
    """Whether any firing rate gives the published saving, from the structure alone."""
    best = 1 - row.fixed_share
    facts = {"reading": reading, "measured": best, "evidence": ("scenarios/savings.csv",)}
    if best < case.claim.published - case.claim.tolerance:
        saved = f"at most {best:.0%}" if best > 0 else f"nothing: {abs(best):.0%} more"
        return case.verdict(
            CONTRADICTED,
            f"without a single spike it would save {saved}, as a share of the rival's energy; "
            "no firing rate gives the published saving",
            **facts,
        )
    rate = _rate(case, row)
    met = "any firing rate" if rate >= 1 else f"a mean firing rate of {rate:.3f}"
    return case.verdict(
        NOT_TESTABLE,
        f"possible: the published saving is met at {met}; the full-size network's own rate takes "
        "its training",
        **facts,
    )


def _rate(case: Case, row: Any) -> float:
    """The firing rate at which the published saving is met."""
    per_rate = (1 - row.fixed_share) / row.break_even_rate  # energy lost per unit of rate
    return (1 - row.fixed_share - case.claim.published) / per_rate


def _against_anyone(case: Case, rows: pd.DataFrame, named: str) -> Verdict:
    """The published saving against ANNs other than the twin: which one is not stated."""
    possible = rows[1 - rows["fixed_share"] >= case.claim.published - case.claim.tolerance]
    names = ", ".join(dict.fromkeys(possible["rival_title"]))
    facts = {
        "reading": f"{named}, against {rows['rival'].nunique()} other ANNs",
        "measured": float(1 - rows["fixed_share"].min()),
        "evidence": ("scenarios/savings.csv",),
    }
    if possible.empty:
        return case.verdict(
            CONTRADICTED, "no firing rate gives the published saving against any of them", **facts
        )
    return case.verdict(
        NOT_TESTABLE,
        f"possible against {names}; which ANN is meant is not stated, and the full-size network's "
        "firing rate takes its training",
        **facts,
    )


def _own_runs(case: Case) -> list[collect.Entry]:
    """Runs of the paper's network that were trained here."""
    return [
        e
        for e in collect.entries(case.config)
        if e.spec.train and models.card(e.spec.model).name == case.book.model
    ]


def _full_size(run: Run) -> bool:
    """Whether a run's arguments are the defaults: the paper's network."""
    known = inspect.signature(models.card(run.model).build).parameters
    return all(_plain(value) == _plain(known[name].default) for name, value in run.kwargs.items())


def _trained_claim(case: Case, run: Run, verdict: str, reason: str) -> tuple[str, str]:
    """Verdict and reason of what a trained network does; a scaled-down study contradicts no paper.

    The paper's network under the paper's training may do what a small one does not.
    """
    if case.config.label == "paper" and _full_size(run):
        return verdict, reason
    return DEVIATES if verdict == CONTRADICTED else verdict, f"scaled down: {reason}"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _scores(case: Case, dataset: str, *, ablations: bool = False) -> pd.DataFrame:
    """Per-image scores on a test set, under the claim's protocol.

    Raises:
        Missing: if a score file is not there.
    """
    try:
        scores = collect.scores(case.config, ablations=ablations)
    except BenchError as error:
        raise Missing(str(error).partition(";")[0]) from error
    return scores[(scores["dataset"] == dataset) & (scores["protocol"] == case.claim.protocol)]


def _by_image(scores: pd.DataFrame) -> pd.DataFrame:
    """PSNR, a row per run and a column per image: means over seeds."""
    return scores.groupby(["run", "image"], sort=False)["psnr"].mean().unstack("image")


@_tests("score")
def _score(case: Case) -> Iterator[Verdict]:
    full = {e.run for e in _own_runs(case) if _full_size(e.spec)}
    scores = _scores(case, case.claim.dataset)
    means = scores[scores["run"].isin(full)].groupby(["run", "variant"])["psnr"].mean()
    if means.empty:
        raise Missing(f"no full-size run is tested on {case.claim.dataset}")
    value, (low, high) = means.mean(), mean_interval(means)
    yield case.verdict(
        REPRODUCED if case.claim.within(value) else DEVIATES,
        f"{value:.2f} dB in protocol {case.claim.protocol}, {len(means)} seed(s)",
        reading=case.claim.dataset,
        measured=value,
        low=low,
        high=high,
        evidence=("tables/quality.csv",),
    )


@_tests("comparable")
def _comparable(case: Case) -> Iterator[Verdict]:
    own = {e.run: e for e in _own_runs(case)}
    if not own:
        raise Missing("no run of the network was trained in this configuration")
    compared = False
    for dataset in dict.fromkeys(d for e in own.values() for d in e.spec.test):
        if not case.config.paired(dataset):
            continue
        images = _by_image(_scores(case, dataset))
        for run, entry in own.items():
            rivals = _trained_alike(case, entry.spec)
            ranked = images[images.index.isin(rivals)].mean(axis=1).sort_values(ascending=False)
            if run not in images.index or ranked.empty:
                continue
            compared = True
            difference = images.loc[run] - images.loc[ranked.index[0]]
            low, high = mean_interval(difference)
            mean = difference.mean()
            worse = -case.claim.tolerance
            verdict, reason = _trained_claim(
                case,
                entry.spec,
                REPRODUCED if low >= worse else CONTRADICTED if high < worse else DEVIATES,
                f"{mean:+.2f} dB against the best of {len(ranked)} ANNs trained alike "
                f"({rivals[ranked.index[0]]}); comparable: not worse by more than "
                f"{case.claim.tolerance} dB",
            )
            yield case.verdict(
                verdict,
                reason,
                reading=f"{entry.title} on {dataset}",
                measured=mean,
                low=low,
                high=high,
                evidence=("tables/quality.csv",),
            )
    if not compared:
        raise Missing("no ANN was trained on the same data in this configuration")


def _trained_alike(case: Case, own: Run) -> dict[str, str]:
    """Runs of ANNs, with their titles, trained on the same data by the same recipe or another.

    The same recipe with another budget is not alike: that would compare lengths of training.
    """
    return {
        e.run: e.title
        for e in collect.entries(case.config)
        if e.spec.train
        and not models.card(e.spec.model).spiking
        and e.spec.train.dataset == own.train.dataset
        and (e.spec.train.recipe != own.train.recipe or e.spec.train.set == own.train.set)
    }


@_tests("direct-training")
def _direct_training(case: Case) -> Iterator[Verdict]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        entry = next(iter(_own_runs(case)), None)
        model = models.build(case.book.model, **(entry.spec.kwargs if entry else {})).train()
        image = torch.rand(1, 3, 32, 32)
    neurons = sum(isinstance(m, BaseNode) for m in model.modules())
    (model(image) - image).square().mean().backward()
    # Attention gates with a dead ReLU have no gradient at first, whatever the neurons do.
    gates = [n for n, m in model.named_modules() if isinstance(m, MultiDimensionalAttention)]
    layers = [p for n, p in model.named_parameters() if not n.startswith(tuple(gates))]
    reached = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in layers]
    yield case.verdict(
        REPRODUCED if all(reached) and neurons else CONTRADICTED,
        f"from random weights, the loss's gradient reaches {sum(reached)} of {len(reached)} "
        f"parameter tensors (attention gates apart) through the surrogates of {neurons} spiking "
        "layers; training here involves no ANN",
        measured=sum(reached) / len(reached),
        evidence=tuple(f"runs/{e.run}/{e.variant}/history.csv" for e in _own_runs(case)[:1]),
    )


@_tests("rain-spikes")
def _rain_spikes(case: Case) -> Iterator[Verdict]:
    own = {(run, variant): d for run, variant, d in case.config.spiking()}
    found = False
    for entry in collect.entries(case.config):
        if (entry.run, entry.variant) not in own:
            continue
        file = Path("spikes") / entry.run / entry.variant / "spikes.json"
        if not (case.results / file).is_file():
            continue
        found = True
        content = collect.read_json(case.results / file)
        comparison = content["comparisons"]["counterpart"]
        whole, depths = comparison["by_neuron"], comparison["depths"]
        if whole["verdict"] == "higher":
            verdict = DEVIATES if depths["lower"] else REPRODUCED
        else:
            verdict = CONTRADICTED
        verdict, reason = _trained_claim(
            case,
            entry.spec,
            verdict,
            f"rain places fire {whole['rate']:.4f} against {whole['rate_other']:.4f} spikes per "
            f"neuron and step at the same places of the clean image ({whole['verdict']}); by depth: "
            f"higher at {depths['higher']} of {depths['number']}, lower at {depths['lower']}, "
            f"undecided at {depths['undecided']}",
        )
        yield case.verdict(
            verdict,
            reason,
            reading=f"{entry.title}, {entry.variant}, on {own[entry.run, entry.variant]}",
            measured=whole["difference"],
            low=whole["low"],
            high=whole["high"],
            evidence=(str(file), str(file.with_name("depth.csv"))),
        )
    if not found:
        raise Missing("no spikes.json of the network")


@_tests("ablation")
def _ablation(case: Case) -> Iterator[Verdict]:
    found = False
    for run, spec in case.config.runs.items():
        if not spec.ablation or models.card(spec.model).name != case.book.model:
            continue
        base = case.config.runs[spec.ablation.of]
        if spec.kwargs != base.kwargs | case.claim.without:
            continue
        for dataset in spec.test:
            if case.config.paired(dataset) and dataset in base.test:
                found = True
                yield _with_and_without(case, spec.ablation.of, run, dataset)
    if not found:
        raise Missing(f"no ablation of {case.book.model} with {case.claim.without}")


def _with_and_without(case: Case, base: str, run: str, dataset: str) -> Verdict:
    """The network against an ablation: over images, beside what seeds alone make of it."""
    whole = _scores(case, dataset)
    scores = pd.concat([whole[whole["run"] == base], _scores(case, dataset, ablations=True)])
    without = scores[scores["run"] == run]
    # The seeds that both were trained with, where there are any: those differ by the part alone.
    shared = set(without["variant"]) & set(scores.loc[scores["run"] == base, "variant"])
    images = _by_image(scores[scores["variant"].isin(shared)] if shared else scores)
    difference = images.loc[base] - images.loc[run]
    low, high = mean_interval(difference)
    seeds = scores[scores["run"] == base].groupby("variant")["psnr"].mean()
    spread = seeds.max() - seeds.min()
    certain = abs(difference.mean()) > spread
    verdict = DEVIATES
    if certain and (low > 0 or high < 0):
        verdict = REPRODUCED if low > 0 else CONTRADICTED
    among = (
        f"means of its {len(seeds)} seeds lie within {spread:.2f} dB"
        if len(seeds) > 1
        else "one seed: what another would change is not known"
    )
    titles = [case.config.runs[name].title or name for name in (base, run)]
    verdict, reason = _trained_claim(
        case,
        case.config.runs[base],
        verdict,
        f"{difference.mean():+.2f} dB with against without, over {len(difference)} images; {among}",
    )
    return case.verdict(
        verdict,
        reason,
        reading=f"{titles[0]}: {titles[1]}, on {dataset}",
        measured=difference.mean(),
        low=low,
        high=high,
        evidence=tuple(
            f"scores/{name}/{variant}/{dataset}/per_image.csv"
            for name in (base, run)
            for variant in case.config.runs[name].variants()
        ),
    )


def _analog_macs(case: Case) -> float:
    layers = case.table("structure/layers.csv")
    own = layers[(layers["model"] == case.book.model) & (layers["role"] != ATTENTION)]
    return float(own.loc[own["input"] != SPIKES, "macs"].sum())


@_tests("analog-macs")
def _analog(case: Case) -> Iterator[Verdict]:
    found = _analog_macs(case) / 1e9
    yield case.verdict(
        REPRODUCED if case.claim.within(found) else DEVIATES,
        f"{found:.2f} GMACs of one 256x256 image are of layers on analog input",
        measured=found,
        evidence=("structure/layers.csv",),
    )


@_tests("analog-ratio")
def _analog_ratio(case: Case) -> Iterator[Verdict]:
    layers = case.table("structure/layers.csv")
    twin = layers[(layers["model"] == case.book.twin) & (layers["role"] != ATTENTION)]
    found = _analog_macs(case) / float(twin["macs"].sum())
    yield case.verdict(
        REPRODUCED if case.claim.within(found) else DEVIATES,
        f"{found:.3f} times; priced alike, no firing rate makes the network cheaper than its twin",
        measured=found,
        evidence=("structure/layers.csv",),
    )


@_tests("schedule")
def _schedule(case: Case) -> Iterator[Verdict]:
    recipe = load_recipe(case.book.model, {"zero_first_epoch": True})
    first, after = rate_at(recipe, 0), rate_at(recipe, recipe.warmup_epochs + 1)
    fits = first == case.claim.published and after > recipe.lr
    yield case.verdict(
        REPRODUCED if fits else DEVIATES,
        f"the authors' schedule trains the first epoch at {first:g}, and epoch "
        f"{recipe.warmup_epochs + 2} at {after / recipe.lr:.7f} times the base rate",
        measured=first,
    )


@_tests("library")
def _library(case: Case) -> Iterator[Verdict]:
    version = metadata.version("spikingjelly")
    taken = "backend" in inspect.signature(LIFNode.__init__).parameters
    yield case.verdict(
        CONTRADICTED if taken else REPRODUCED,
        f"spikingjelly {version}, installed here, "
        + ("takes" if taken else "refuses")
        + " LIFNode(backend=...), which the authors' code passes; older releases are not installed "
        "here: theirs is read from their source",
        reading=f"spikingjelly {version}",
    )


@_tests("selection-leak")
def _selection_leak(case: Case) -> Iterator[Verdict]:
    try:
        table = selection(case.config)
    except BenchError as error:
        raise Missing(str(error).partition(";")[0]) from error
    if table.empty:
        raise Missing("no run recorded its scores on the test split during training")
    for row in table.itertuples():
        yield case.verdict(
            NOT_TESTABLE,
            f"the authors' first commit is not run here; in this run, choosing the epoch on the test "
            f"split would gain {row.leak_psnr:+.3f} dB there",
            reading=f"{row.title}, {row.variant}",
            measured=row.leak_psnr,
            evidence=(f"runs/{row.run}/{row.variant}/history.csv",),
        )


def judge(config: Config, paper: str) -> list[Verdict]:
    """The verdicts on every claim of a paper's ledger that a configuration's results allow.

    Raises:
        BenchError: for an unknown paper or a mistake in its ledger.
    """
    book = ledger.load(paper)
    verdicts: list[Verdict] = []
    for claim in book.all():
        case = Case(claim, book, config)
        if config.label not in claim.speaks:
            reason = f"takes a configuration labelled {' or '.join(claim.speaks)}; this one: {config.label}"
            verdicts.append(case.verdict(NOT_TESTABLE, reason))
            continue
        try:
            verdicts += list(TESTS[claim.test](case)) or [
                case.verdict(NOT_TESTABLE, "the results hold nothing to test it on")
            ]
        except Missing as missing:
            verdicts.append(case.verdict(NOT_TESTABLE, str(missing)))
    return verdicts


def table(paper: str, verdicts: list[Verdict]) -> pd.DataFrame:
    """One row per verdict, with its claim's wording, source and published value."""
    claims = {claim.id: claim for claim in ledger.load(paper).all()}
    rows = []
    for v in verdicts:
        claim = claims[v.claim]
        second_hand = "second-hand report: " if claim.kind == "user" else ""
        rows.append(
            {
                "paper": paper,
                "claim": v.claim,
                "wording": claim.wording,
                "source": claim.source,
                "kind": claim.kind,
                "published": claim.published,
                "unit": claim.unit,
                "reading": v.reading,
                "verdict": v.verdict,
                "measured": v.measured,
                "low": v.low,
                "high": v.high,
                "reason": second_hand + v.reason,
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
