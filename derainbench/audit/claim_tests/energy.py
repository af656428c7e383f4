"""Tests of claims about energy.

Each takes a case and gives one verdict or several, where the answer depends on assumptions. Columns
of ``scenarios/savings.csv`` call the network that another one is held against its baseline.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from derainbench.audit.case import Case, Verdict
from derainbench.audit.equal_quality import STRUCTURE_ONLY, quality_columns
from derainbench.audit.verdict_rule import Sample, on_bound, on_number
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.scenarios import scenarios
from derainbench.catalog.verdicts import Outcome

SAVINGS = "scenarios/savings.csv"


def energy_saving(case: Case) -> Iterator[Verdict]:
    """The published saving under every scenario: whether any firing rate gives it, and measured.

    Which costs the paper used is not known, so the structure is judged under every cost table, with
    and without reuse of what is constant over time: it contradicts only where all of them do.
    """
    table = case.table(SAVINGS)
    table = table[
        (table["model"] == case.paper.network)
        & ~table["zero_skipping"]
        & table["baseline_bits"].isna()
    ]
    full_size = table[table["source"] == "structure"]
    runs = {entry.run for entry in case.network_runs() if case.speaks_for_paper(entry.spec)}
    measured = table[
        (table["source"] == "measured")
        & _run(table["name"]).isin(runs)
        & (table["costs"] == DEFAULT_COSTS)
        & ~table["reuse"]
    ]
    quality = quality_columns(case.config, measured)
    measured = measured.join(quality.drop(columns=["low", "high"]))
    for letter, scenario in scenarios().items():
        named = f"scenario ({letter}): {scenario.label}"
        rows = full_size[full_size["scenario"] == letter]
        counterpart = rows["baseline"] == case.paper.counterpart
        if counterpart.any():
            reading = f"{named}, against the ANN counterpart"
            yield _possible_against_counterpart(case, rows[counterpart], reading)
        if not counterpart.all():
            yield _possible_against_anyone(case, rows[~counterpart], named)
        of_scenario = measured[measured["scenario"] == letter]
        for (run, dataset), savings in of_scenario.groupby(
            [_run(of_scenario["name"]), of_scenario["dataset"]], sort=False
        ):
            yield from _measured_saving(case, savings, f"{named}, {run} on {dataset}")


def _run(names: pd.Series) -> pd.Series:
    """Runs of ``run/variant``; a model's name stays."""
    return names.str.rsplit("/", n=1).str[0]


def _best(rows: pd.DataFrame) -> pd.Series:
    """The saving without a single spike: no firing rate gives more."""
    return 1 - rows["fixed_share"]


def _possible(case: Case, rows: pd.DataFrame) -> pd.Series:
    """Whether some firing rate gives the published saving."""
    return _best(rows) >= case.claim.number - case.claim.tolerance


def _default(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["costs"] == DEFAULT_COSTS) & ~rows["reuse"]]


def _possible_against_counterpart(case: Case, rows: pd.DataFrame, reading: str) -> Verdict:
    best, possible = float(_best(_default(rows)).iloc[0]), _possible(case, rows)
    under = f"under {DEFAULT_COSTS}"
    accounts = f"{len(rows)} accounts (cost tables, with and without reuse)"
    saved = f"at most {best:.0%}" if best > 0 else f"nothing: {abs(best):.0%} more"
    if not possible.any():
        return case.verdict(
            Outcome.CONTRADICTED,
            f"without a single spike it would save {saved}, as a share of the counterpart's energy, "
            f"{under}; no firing rate gives the published saving under any of {accounts}; "
            f"{STRUCTURE_ONLY}",
            reading=reading,
            measured=best,
            evidence=(SAVINGS,),
        )
    rates = _rates(case, rows[possible])
    span = f"{_rate_text(rates.min())} to {_rate_text(rates.max())} over"
    default = _default(rows)
    default_rates = _rates(case, default[_possible(case, default)])
    met = (
        f"met at {_rate_text(default_rates.iloc[0])} {under}"
        if len(default_rates)
        else f"not met {under}: without a single spike it would save {saved}"
    )
    some = (
        f"all {accounts}" if possible.all() else f"{possible.sum()} of {accounts}, not the others"
    )
    return case.verdict(
        Outcome.NOT_TESTABLE,
        f"{met}; {span} {some}; the full-size network's own rate takes trained weights; "
        f"{STRUCTURE_ONLY}",
        reading=reading,
        measured=best,
        evidence=(SAVINGS,),
    )


def _rates(case: Case, rows: pd.DataFrame) -> pd.Series:
    """The firing rates at which the published saving is met."""
    per_rate = _best(rows) / rows["break_even_rate"]  # energy lost per unit of rate
    return ((_best(rows) - case.claim.number) / per_rate).clip(lower=0)


def _rate_text(rate: float) -> str:
    return "any firing rate" if rate >= 1 else f"a mean firing rate of {rate:.3f}"


def _possible_against_anyone(case: Case, rows: pd.DataFrame, named: str) -> Verdict:
    """The published saving against ANNs other than the counterpart: which one is not stated."""
    reading = f"{named}, against {rows['baseline'].nunique()} other ANNs"
    best = float(_best(_default(rows)).max())
    possible = rows[_possible(case, rows)]
    if possible.empty:
        return case.verdict(
            Outcome.CONTRADICTED,
            "no firing rate gives the published saving against any of them, in any cost table, with "
            f"or without reuse; {STRUCTURE_ONLY}",
            reading=reading,
            measured=best,
            evidence=(SAVINGS,),
        )
    costs_by_names: dict[str, list[str]] = {}
    for costs, of_costs in possible.groupby("costs", sort=False):
        all_of_them = of_costs["baseline"].nunique() == rows["baseline"].nunique()
        names = "all of them" if all_of_them else ", ".join(of_costs["baseline_title"].unique())
        costs_by_names.setdefault(names, []).append(str(costs))
    against = "; ".join(
        f"against {names} under {', '.join(costs)}" for names, costs in costs_by_names.items()
    )
    default = "" if (possible["costs"] == DEFAULT_COSTS).any() else f"; not under {DEFAULT_COSTS}"
    return case.verdict(
        Outcome.NOT_TESTABLE,
        f"some firing rate gives it {against}{default}. Which ANN and which costs are meant is not "
        "stated, and the full-size network's firing rate takes trained weights; "
        f"{STRUCTURE_ONLY}",
        reading=reading,
        measured=best,
        evidence=(SAVINGS,),
    )


def _measured_saving(case: Case, rows: pd.DataFrame, reading: str) -> Iterator[Verdict]:
    """What the paper's network saves at its own firing rate, means over seeds.

    Only networks of equal quality, on the same images, say something about the claim.
    """
    titles = rows.drop_duplicates("baseline").set_index("baseline")["baseline_title"]
    compared = (
        rows["baseline"]
        .str.rpartition("/")[0]
        .where(rows["baseline"].str.contains("/"), rows["baseline"])
    )
    counterparts = {
        name for name, run in case.config.runs.items() if run.network == case.paper.counterpart
    } | {case.paper.counterpart}
    at_rate = (
        f"at the measured firing rate of {rows['firing_rate'].mean():.3f}, under {DEFAULT_COSTS}"
    )
    is_counterpart = compared.isin(counterparts)
    for run, savings in rows[is_counterpart].groupby(compared, sort=False):
        against = f"{reading}, against {titles[savings['baseline'].iloc[0]]} ({run})"
        if not savings["equal_quality"].all():
            yield case.verdict(
                Outcome.NOT_TESTABLE,
                f"not of equal quality: {_qualities(savings)}; it takes a counterpart that is",
                reading=against,
                evidence=(SAVINGS,),
            )
            continue
        sample = _saving_sample(savings)
        ruling = on_number(
            [sample],
            case.claim.number,
            case.claim.allowed,
            value=sample.value,
            directed=True,
            show="{:.0%}".format,
        )
        yield case.verdict(
            ruling.outcome,
            f"{sample.value:.0%} {at_rate}; {ruling.reason}; {_qualities(savings)}",
            reading=against,
            measured=sample.value,
            low=sample.shown[0],
            high=sample.shown[1],
            more_seeds=ruling.more_seeds,
            evidence=(SAVINGS,),
        )
    others = rows[~is_counterpart]
    if not others.empty:
        yield _saving_against_others(case, others, at_rate, reading)


def _saving_sample(rows: pd.DataFrame) -> Sample:
    """What a network saves against one baseline: one value per seed, the baseline's seeds averaged.

    Official weights have one account: its interval over images counts.
    """
    per_seed = rows.groupby("name", sort=False)["saving"].mean()
    if all("/seed-" in str(name) for name in per_seed.index):
        return Sample.over("seed", per_seed.tolist())
    one = rows.iloc[0]
    return Sample.recorded(one["saving"], one["low"], one["high"], int(one["images"]))


def _saving_against_others(case: Case, rows: pd.DataFrame, at_rate: str, reading: str) -> Verdict:
    """Which ANN is meant is not stated: only a saving against none of them refutes the claim."""
    by_title = {str(title): of_one for title, of_one in rows.groupby("baseline_title", sort=False)}
    named = "; ".join(f"{title}: {_qualities(of_one)}" for title, of_one in by_title.items())
    equal = {
        title: _saving_sample(of_one)
        for title, of_one in by_title.items()
        if of_one["equal_quality"].all()
    }
    if not equal:
        return case.verdict(
            Outcome.NOT_TESTABLE,
            f"none of them is of equal quality: {named}",
            reading=f"{reading}, against {len(by_title)} other ANNs",
            evidence=(SAVINGS,),
        )
    least = case.claim.number - case.claim.allowed
    rulings = {
        title: on_bound([sample], least, show="{:.0%}".format) for title, sample in equal.items()
    }
    best = max(equal, key=lambda title: equal[title].value)
    enough = [title for title, ruling in rulings.items() if ruling.outcome == Outcome.REPRODUCED]
    if enough:
        outcome, more = Outcome.NOT_TESTABLE, None
        reason = f"that much or more against {', '.join(enough)}; which ANN is meant is not stated"
    elif all(ruling.outcome == Outcome.CONTRADICTED for ruling in rulings.values()):
        outcome, more = Outcome.CONTRADICTED, None
        reason = f"against none of them, at most {equal[best].value:.0%} against {best}"
    else:
        outcome, more = Outcome.UNDECIDED, rulings[best].more_seeds
        reason = f"{equal[best].value:.0%} against {best}, at most; {rulings[best].reason}"
    return case.verdict(
        outcome,
        f"{at_rate[0].upper()}{at_rate[1:]}: {reason}; {named}",
        reading=f"{reading}, against {len(equal)} other ANNs of equal quality",
        measured=equal[best].value,
        more_seeds=more,
        evidence=(SAVINGS,),
    )


def _qualities(rows: pd.DataFrame) -> str:
    """``28.31 dB against 28.40 dB (rgb)`` of one pair of runs, or why it has no scores."""
    pair = rows.iloc[0]
    if pair["why_not"]:
        return str(pair["why_not"])
    return f"{pair['psnr']:.2f} dB against {pair['psnr_baseline']:.2f} dB ({pair['protocol']})"
