"""Tests of claims that one network restores better than another one that is named."""

from __future__ import annotations

from collections.abc import Iterator

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.claim_tests.scores import (
    claimed_scores,
    difference,
    samples_of_difference,
)
from derainbench.audit.verdict_rule import numbered, on_bound
from derainbench.catalog.model_cards import model_card
from derainbench.results.runs import RunVariant, run_variants


def outperforms(case: Case) -> Iterator[Verdict]:
    """PSNR against the named network's, in dB, on every test set: more than none, surely.

    Both were trained here on the same data, by one recipe and for as long: with recipes of their own
    a difference could be that of the recipes.
    """
    against = case.named_network()
    own = {entry.run: entry for entry in case.network_runs()}
    others = {
        entry.run: entry
        for entry in run_variants(case.config)
        if entry.spec.network == against and not entry.spec.ablation
    }
    compared = False
    for entry in own.values():
        for other in others.values():
            if not _one_budget(entry, other):
                continue
            for dataset in entry.spec.test:
                if case.config.paired(dataset) and dataset in other.spec.test:
                    compared = True
                    yield _better(case, entry, other, dataset)
    if not compared:
        raise Missing(
            f"{case.paper.network} and {model_card(against).title} were not trained under one "
            "budget and tested on the same set in this configuration"
        )


def _one_budget(entry: RunVariant, other: RunVariant) -> bool:
    one, two = entry.spec.train, other.spec.train
    if one is None or two is None:
        return False
    return (one.dataset, one.recipe, one.set) == (two.dataset, two.recipe, two.set)


def _better(case: Case, entry: RunVariant, other: RunVariant, dataset: str) -> Verdict:
    scores = claimed_scores(case, dataset)
    mean, low, high = difference(scores, entry.run, other.run, "psnr")
    ruling = on_bound(samples_of_difference(scores, entry.run, other.run), 0)
    seeds = scores.groupby("run")["variant"].nunique()
    outcome, reason = case.scaled(
        entry.spec,
        ruling.outcome,
        f"{mean:+.2f} dB against {other.title}, trained under the same budget "
        f"({numbered(seeds[entry.run], 'seed')} against {numbered(seeds[other.run], 'seed')}; "
        f"protocol {case.claim.protocol}); {ruling.reason}",
    )
    return case.verdict(
        outcome,
        reason,
        reading=f"{entry.title} against {other.title}, on {dataset}",
        measured=mean,
        low=low,
        high=high,
        more_seeds=ruling.more_seeds,
        scaled_down=not case.speaks_for_paper(entry.spec),
        evidence=("tables/quality.csv", "tables/paired.csv"),
    )
