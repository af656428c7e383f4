"""Tests of claims that a network's structure, the released code or a library decides: no training.

Each takes a case and gives one verdict or several, where the answer depends on assumptions.
"""

import inspect
from collections.abc import Iterator
from importlib import metadata

import pandas as pd
from spikingjelly.activation_based.neuron import LIFNode

from derainbench.audit.case import (
    CONTRADICTED,
    DEVIATES,
    NOT_TESTABLE,
    REPRODUCED,
    Case,
    Missing,
    Verdict,
)
from derainbench.audit.statistics import spread
from derainbench.energy.counting import ATTENTION, SPIKES
from derainbench.energy.scenarios import DEFAULT_COSTS, scenarios
from derainbench.training.recipe import load_recipe
from derainbench.training.schedule import rate_at


def parameters(case: Case) -> Iterator[Verdict]:
    """The number of parameters, and which counter gives the published one where ours does not."""
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


def energy_saving(case: Case) -> Iterator[Verdict]:
    """The published saving under every scenario: possible at any firing rate, and measured.

    Which costs the paper used is not known, so the structure is judged under every cost table, with
    and without reuse of what is constant over time: it contradicts only where all of them do.
    """
    table = case.table("scenarios/savings.csv")
    table = table[
        (table["model"] == case.book.model) & ~table["zero_skipping"] & table["rival_bits"].isna()
    ]
    full = table[table["source"] == "structure"]
    runs = {e.run for e in case.own_runs() if case.scaled(e.spec, "", "") == ("", "")}
    measured = table[
        (table["source"] == "measured")
        & _run(table["name"]).isin(runs)
        & (table["costs"] == DEFAULT_COSTS)
        & ~table["reuse"]
    ]
    for letter, scenario in scenarios().items():
        named = f"scenario ({letter}): {scenario.title}"
        rows = full[full["scenario"] == letter]
        twin = rows["rival"] == case.book.twin
        if twin.any():
            yield _possible_against_twin(case, rows[twin], f"{named}, against the ANN twin")
        if not twin.all():
            yield _possible_against_anyone(case, rows[~twin], named)
        of_runs = measured[measured["scenario"] == letter]
        for (run, dataset), found in of_runs.groupby(
            [_run(of_runs["name"]), "dataset"], sort=False
        ):
            yield from _measured_saving(case, found, f"{named}, {run} on {dataset}")


def _run(names: pd.Series) -> pd.Series:
    """Runs of ``run/variant``; a model's name stays."""
    return names.str.rsplit("/", n=1).str[0]


def _best(rows: pd.DataFrame) -> pd.Series:
    """The saving without a single spike: no firing rate gives more."""
    return 1 - rows["fixed_share"]


def _possible(case: Case, rows: pd.DataFrame) -> pd.Series:
    """Whether some firing rate gives the published saving."""
    return _best(rows) >= case.claim.published - case.claim.tolerance


def _default(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["costs"] == DEFAULT_COSTS) & ~rows["reuse"]]


def _possible_against_twin(case: Case, rows: pd.DataFrame, reading: str) -> Verdict:
    best, possible = _best(_default(rows)).iloc[0], _possible(case, rows)
    facts = {"reading": reading, "measured": best, "evidence": ("scenarios/savings.csv",)}
    under = f"under {DEFAULT_COSTS}"
    accounts = f"{len(rows)} accounts (cost tables, with and without reuse)"
    saved = f"at most {best:.0%}" if best > 0 else f"nothing: {abs(best):.0%} more"
    if not possible.any():
        return case.verdict(
            CONTRADICTED,
            f"without a single spike it would save {saved}, as a share of the rival's energy, "
            f"{under}; no firing rate gives the published saving under any of {accounts}",
            **facts,
        )
    rates = _rates(case, rows[possible])
    span = f"{_rate_text(rates.min())} to {_rate_text(rates.max())} over"
    at = _rates(case, _default(rows)[_possible(case, _default(rows))])
    met = (
        f"possible: met at {_rate_text(at.iloc[0])} {under}"
        if len(at)
        else f"not possible {under}: without a single spike it would save {saved}"
    )
    some = (
        f"all {accounts}" if possible.all() else f"{possible.sum()} of {accounts}, not the others"
    )
    return case.verdict(
        NOT_TESTABLE,
        f"{met}; {span} {some}; the full-size network's own rate takes trained weights",
        **facts,
    )


def _rates(case: Case, rows: pd.DataFrame) -> pd.Series:
    """The firing rates at which the published saving is met."""
    per_rate = _best(rows) / rows["break_even_rate"]  # energy lost per unit of rate
    return ((_best(rows) - case.claim.published) / per_rate).clip(lower=0)


def _rate_text(rate: float) -> str:
    return "any firing rate" if rate >= 1 else f"a mean firing rate of {rate:.3f}"


def _possible_against_anyone(case: Case, rows: pd.DataFrame, named: str) -> Verdict:
    """The published saving against ANNs other than the twin: which one is not stated."""
    default = _default(rows)
    facts = {
        "reading": f"{named}, against {rows['rival'].nunique()} other ANNs",
        "measured": float(_best(default).max()),
        "evidence": ("scenarios/savings.csv",),
    }
    possible = rows[_possible(case, rows)]
    if possible.empty:
        return case.verdict(
            CONTRADICTED,
            "no firing rate gives the published saving against any of them, in any cost table, with "
            "or without reuse",
            **facts,
        )
    whom: dict[str, list[str]] = {}
    for costs, of_costs in possible.groupby("costs", sort=False):
        all_of_them = of_costs["rival"].nunique() == rows["rival"].nunique()
        names = "all of them" if all_of_them else ", ".join(of_costs["rival_title"].unique())
        whom.setdefault(names, []).append(str(costs))
    return case.verdict(
        NOT_TESTABLE,
        "possible "
        + "; ".join(f"against {names} under {', '.join(costs)}" for names, costs in whom.items())
        + ("" if (possible["costs"] == DEFAULT_COSTS).any() else f"; not under {DEFAULT_COSTS}")
        + ". Which ANN and which costs are meant is not stated, and the full-size network's firing "
        "rate takes trained weights",
        **facts,
    )


def _measured_saving(case: Case, rows: pd.DataFrame, reading: str) -> Iterator[Verdict]:
    """What the paper's network saves at its own firing rate, means over seeds."""
    titles = rows.drop_duplicates("rival").set_index("rival")["rival_title"]
    rivals = (
        rows["rival"].str.rpartition("/")[0].where(rows["rival"].str.contains("/"), rows["rival"])
    )
    twins = {n for n, r in case.config.runs.items() if r.model == case.book.twin} | {case.book.twin}
    at = f"at the measured firing rate of {rows['rate'].mean():.3f}, under {DEFAULT_COSTS}"
    for rival, found in rows[rivals.isin(twins)].groupby(rivals, sort=False):
        saving = found["saving"].mean()
        one = found.iloc[0] if len(found) == 1 else spread(found["saving"])
        fits = case.claim.within(saving)
        yield case.verdict(
            REPRODUCED if fits else DEVIATES if saving > 0 else CONTRADICTED,
            f"{saving:.0%} {at}",
            reading=f"{reading}, against {titles[found['rival'].iloc[0]]} ({rival})",
            measured=saving,
            low=one.low,
            high=one.high,
            evidence=("scenarios/savings.csv",),
        )
    others = rows[~rivals.isin(twins)].groupby("rival_title", sort=False)["saving"].mean()
    if others.empty:
        return
    enough = others[others >= case.claim.published - case.claim.tolerance]
    yield case.verdict(
        CONTRADICTED if enough.empty else NOT_TESTABLE,
        f"{at[0].upper()}{at[1:]}: "
        + (
            f"against none of them, at most {others.max():.0%} against {others.idxmax()}"
            if enough.empty
            else f"that much or more against {', '.join(enough.index)}; which ANN is meant is not "
            "stated"
        ),
        reading=f"{reading}, against {len(others)} other ANNs",
        measured=float(others.max()),
        evidence=("scenarios/savings.csv",),
    )


def _analog_macs(case: Case) -> float:
    layers = case.table("structure/layers.csv")
    own = layers[(layers["model"] == case.book.model) & (layers["role"] != ATTENTION)]
    return float(own.loc[own["input"] != SPIKES, "macs"].sum())


def analog_macs(case: Case) -> Iterator[Verdict]:
    """Operations on analog input, in GMACs of one 256x256 image, attention apart."""
    found = _analog_macs(case) / 1e9
    yield case.verdict(
        REPRODUCED if case.claim.within(found) else DEVIATES,
        f"{found:.2f} GMACs of one 256x256 image are of layers on analog input",
        measured=found,
        evidence=("structure/layers.csv",),
    )


def analog_ratio(case: Case) -> Iterator[Verdict]:
    """Operations on analog input over all of the ANN twin's."""
    layers = case.table("structure/layers.csv")
    twin = layers[(layers["model"] == case.book.twin) & (layers["role"] != ATTENTION)]
    found = _analog_macs(case) / float(twin["macs"].sum())
    yield case.verdict(
        REPRODUCED if case.claim.within(found) else DEVIATES,
        "priced alike, no firing rate makes it cheaper than its twin",
        measured=found,
        evidence=("structure/layers.csv",),
    )


def schedule(case: Case) -> Iterator[Verdict]:
    """The learning rates that the authors' code really uses in its first epochs."""
    recipe = load_recipe(case.book.model, {"zero_first_epoch": True})
    first, after = rate_at(recipe, 0), rate_at(recipe, recipe.warmup_epochs + 1)
    fits = first == case.claim.published and after > recipe.lr
    yield case.verdict(
        REPRODUCED if fits else DEVIATES,
        f"the authors' schedule, rebuilt here and held to the rates of their code by the tests, trains "
        f"the first epoch at {first:g}, and epoch {recipe.warmup_epochs + 2} at "
        f"{after / recipe.lr:.7f} times the base rate",
        measured=first,
    )


def library(case: Case) -> Iterator[Verdict]:
    """Whether the installed spikingjelly takes what the authors' code passes."""
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
