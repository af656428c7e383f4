"""How the full-size verdict moves with time steps, image size and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS, Costs, cost_tables
from derainbench.catalog.papers import Paper
from derainbench.catalog.scenarios import scenarios
from derainbench.energy.accounts import Account, structural_account
from derainbench.energy.comparison import image_prices, table_as_csv
from derainbench.energy.records import TABLE_SIZE
from derainbench.energy.structure import Structure, structure
from derainbench.foundation import provenance
from derainbench.foundation.files import write_text
from derainbench.models.construction import constructor_arguments

TIME_STEPS = (1, 2, 4, 6, 8)
SIZES = (64, 128, 256, 512)
MAC_TO_AC = (1, 2, 5, 10, 20, 50, 100, 200)
COLUMNS = ("model", "varied", "value", "scenario", "reuse", "break_even_rate", "fixed_share")


def sensitivity(model: str, counterpart: str) -> pd.DataFrame:
    """How the full-size verdict against the ANN counterpart moves with T, size and cost ratio.

    Args:
        model: a spiking network; one without an argument ``T`` is not varied in it.
        counterpart: the ANN of its topology.

    Returns:
        Columns ``model``, ``varied`` ("time steps", "size" or "MAC to accumulate"), ``value``,
        ``scenario``, ``reuse``, ``break_even_rate`` and ``fixed_share`` as in
        :func:`~derainbench.energy.comparison.savings`.
    """
    default_costs = cost_tables()[DEFAULT_COSTS]
    seen: dict[tuple[str, int | None], Structure] = {}

    @cache  # the usual size is among those that are varied
    def account(name: str, size: int, steps: int | None) -> Account:
        kwargs = {} if steps is None else {"T": steps}
        counted = structure(name, kwargs, size, at_other_size=seen.get((name, steps)))
        seen.setdefault((name, steps), counted)
        return structural_account(name, counted.layers.assign(image=""), counted.others, size)

    default, baseline = account(model, TABLE_SIZE, None), account(counterpart, TABLE_SIZE, None)
    cases: list[tuple[str, int, Account, Account, Costs]] = []
    if "T" in constructor_arguments(model, {}):
        cases += [
            ("time steps", t, account(model, TABLE_SIZE, t), baseline, default_costs)
            for t in TIME_STEPS
        ]
    cases += [
        ("size", s, account(model, s, None), account(counterpart, s, None), default_costs)
        for s in SIZES
    ]
    cases += [
        (
            "MAC to accumulate",
            r,
            default,
            baseline,
            replace(default_costs, mac=r * default_costs.ac),
        )
        for r in MAC_TO_AC
    ]
    rows = []
    for varied, value, spiking, other, costs in cases:
        for scenario, reuse in product(scenarios(), (False, True)):
            if varied == "MAC to accumulate" and scenarios()[scenario].others:
                continue  # only the two costs are varied
            [cost] = image_prices(spiking, costs, scenario, reuse=reuse, zero_skipping=False)
            [baseline_cost] = image_prices(other, costs, scenario, reuse=False, zero_skipping=False)
            rows.append(
                {
                    "model": model,
                    "varied": varied,
                    "value": value,
                    "scenario": scenario,
                    "reuse": reuse,
                    "break_even_rate": cost.rate_for(baseline_cost.energy),
                    "fixed_share": cost.fixed / baseline_cost.energy,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def write_sensitivity(papers: Sequence[Paper], out: Path) -> None:
    """Writes the tables of :func:`sensitivity` of the papers that have an ANN counterpart."""
    tables = [sensitivity(p.network, p.counterpart) for p in papers if p.counterpart]
    table = pd.concat(tables) if tables else pd.DataFrame(columns=list(COLUMNS))
    write_text(out, table_as_csv(table))
    provenance.write_record(out, settings={"papers": [paper.name for paper in papers]})
