"""Tests of claims that a network's structure, the released code or a library decides: no training.

Each takes a case and gives one verdict or several, where the answer depends on assumptions. What they
count leaves nothing to chance, so the difference itself decides.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.verdict_rule import on_count
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.recipes import load_recipe
from derainbench.energy.records import ATTENTION, SPIKES
from derainbench.foundation.frames import records
from derainbench.training.schedule import rate_at


def parameters(case: Case) -> Iterator[Verdict]:
    """The number of parameters, and which counter gives the published one where ours does not."""
    table = case.table("structure/models.csv")
    counted = int(table.loc[table["model"] == case.paper.network, "parameters"].iloc[0])
    evidence = ["structure/models.csv"]
    fits = case.claim.within(counted)
    reason = f"the network has {counted:,} parameters"
    if not fits:
        reason += f", {counted / case.claim.number:.1f} times the published number"
        try:
            others = case.table("crosscheck/crosscheck.csv")
            evidence.append("crosscheck/crosscheck-layers.csv")
        except Missing:
            others = pd.DataFrame(columns=["model", "parameters"])
        near = others[others["model"] == case.paper.network]
        near = near[near["parameters"].map(case.claim.within)]
        for row in records(near):
            reason += (
                f"; {row['counter']} reports {int(row['parameters']):,}, because it does not see "
                "layer types that it has no rule for: the likely origin"
            )
    yield case.verdict(
        on_count(fits),
        reason,
        measured=counted,
        evidence=tuple(evidence),
    )


def _macs(layers: pd.DataFrame, model: str | None) -> pd.DataFrame:
    """The layers of a network whose MACs are compared: all but attention."""
    return layers[(layers["model"] == model) & (layers["role"] != ATTENTION)]


def _analog_macs(case: Case) -> float:
    layers = _macs(case.table("structure/layers.csv"), case.paper.network)
    return float(layers.loc[layers["input"] != SPIKES, "macs"].sum())


def analog_macs(case: Case) -> Iterator[Verdict]:
    """Operations on analog input, in GMACs of one 256x256 image, attention apart."""
    gmacs = _analog_macs(case) / 1e9
    yield case.verdict(
        on_count(case.claim.within(gmacs)),
        f"{gmacs:.2f} GMACs of one 256x256 image are of layers on analog input",
        measured=gmacs,
        evidence=("structure/layers.csv",),
    )


def analog_ratio(case: Case) -> Iterator[Verdict]:
    """Operations on analog input over all of the ANN counterpart's."""
    counterpart = _macs(case.table("structure/layers.csv"), case.paper.counterpart)
    ratio = _analog_macs(case) / float(counterpart["macs"].sum())
    yield case.verdict(
        on_count(case.claim.within(ratio)),
        "priced alike, no firing rate makes it cheaper than its ANN counterpart"
        if ratio >= 1
        else "priced alike, a firing rate low enough makes it cheaper than its ANN counterpart",
        measured=ratio,
        evidence=("structure/layers.csv",),
    )


def schedule(case: Case) -> Iterator[Verdict]:
    """The learning rates that the authors' code really uses in its first epochs."""
    of_card = model_card(case.paper.network).training.recipe
    if of_card is None:
        raise Missing(f"the card of {case.paper.network} names no recipe")
    recipe = load_recipe(of_card, {"zero_first_epoch": True})
    first, after = rate_at(recipe, 0), rate_at(recipe, recipe.warmup_epochs + 1)
    fits = first == case.claim.published and after > recipe.lr
    yield case.verdict(
        on_count(fits),
        f"the authors' schedule, rebuilt here and held to the rates of their code by the tests, trains "
        f"the first epoch at {first:g}, and epoch {recipe.warmup_epochs + 2} at "
        f"{after / recipe.lr:.7f} times the base rate",
        measured=first,
    )


def library(case: Case) -> Iterator[Verdict]:
    """Whether the installed spikingjelly takes what the authors' code passes."""
    reach, file = case.gradients()
    taken = "backend" in reach.lif_arguments
    yield case.verdict(
        on_count(not taken),
        f"spikingjelly {reach.spikingjelly}, installed here, "
        + ("takes" if taken else "refuses")
        + " LIFNode(backend=...), which the authors' code passes; older releases are not installed "
        "here: theirs is read from their source",
        reading=f"spikingjelly {reach.spikingjelly}",
        evidence=(file,),
    )
