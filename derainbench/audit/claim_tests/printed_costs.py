"""Tests of what the cells of a paper's table of costs claim: parameters, operations, energy.

Structure decides them, so every configuration judges them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.claim_tests.printed import printed_cell
from derainbench.audit.claim_tests.structure import parameters
from derainbench.audit.standing import networks_standing_for
from derainbench.audit.verdict_rule import on_count
from derainbench.catalog.cells.metrics import UNSTATED
from derainbench.catalog.scenarios import scenarios
from derainbench.catalog.verdicts import Outcome
from derainbench.foundation.frames import records

MODELS, ENERGY = "structure/models.csv", "scenarios/energy.csv"


def printed_parameters(case: Case) -> Iterator[Verdict]:
    """The number of parameters of the network that the cell names."""
    if printed_cell(case).method == case.paper.method:
        yield from parameters(case)
        return
    for model in _counted(case):
        number, fits = int(model["parameters"]), case.claim.within(int(model["parameters"]))
        times = f", {number / case.claim.number:.3g} times the printed number"
        yield case.verdict(
            on_count(fits),
            f"the network has {number:,} parameters{'' if fits else times}",
            reading=model["title"],
            measured=number,
            evidence=(MODELS,),
        )


def printed_operations(case: Case) -> Iterator[Verdict]:
    """Dense operations of one image: as MACs, and for FLOPs as two of them per MAC too.

    Papers write FLOPs for either.
    """
    cell = printed_cell(case)
    ways = {"one per MAC": 1} | ({"two per MAC": 2} if cell.unit == "GFLOPs" else {})
    for model in _counted(case):
        _check_size(case, model["size"])
        for way, factor in ways.items():
            found = factor * float(model["gmacs"])
            fits = case.claim.within(found)
            yield case.verdict(
                Outcome.REPRODUCED if fits else Outcome.DEVIATES,
                f"{found:.2f} {cell.unit} of one {model['size']} image, all time steps counted, "
                f"{found / case.claim.number:.3g} times the printed number{_unstated(case)}",
                reading=f"{model['title']}, {way}",
                measured=found,
                evidence=(MODELS,),
            )


def printed_energy(case: Case) -> Iterator[Verdict]:
    """Energy of one image under every scenario: does any cost table give the printed one."""
    table = case.table(ENERGY)
    table = table[(table["source"] == "structure") & ~table["zero_skipping"] & ~table["reuse"]]
    for model in _counted(case):
        _check_size(case, model["size"])
        priced = table[table["model"] == model["model"]]
        for letter, scenario in scenarios().items():
            rows = priced[priced["scenario"] == letter]
            if rows.empty:
                continue
            judge = _spiking if model["spiking"] else _not_spiking
            yield judge(case, rows, f"scenario ({letter}): {scenario.label}, {model['title']}")


def _not_spiking(case: Case, rows: pd.DataFrame, reading: str) -> Verdict:
    rows = rows.assign(off=(rows["mj"] - case.claim.number).abs()).sort_values("off", kind="stable")
    nearest = rows.iloc[0]
    found = float(nearest["mj"])
    fits = case.claim.within(found)
    return case.verdict(
        Outcome.REPRODUCED if fits else Outcome.DEVIATES,
        f"{found:.4g} mJ under {nearest['costs']}, the nearest of {len(rows)} cost tables"
        f"{_unstated(case)}",
        reading=reading,
        measured=found,
        evidence=(ENERGY,),
    )


def _spiking(case: Case, rows: pd.DataFrame, reading: str) -> Verdict:
    """Some firing rate between 0 and 1 may give the printed energy; which it is takes weights."""
    room = case.claim.allowed
    fixed, slope = rows["fixed_mj"], rows["slope_mj"]
    possible = rows[
        (fixed <= case.claim.number + room) & (fixed + slope >= case.claim.number - room)
    ]
    least, most = float(fixed.min()), float((fixed + slope).max())
    if possible.empty:
        outcome = Outcome.CONTRADICTED if _stated(case) else Outcome.DEVIATES
        return case.verdict(
            outcome,
            f"no firing rate gives it: {least:.4g} to {most:.4g} mJ under {len(rows)} cost tables"
            f"{_unstated(case)}",
            reading=reading,
            evidence=(ENERGY,),
        )
    rates = ((case.claim.number - possible["fixed_mj"]) / possible["slope_mj"]).clip(0, 1)
    at = ", ".join(
        f"{rate:.3f} under {costs}" for costs, rate in zip(possible["costs"], rates, strict=True)
    )
    return case.verdict(
        Outcome.NOT_TESTABLE,
        f"possible at a mean firing rate of {at}; the full-size network's own rate takes trained "
        f"weights{_unstated(case)}",
        reading=reading,
        evidence=(ENERGY,),
    )


def _counted(case: Case) -> list[dict[str, Any]]:
    """What was counted of the networks that the cell's method stands for."""
    method = printed_cell(case).method
    table = case.table(MODELS)
    found = records(table[table["model"].isin(networks_standing_for(case.paper, method))])
    if not found:
        raise Missing(f"no network of the benchmark stands for {method}")
    return found


def _check_size(case: Case, counted: str) -> None:
    if _stated(case) and printed_cell(case).protocol != counted:
        raise Missing(
            f"printed for an image of {printed_cell(case).protocol}, counted here for {counted}"
        )


def _stated(case: Case) -> bool:
    return printed_cell(case).protocol != UNSTATED


def _unstated(case: Case) -> str:
    return "" if _stated(case) else "; for which image size is not stated"
