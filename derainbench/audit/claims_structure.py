"""Tests of claims that a network's structure, the released code or a library decides: no training.

Each takes a case and gives one verdict or several, where the answer depends on assumptions.
"""

import inspect
from collections.abc import Iterator
from importlib import metadata
from typing import Any

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
    """The published saving under every scenario: possible at any firing rate, or measured."""
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
        f"{found:.3f} times; priced alike, no firing rate makes the network cheaper than its twin",
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
        f"the authors' schedule trains the first epoch at {first:g}, and epoch "
        f"{recipe.warmup_epochs + 2} at {after / recipe.lr:.7f} times the base rate",
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
