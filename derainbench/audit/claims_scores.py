"""Tests of claims about the scores of trained networks.

Each takes a case and gives one verdict or several, one per run or data set.
"""

from collections.abc import Iterator

import pandas as pd

from derainbench import models
from derainbench.audit.case import (
    CONTRADICTED,
    DEVIATES,
    REPRODUCED,
    Case,
    Missing,
    Verdict,
    full_size,
)
from derainbench.audit.selection import selection
from derainbench.audit.statistics import mean_interval
from derainbench.config import Run
from derainbench.errors import BenchError
from derainbench.report import collect


def score(case: Case) -> Iterator[Verdict]:
    """PSNR of the full-size network on a test set, in dB, over seeds."""
    full = {e.run for e in case.own_runs() if full_size(e.spec)}
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
    own = {e.run: e for e in case.own_runs()}
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
            verdict, reason = case.scaled(
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
    verdict, reason = case.scaled(
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


def gap(case: Case) -> Iterator[Verdict]:
    """How far the network's PSNR moves when it is scored or trained in another way, in dB.

    One verdict per way that could explain a gap between two published scores of one network:
    another protocol, another seed, the epoch chosen on the test images. A way reproduces the gap
    if it alone moves the score as far.
    """
    own = {e.run: e for e in case.own_runs() if case.claim.dataset in e.spec.test}
    if not own:
        raise Missing(f"no run of the network is tested on {case.claim.dataset}")
    scores = _every_protocol(case, case.claim.dataset)
    for run, entry in own.items():
        for way, moved, seen, evidence in _ways(case, entry, scores[scores["run"] == run]):
            explains = moved >= case.claim.published - case.claim.tolerance
            verdict, reason = case.scaled(
                entry.spec,
                REPRODUCED if explains else DEVIATES,
                f"{seen}: {'enough' if explains else 'not enough'} to explain the gap alone",
            )
            yield case.verdict(
                verdict,
                reason,
                reading=f"{way}: {entry.title}",
                measured=moved,
                evidence=(evidence,),
            )


def _ways(
    case: Case, entry: collect.Entry, scores: pd.DataFrame
) -> Iterator[tuple[str, float, str, str]]:
    """Another way to score or train a run, dB that it moves, what was seen, in which file."""
    protocols = scores.groupby("protocol", sort=False)["psnr"].mean().sort_values()
    yield (
        "another protocol",
        protocols.iloc[-1] - protocols.iloc[0],
        f"the same images score {protocols.iloc[0]:.2f} dB under {protocols.index[0]} and "
        f"{protocols.iloc[-1]:.2f} dB under {protocols.index[-1]}",
        "tables/protocols.csv",
    )
    chosen = scores[scores["protocol"] == case.claim.protocol]
    seeds = chosen.groupby("variant")["psnr"].mean()
    if len(seeds) > 1:
        yield (
            "another seed",
            seeds.max() - seeds.min(),
            f"its {len(seeds)} seeds score {seeds.min():.2f} to {seeds.max():.2f} dB",
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
            f"that adds at most {leaks.max():.2f} dB in {len(leaks)} trainings",
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


def _by_image(scores: pd.DataFrame) -> pd.DataFrame:
    """PSNR, a row per run and a column per image: means over seeds."""
    return scores.groupby(["run", "image"], sort=False)["psnr"].mean().unstack("image")
