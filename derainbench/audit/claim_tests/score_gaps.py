"""Tests of gaps between published scores of one network: what could explain them."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.claim_tests.scores import called, every_protocol
from derainbench.audit.selection import selection
from derainbench.audit.verdict_rule import numbered
from derainbench.catalog.protocols import luma_protocols
from derainbench.catalog.verdicts import Outcome
from derainbench.foundation.errors import BenchError
from derainbench.metrics.infinite import finite
from derainbench.results.runs import RunVariant


def gap(case: Case) -> Iterator[Verdict]:
    """How far the network's PSNR moves when it is scored or trained in another way, in dB.

    One verdict per way that could explain a gap between two published scores of one network. The
    published networks are not at hand, so none says more than whether the way could.
    """
    tested = {e.run: e for e in case.network_runs() if case.dataset in e.spec.test}
    if not tested:
        raise Missing(f"no run of the network is tested on {case.dataset}")
    scores = every_protocol(case, case.dataset)
    for run, entry in tested.items():
        for way, moved, seen, evidence in _ways(case, entry, scores[scores["run"] == run]):
            could = moved >= case.claim.number - case.claim.tolerance
            outcome, reason = case.scaled(
                entry.spec,
                Outcome.NOT_TESTABLE,
                f"{seen}: alone it could {'' if could else 'not '}explain the gap",
            )
            yield case.verdict(
                outcome,
                reason,
                reading=f"{way}: {called(entry)}",
                measured=moved,
                scaled_down=not case.speaks_for_paper(entry.spec),
                evidence=(evidence,),
            )


def _ways(
    case: Case, entry: RunVariant, scores: pd.DataFrame
) -> Iterator[tuple[str, float, str, str]]:
    """Another way to score or train a run, dB that it moves, what was seen, in which file."""
    scores = finite(scores).dropna(subset="psnr")
    means = scores.groupby("protocol", sort=False)["psnr"].mean().sort_values()
    for way, protocols in (
        ("another protocol on Y", [p for p in means.index if p in luma_protocols()]),
        ("RGB in place of Y", [p for p in means.index if p in ("rgb", case.claim.protocol)]),
    ):
        if not protocols:
            continue
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
            f"its {numbered(len(seeds), 'seed')} score {seeds.min():.2f} to {seeds.max():.2f} dB (protocol "
            f"{case.claim.protocol})",
            "tables/seeds.csv",
        )
    try:
        leaks = selection(case.config)
    except BenchError:  # the verdict on the selection says which history is missing
        return
    leaked = leaks.loc[leaks["run"] == entry.run, "leak_psnr"].tolist()
    if leaked:
        yield (
            "the epoch chosen on the test images",
            max(leaked),
            f"that adds at most {max(leaked):.2f} dB of RGB PSNR of central crops, "
            f"{numbered(len(leaked), 'seed')}",
            "tables/selection.csv",
        )
