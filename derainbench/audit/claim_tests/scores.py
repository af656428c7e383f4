"""Tests of claims about the scores of trained networks.

Each takes a case and gives one verdict or several, one per run or data set.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from derainbench.audit.case import Case, Missing, Verdict, as_published
from derainbench.audit.score_samples import published_images, score_samples
from derainbench.audit.verdict_rule import Sample, numbered, on_bound, on_number
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.verdicts import Outcome
from derainbench.config.runs import Training
from derainbench.data.restored import OTHERS
from derainbench.foundation.errors import BenchError
from derainbench.metrics.infinite import finite, infinite_note
from derainbench.results.runs import RunVariant, run_variants
from derainbench.results.scores import read_scores
from derainbench.statistics.bootstrap import mean_interval
from derainbench.statistics.effects import spread

NO_MEAN = "every image was restored perfectly: PSNR is infinite and has no mean"


def score(case: Case) -> Iterator[Verdict]:
    """PSNR of the paper's network after its training on a test set, in dB.

    A score has no direction to be refuted: outside the tolerance it deviates.
    """
    scores = claimed_scores(case, case.dataset)
    full_size = {e.run: e for e in case.network_runs() if as_published(case.config, e.spec)}
    tested = False
    for run, entry in full_size.items():
        means = finite(scores[scores["run"] == run]).groupby("variant")["psnr"].mean()
        if means.empty:
            continue
        tested, over_seeds = True, spread(means.tolist())
        reading = f"{called(entry)} ({run}) on {case.dataset}"
        if not over_seeds.n:
            yield case.verdict(Outcome.UNDECIDED, NO_MEAN, reading=reading)
            continue
        of_run = scores[scores["run"] == run]
        weights = "official weights" if entry.spec.counted else OTHERS
        weights = numbered(len(means), "seed") if entry.spec.train else weights
        images, whole = of_run["image"].nunique(), published_images(case.config, case.dataset)
        samples = score_samples(case.config, case.dataset, of_run)
        ruling = on_number(samples, case.claim.number, case.claim.allowed, value=over_seeds.mean)
        note = infinite_note(of_run)
        yield case.verdict(
            ruling.outcome,
            f"{over_seeds.mean:.2f} dB in protocol {case.claim.protocol}, {weights}, "
            f"{numbered(images, 'image')} of {whole or 'a set of unknown size'}; {ruling.reason}"
            f"{'.' * bool(note)}{note}",
            reading=reading,
            measured=over_seeds.mean,
            low=over_seeds.low,
            high=over_seeds.high,
            more_seeds=ruling.more_seeds,
            evidence=("tables/quality.csv", "tables/seeds.csv"),
        )
    if not tested:
        raise Missing(
            f"no run of the paper's network under its training is tested on {case.dataset}"
        )


def called(entry: RunVariant) -> str:
    """A run's title; no reading passes off what others restored as this benchmark's own."""
    return entry.title if entry.spec.counted else f"{entry.title}, {OTHERS}"


def comparable(case: Case) -> Iterator[Verdict]:
    """PSNR against the best ANN trained on the same data, in dB, on every test set.

    Comparable means not worse by more than the tolerance, over seeds and over images.
    """
    trained = {e.run: (e, e.spec.train) for e in case.network_runs() if e.spec.train}
    if not trained:
        raise Missing("no run of the network was trained in this configuration")
    compared = False
    for dataset in dict.fromkeys(d for entry, _ in trained.values() for d in entry.spec.test):
        if not case.config.paired(dataset):
            continue
        scores = claimed_scores(case, dataset)
        images = _by_image(scores, "psnr")
        for run, (entry, training) in trained.items():
            baselines = _baselines(case, training)
            ranked = images[images.index.isin(baselines)].mean(axis=1).sort_values(ascending=False)
            if run not in images.index or ranked.empty:
                continue
            compared = True
            yield _against(case, entry, dataset, scores, str(ranked.index[0]), baselines)
    if not compared:
        raise Missing("no ANN was trained on the same data in this configuration")


def _against(
    case: Case,
    entry: RunVariant,
    dataset: str,
    scores: pd.DataFrame,
    best: str,
    baselines: dict[str, str],
) -> Verdict:
    """The network against the best of its baselines, over the same images."""
    mean, low, high = difference(scores, entry.run, best, "psnr")
    ssim, ssim_low, ssim_high = difference(scores, entry.run, best, "ssim")
    seeds = scores.groupby("run")["variant"].nunique()
    ruling = on_bound(samples_of_difference(scores, entry.run, best), -case.claim.tolerance)
    outcome, reason = case.scaled(
        entry.spec,
        ruling.outcome,
        f"{mean:+.2f} dB against {baselines[best]}, the best of {len(baselines)} ANN(s) trained on "
        f"the same data ({numbered(seeds[entry.run], 'seed')} against "
        f"{numbered(seeds[best], 'seed')}; protocol {case.claim.protocol}); comparable: not worse by "
        f"more than {case.claim.tolerance} dB; {ruling.reason}. "
        f"SSIM {ssim:+.4f} [{ssim_low:+.4f}, {ssim_high:+.4f}]",
    )
    return case.verdict(
        outcome,
        reason,
        reading=f"{entry.title} on {dataset}",
        measured=mean,
        low=low,
        high=high,
        more_seeds=ruling.more_seeds,
        scaled_down=not case.speaks_for_paper(entry.spec),
        evidence=("tables/quality.csv", "tables/paired.csv"),
    )


def _baselines(case: Case, training: Training) -> dict[str, str]:
    """Runs of ANNs, with their titles, trained on the same data: by their own recipe, or by the
    same one with the same budget.

    The same recipe with another budget would compare lengths of training.
    """
    return {
        entry.run: entry.title
        for entry in run_variants(case.config)
        if (other := entry.spec.train)
        and not model_card(entry.spec.network).spiking
        and other.dataset == training.dataset
        and (other.recipe != training.recipe or other.set == training.set)
    }


def ablation(case: Case) -> Iterator[Verdict]:
    """PSNR with a part against without it, in dB."""
    without = case.claim.without or {}
    compared = False
    for run, spec in case.config.runs.items():
        if not spec.ablation or spec.network != case.paper.network:
            continue
        base = case.config.runs[spec.ablation.of]
        if spec.kwargs != base.kwargs | without:
            continue
        for dataset in spec.test:
            if case.config.paired(dataset) and dataset in base.test:
                compared = True
                yield _with_and_without(case, spec.ablation.of, run, dataset)
    if not compared:
        raise Missing(f"no ablation of {case.paper.network} with {without}")


def _with_and_without(case: Case, base: str, run: str, dataset: str) -> Verdict:
    """The network against an ablation: over images, and over seeds."""
    scores = pd.concat(
        [claimed_scores(case, dataset), claimed_scores(case, dataset, ablations=True)]
    )
    mean, low, high = difference(scores, base, run, "psnr")
    ruling = on_bound(samples_of_difference(scores, base, run), 0)
    counts = scores.groupby("run")["variant"].nunique()
    among = f"{numbered(counts[base], 'seed')} against {numbered(counts[run], 'seed')}"
    titles = [case.config.runs[name].title or name for name in (base, run)]
    outcome, reason = case.scaled(
        case.config.runs[base],
        ruling.outcome,
        f"{mean:+.2f} dB with against without (protocol {case.claim.protocol}; {among}); "
        f"{ruling.reason}",
    )
    return case.verdict(
        outcome,
        reason,
        reading=f"{titles[0]}: {titles[1]}, on {dataset}",
        measured=mean,
        low=low,
        high=high,
        more_seeds=ruling.more_seeds,
        scaled_down=not case.speaks_for_paper(case.config.runs[base]),
        evidence=tuple(
            f"scores/{name}/{variant}/{dataset}/per_image.csv"
            for name in (base, run)
            for variant in case.config.runs[name].variants()
        ),
    )


def claimed_scores(case: Case, dataset: str, *, ablations: bool = False) -> pd.DataFrame:
    """Per-image scores on a test set, under the claim's protocol."""
    scores = every_protocol(case, dataset, ablations=ablations)
    return scores[scores["protocol"] == case.claim.protocol]


def every_protocol(case: Case, dataset: str, *, ablations: bool = False) -> pd.DataFrame:
    """Per-image scores on a test set; Missing if a score file is not there."""
    try:
        scores = read_scores(case.config, ablations=ablations)
    except BenchError as error:
        raise Missing(str(error).partition(";")[0]) from error
    return scores[scores["dataset"] == dataset]


def _by_image(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Scores, a row per run and a column per image: means over seeds.

    A perfectly restored image has an infinite PSNR, and no difference to another one.
    """
    wide = scores.groupby(["run", "image"], sort=False)[metric].mean().unstack("image")
    return wide[wide.columns[~np.isinf(wide.to_numpy()).any(axis=0)]]


def samples_of_difference(scores: pd.DataFrame, run: str, other: str) -> list[Sample]:
    """The difference of two runs over seeds, and over the same images: both are drawn."""
    per_seed = finite(scores).groupby(["run", "variant"])["psnr"].mean()
    images = _by_image(scores[scores["run"].isin([run, other])], "psnr")
    own, others = (per_seed[name].tolist() for name in (run, other))
    over_images = Sample.over("image", (images.T[run] - images.T[other]).dropna().tolist())
    return [Sample.between_seeds(own, others), over_images]


def difference(
    scores: pd.DataFrame, run: str, other: str, metric: str
) -> tuple[float, float, float]:
    """Mean difference of two runs over the same images, and its interval; Missing without any."""
    images = _by_image(scores[scores["run"].isin([run, other])], metric)
    difference = (images.T[run] - images.T[other]).dropna().tolist()
    if not difference:
        raise Missing(f"{run} and {other}: {NO_MEAN}")
    return (float(np.mean(difference)), *mean_interval(difference))
