"""Tests of claims about what trained networks do.

Each takes a case and gives one verdict or several, one per run, seed or data set.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from spikingjelly.activation_based.layer import MultiDimensionalAttention
from spikingjelly.activation_based.neuron import BaseNode

from derainbench import models
from derainbench.audit.case import (
    CONTRADICTED,
    DEVIATES,
    NOT_TESTABLE,
    REPRODUCED,
    Case,
    Missing,
    Verdict,
)
from derainbench.audit.selection import selection
from derainbench.audit.statistics import mean_interval
from derainbench.config import Run
from derainbench.errors import BenchError
from derainbench.report import collect


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


def score(case: Case) -> Iterator[Verdict]:
    """PSNR of the full-size network on a test set, in dB, over seeds."""
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


def comparable(case: Case) -> Iterator[Verdict]:
    """PSNR against the best ANN trained alike, in dB, on every test set."""
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


def direct_training(case: Case) -> Iterator[Verdict]:
    """Whether the gradient of the loss reaches every layer through the spiking neurons."""
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


def rain_spikes(case: Case) -> Iterator[Verdict]:
    """Spikes per neuron and step at rain against the same places of the clean image."""
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


def ablation(case: Case) -> Iterator[Verdict]:
    """PSNR with a part against without it, in dB."""
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


def selection_leak(case: Case) -> Iterator[Verdict]:
    """What choosing the epoch on the test split would gain here, in dB."""
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
