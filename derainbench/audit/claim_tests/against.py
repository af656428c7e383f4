"""Tests of claims that hold a paper's network against another one that is named.

Energy at any firing rates, parameters and MACs under every counter, scores under one budget. Each
takes a case and gives one verdict or several, where the answer depends on assumptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pandas as pd

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.verdict_rule import on_count
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.scenarios import scenarios
from derainbench.catalog.verdicts import Outcome
from derainbench.foundation.frames import records

ENERGY = "scenarios/energy.csv"
STRUCTURE = "structure/models.csv"
SIZES = "crosscheck/crosscheck-sizes.csv"
MACS, PARAMETERS = "macs", "parameters"
SIZE = 256  # side of the image that complexity is stated for


def energy_against(case: Case) -> Iterator[Verdict]:
    """Energy as a share of the named network's, at full size, whatever the two firing rates are.

    An energy is ``fixed + slope * firing rate``. The least share is that of a network which never
    fires against one whose neurons always do, the largest the reverse: a published share outside of
    that under every cost table is contradicted, whatever was trained.
    """
    against = case.named_network()
    table = case.table(ENERGY)
    table = table[(table["source"] == "structure") & ~table["zero_skipping"]]
    both = {name: table[table["model"] == name] for name in (case.paper.network, against)}
    if any(rows.empty for rows in both.values()):
        raise Missing(f"{ENERGY} lacks {case.paper.network} or {against}")
    for letter, scenario in scenarios().items():
        shares = _shares(*(rows[rows["scenario"] == letter] for rows in both.values()))
        if shares.empty:
            continue
        reading = f"scenario ({letter}): {scenario.label}, against {model_card(against).title}"
        yield _share_verdict(case, shares, reading)


def _shares(mine: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
    """Least and largest share under every account: ``costs``, ``reuse``, ``least``, ``largest``."""
    on = ["costs", "reuse"]
    joined = mine.merge(theirs, on=on, suffixes=("", "_against"))
    always, never = joined["fixed_mj"] + joined["slope_mj"], joined["fixed_mj"]
    always_against = joined["fixed_mj_against"] + joined["slope_mj_against"]
    # Without a spike a network all of whose layers take spikes costs nothing: no share has a bound.
    never_against = joined["fixed_mj_against"].where(joined["fixed_mj_against"] > 0)
    return joined[on].assign(
        least=never / always_against,
        largest=(always / never_against).fillna(float("inf")),
    )


def _share_verdict(case: Case, shares: pd.DataFrame, reading: str) -> Verdict:
    published, tolerance = case.claim.number, case.claim.tolerance
    possible = (shares["least"] <= published + tolerance) & (
        shares["largest"] >= published - tolerance
    )
    default = shares[(shares["costs"] == DEFAULT_COSTS) & ~shares["reuse"]].iloc[0]
    accounts = f"{len(shares)} accounts (cost tables, with and without reuse)"
    measured, span = _bound(default, published)
    if not possible.any():
        return case.verdict(
            Outcome.CONTRADICTED,
            f"{span}; no two firing rates give the published share under any of {accounts}",
            reading=reading,
            measured=measured,
            evidence=(ENERGY,),
        )
    some = (
        f"all {accounts}" if possible.all() else f"{possible.sum()} of {accounts}, not the others"
    )
    return case.verdict(
        Outcome.NOT_TESTABLE,
        f"possible at some firing rates under {some} ({span}); the full-size networks' own rates "
        "take trained weights",
        reading=reading,
        measured=measured,
        evidence=(ENERGY,),
    )


def _bound(account: pd.Series, published: float) -> tuple[float, str]:
    """The bound of an account's share that lies nearer to the published one, also in words."""
    under = f"of its energy under {DEFAULT_COSTS}, even where this network"
    if account["largest"] < published:
        return float(account["largest"]), (
            f"at most {account['largest']:.0%} {under} always fires and the other one never does"
        )
    return float(account["least"]), (
        f"at least {account['least']:.0%} {under} never fires and the other one always does"
    )


def parameters_against(case: Case) -> Iterator[Verdict]:
    """Parameters saved against the named network, as a share of its own: counted, and by others."""
    yield _saved(case, PARAMETERS)


def macs_against(case: Case) -> Iterator[Verdict]:
    """MACs saved against the named network, as a share of its own: counted, and by others.

    FLOPs are twice as many in every counter that gives them, so their shares are those of MACs.
    """
    yield _saved(case, MACS)


def _saved(case: Case, what: str) -> Verdict:
    """The share that is saved by true counts, and which counts of others give the published one."""
    against = case.named_network()
    table = case.table(STRUCTURE).set_index("model")
    column = {PARAMETERS: "parameters", MACS: "gmacs"}[what]
    if not {case.paper.network, against} <= set(table.index):
        raise Missing(f"{STRUCTURE} lacks {case.paper.network} or {against}")
    mine, theirs = (float(table[column][name]) for name in (case.paper.network, against))
    saved = 1 - mine / theirs
    size = f" at {SIZE}x{SIZE}" if what == MACS else ""
    counted = (
        f"{mine:,.2f} against {theirs:,.2f} GMACs"
        if what == MACS
        else f"{mine:,.0f} against {theirs:,.0f}"
    )
    reason = f"{saved:.1%} fewer{size}: {counted}"
    evidence, fits = [STRUCTURE], case.claim.within(saved)
    if not fits:
        coincidences, tried = _coincidences(case, what, against)
        evidence.append(SIZES)
        reason += (
            f"; others' counts, {tried} tried: {', '.join(coincidences)}. A coincidence of numbers: the "
            "sources do not say what was counted, or with what"
            if coincidences
            else f"; others' counts, {tried} tried: none gives the published share"
        )
    return case.verdict(
        on_count(fits),
        reason,
        reading=f"against {model_card(against).title}",
        measured=saved,
        evidence=tuple(evidence),
    )


def _coincidences(case: Case, what: str, against: str) -> tuple[list[str], int]:
    """Counts of others that give the published share, in words, and how many were tried.

    For MACs every pair of image sizes is tried: two networks may have been counted at two.
    """
    table = case.table(SIZES).dropna(subset=[what])
    found, tried = [], 0
    for counter, rows in table.groupby("counter", sort=False):
        mine = records(rows[rows["model"] == case.paper.network])
        theirs = records(rows[rows["model"] == against])
        if what == PARAMETERS:  # they do not depend on the image
            mine, theirs = mine[:1], theirs[:1]
        for one, other in product(mine, theirs):
            tried += 1
            saved = 1 - one[what] / other[what]
            if case.claim.within(saved):
                sizes = "" if what == PARAMETERS else f" at {one['size']} against {other['size']}"
                amounts = (
                    f"{one[what]:,.0f} against {other[what]:,.0f}"
                    if what == PARAMETERS
                    else f"{one[what] / 1e9:.4f} against {other[what] / 1e9:.4f} G"
                )
                found.append(f"those of {counter}{sizes} give {saved:.2%} ({amounts})")
    return found, tried
