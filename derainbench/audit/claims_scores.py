"""Tests of claims about the scores of trained networks.

Each takes a case and gives one verdict or several, one per run or data set.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from derainbench import models
from derainbench.audit.case import (
    CONTRADICTED,
    DEVIATES,
    NOT_TESTABLE,
    REPRODUCED,
    Case,
    Missing,
    Verdict,
    as_published,
)
from derainbench.audit.scores import LUMA
from derainbench.audit.selection import selection
from derainbench.audit.statistics import LEVEL, mean_interval, seeds_p, spread
from derainbench.config import Run
from derainbench.errors import BenchError
from derainbench.report import collect


def score(case: Case) -> Iterator[Verdict]:
    """PSNR of the paper's network after its training on a test set, in dB, over seeds."""
    scores = _scores(case, case.claim.dataset)
    full = {e.run: e for e in case.own_runs() if as_published(e.spec)}
    found = False
    for run, entry in full.items():
        means = scores[scores["run"] == run].groupby("variant")["psnr"].mean()
        if means.empty:
            continue
        found, over = True, spread(means)
        weights = _seeds(len(means)) if entry.spec.train else "official weights"
        yield case.verdict(
            REPRODUCED if case.claim.within(over.mean) else DEVIATES,
            f"{over.mean:.2f} dB in protocol {case.claim.protocol}, {weights}",
            reading=f"{entry.title} ({run}) on {case.claim.dataset}",
            measured=over.mean,
            low=over.low,
            high=over.high,
            evidence=("tables/quality.csv", "tables/seeds.csv"),
        )
    if not found:
        raise Missing(
            f"no run of the paper's network under its training is tested on {case.claim.dataset}"
        )


def _seeds(number: int) -> str:
    return "one seed" if number == 1 else f"{number} seeds"


def comparable(case: Case) -> Iterator[Verdict]:
    """PSNR against the best ANN trained on the same data, in dB, on every test set."""
    own = {e.run: e for e in case.own_runs() if e.spec.train}
    if not own:
        raise Missing("no run of the network was trained in this configuration")
    compared = False
    for dataset in dict.fromkeys(d for e in own.values() for d in e.spec.test):
        if not case.config.paired(dataset):
            continue
        scores = _scores(case, dataset)
        images = _by_image(scores, "psnr")
        for run, entry in own.items():
            rivals = _rivals(case, entry.spec)
            ranked = images[images.index.isin(rivals)].mean(axis=1).sort_values(ascending=False)
            if run not in images.index or ranked.empty:
                continue
            compared = True
            yield _against(case, entry, dataset, scores, ranked.index[0], rivals)
    if not compared:
        raise Missing("no ANN was trained on the same data in this configuration")


def _against(
    case: Case,
    entry: collect.Entry,
    dataset: str,
    scores: pd.DataFrame,
    best: str,
    rivals: dict[str, str],
) -> Verdict:
    """The network against the best of its rivals, over the same images."""
    mean, low, high = _difference(scores, entry.run, best, "psnr")
    ssim, ssim_low, ssim_high = _difference(scores, entry.run, best, "ssim")
    worse = -case.claim.tolerance
    verdict = REPRODUCED if low >= worse else CONTRADICTED if high < worse else NOT_TESTABLE
    seeds = scores.groupby("run")["variant"].nunique()
    verdict, reason = case.scaled(
        entry.spec,
        verdict,
        f"{'undecided: ' if verdict == NOT_TESTABLE else ''}"
        f"{mean:+.2f} dB against {rivals[best]}, the best of {len(rivals)} ANN(s) trained on the "
        f"same data ({_seeds(seeds[entry.run])} against {_seeds(seeds[best])}; protocol "
        f"{case.claim.protocol}); comparable: not worse by more than {case.claim.tolerance} dB. "
        f"SSIM {ssim:+.4f} [{ssim_low:+.4f}, {ssim_high:+.4f}]",
    )
    return case.verdict(
        verdict,
        reason,
        reading=f"{entry.title} on {dataset}",
        measured=mean,
        low=low,
        high=high,
        evidence=("tables/quality.csv", "tables/paired.csv"),
    )


def _rivals(case: Case, own: Run) -> dict[str, str]:
    """Runs of ANNs, with their titles, trained on the same data: by their own recipe, or by the
    same one with the same budget.

    The same recipe with another budget would compare lengths of training.
    """
    return {
        e.run: e.title
        for e in collect.entries(case.config)
        if e.spec.train
        and not models.card(e.spec.model).spiking
        and e.spec.train.dataset == own.train.dataset
        and (e.spec.train.recipe != own.train.recipe or e.spec.train.set == own.train.set)
    }


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
    """The network against an ablation: over images, and over seeds."""
    scores = pd.concat([_scores(case, dataset), _scores(case, dataset, ablations=True)])
    mean, low, high = _difference(scores, base, run, "psnr")
    seeds = {r: scores[scores["run"] == r].groupby("variant")["psnr"].mean() for r in (base, run)}
    p = seeds_p(*seeds.values())
    certain = p < 1 - LEVEL and (low > 0 or high < 0)
    verdict = (REPRODUCED if low > 0 else CONTRADICTED) if certain else NOT_TESTABLE
    among = (
        "one seed each: what another would change is not known"
        if pd.isna(p)
        else f"{_seeds(len(seeds[base]))} against {_seeds(len(seeds[run]))}, p = {p:.3f} over seeds"
    )
    titles = [case.config.runs[name].title or name for name in (base, run)]
    verdict, reason = case.scaled(
        case.config.runs[base],
        verdict,
        f"{'' if certain else 'undecided: '}{mean:+.2f} dB with against without (protocol "
        f"{case.claim.protocol}); {among}",
    )
    return case.verdict(
        verdict,
        reason,
        reading=f"{titles[0]}: {titles[1]}, on {dataset}",
        measured=mean,
        low=low,
        high=high,
        evidence=tuple(
            f"scores/{name}/{variant}/{dataset}/per_image.csv"
            for name in (base, run)
            for variant in case.config.runs[name].variants()
        ),
    )


def gap(case: Case) -> Iterator[Verdict]:
    """How far the network's PSNR moves when it is scored or trained in another way, in dB.

    One verdict per way that could explain a gap between two published scores of one network. The
    published networks are not at hand, so none says more than whether the way could.
    """
    own = {e.run: e for e in case.own_runs() if case.claim.dataset in e.spec.test}
    if not own:
        raise Missing(f"no run of the network is tested on {case.claim.dataset}")
    scores = _every_protocol(case, case.claim.dataset)
    for run, entry in own.items():
        for way, moved, seen, evidence in _ways(case, entry, scores[scores["run"] == run]):
            could = moved >= case.claim.published - case.claim.tolerance
            _, reason = case.scaled(
                entry.spec,
                NOT_TESTABLE,
                f"{seen}: alone it could {'' if could else 'not '}explain the gap",
            )
            yield case.verdict(
                NOT_TESTABLE,
                reason,
                reading=f"{way}: {entry.title}",
                measured=moved,
                evidence=(evidence,),
            )


def _ways(
    case: Case, entry: collect.Entry, scores: pd.DataFrame
) -> Iterator[tuple[str, float, str, str]]:
    """Another way to score or train a run, dB that it moves, what was seen, in which file."""
    means = scores.groupby("protocol", sort=False)["psnr"].mean().sort_values()
    for way, protocols in (
        ("another protocol on Y", [p for p in means.index if p in LUMA]),
        ("RGB in place of Y", [p for p in means.index if p in ("rgb", case.claim.protocol)]),
    ):
        low, high = (means[protocols].iloc[end] for end in (0, -1))
        yield (
            way,
            high - low,
            f"the same images score {low:.2f} dB under {protocols[0]} and {high:.2f} dB under "
            f"{protocols[-1]}",
            "tables/protocols.csv",
        )
    seeds = scores[scores["protocol"] == case.claim.protocol].groupby("variant")["psnr"].mean()
    if len(seeds) > 1:
        yield (
            "another seed",
            seeds.max() - seeds.min(),
            f"its {_seeds(len(seeds))} score {seeds.min():.2f} to {seeds.max():.2f} dB (protocol "
            f"{case.claim.protocol})",
            "tables/seeds.csv",
        )
    try:
        leaks = selection(case.config)
    except BenchError:  # the verdict on the selection says which history is missing
        return
    leaks = leaks.loc[leaks["run"] == entry.run, "leak_psnr"]
    if not leaks.empty:
        yield (
            "the epoch chosen on the test images",
            leaks.max(),
            f"that adds at most {leaks.max():.2f} dB of RGB PSNR of central crops, "
            f"{_seeds(len(leaks))}",
            "tables/selection.csv",
        )


def _scores(case: Case, dataset: str, *, ablations: bool = False) -> pd.DataFrame:
    """Per-image scores on a test set, under the claim's protocol."""
    scores = _every_protocol(case, dataset, ablations=ablations)
    return scores[scores["protocol"] == case.claim.protocol]


def _every_protocol(case: Case, dataset: str, *, ablations: bool = False) -> pd.DataFrame:
    """Per-image scores on a test set.

    Raises:
        Missing: if a score file is not there.
    """
    try:
        scores = collect.scores(case.config, ablations=ablations)
    except BenchError as error:
        raise Missing(str(error).partition(";")[0]) from error
    return scores[scores["dataset"] == dataset]


def _by_image(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Scores, a row per run and a column per image: means over seeds.

    A perfectly restored image has an infinite PSNR, and no difference to another one.
    """
    wide = scores.groupby(["run", "image"], sort=False)[metric].mean().unstack("image")
    return wide.loc[:, ~np.isinf(wide).any()]


def _difference(
    scores: pd.DataFrame, run: str, other: str, metric: str
) -> tuple[float, float, float]:
    """Mean difference of two runs over the same images, and its interval."""
    images = _by_image(scores[scores["run"].isin([run, other])], metric)
    difference = (images.loc[run] - images.loc[other]).dropna()
    return (float(difference.mean()), *mean_interval(difference))
