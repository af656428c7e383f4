"""How the full-size verdict moves with time steps, image size, costs and caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS, Costs, cost_tables
from derainbench.catalog.memory_levels import with_last_cache
from derainbench.catalog.papers import Paper
from derainbench.catalog.scenarios import Scenario, scenarios
from derainbench.energy.accounts import Account, structural_account
from derainbench.energy.comparison import image_prices, table_as_csv
from derainbench.energy.records import TABLE_SIZE
from derainbench.energy.structure import Structure, structure
from derainbench.foundation import provenance
from derainbench.foundation.files import write_text
from derainbench.models.construction import constructor_arguments
from derainbench.results.scenarios import CACHE_VARIED

TIME_STEPS = (1, 2, 4, 6, 8)
SIZES = (64, 128, 256, 512)
MAC_TO_AC = (1, 2, 5, 10, 20, 50, 100, 200)
CACHES = tuple(8192 * 2**doubled for doubled in range(14))  # bytes: 8 KB to 64 MB
TIME_STEPS_VARIED, SIZE_VARIED = "time steps", "size"
RATIO_VARIED = "MAC to accumulate"
COLUMNS = (
    *("model", "varied", "value", "scenario", "reuse"),
    *("break_even_rate", "fixed_share", "slope_share"),
)


def sensitivity(model: str, counterpart: str) -> pd.DataFrame:
    """How the full-size verdict against the ANN counterpart moves with T, size, costs and caches.

    Args:
        model: a spiking network; one without an argument ``T`` is not varied in it.
        counterpart: the ANN of its topology.

    Returns:
        Columns ``model``, ``varied`` ("time steps", "size", "MAC to accumulate" or "last cache",
        the bytes of the largest one, only where memory has prices by size), ``value``,
        ``scenario``, ``reuse``, ``break_even_rate`` and ``fixed_share`` as in
        :func:`~derainbench.energy.comparison.savings`; ``slope_share``, what is added if every
        neuron fires at every time step, as a share of the counterpart's energy, all layers alike.
    """
    default_costs = cost_tables()[DEFAULT_COSTS]
    arguments = constructor_arguments(model, {})
    seen: dict[tuple[str, int | None], Structure] = {}

    @cache  # the usual size is among those that are varied
    def account(name: str, size: int, steps: int | None) -> Account:
        kwargs = {} if steps is None else {"T": steps}
        counted = structure(name, kwargs, size, at_other_size=seen.get((name, steps)))
        seen.setdefault((name, steps), counted)
        return structural_account(name, counted.layers.assign(image=""), counted.others, size)

    default, baseline = account(model, TABLE_SIZE, None), account(counterpart, TABLE_SIZE, None)
    cases: list[tuple[str, int, Account, Account, Costs]] = []
    if "T" in arguments:
        for t in TIME_STEPS:
            at_t = default if t == arguments["T"] else account(model, TABLE_SIZE, t)
            cases.append((TIME_STEPS_VARIED, t, at_t, baseline, default_costs))
    cases += [
        (SIZE_VARIED, s, account(model, s, None), account(counterpart, s, None), default_costs)
        for s in SIZES
    ]
    for ratio in MAC_TO_AC:
        varied_costs = replace(default_costs, mac=ratio * default_costs.ac)
        cases.append((RATIO_VARIED, ratio, default, baseline, varied_costs))
    for capacity in CACHES:
        levels = with_last_cache(default_costs.levels, capacity)
        varied_costs = replace(default_costs, levels=levels)
        cases.append((CACHE_VARIED, capacity, default, baseline, varied_costs))
    rows = []
    for varied, value, spiking, other, costs in cases:
        for letter, reuse in product(scenarios(), (False, True)):
            if not _is_varied(varied, scenarios()[letter]):
                continue
            [cost] = image_prices(spiking, costs, letter, reuse=reuse, zero_skipping=False)
            [baseline_cost] = image_prices(other, costs, letter, reuse=False, zero_skipping=False)
            rows.append(
                {
                    "model": model,
                    "varied": varied,
                    "value": value,
                    "scenario": letter,
                    "reuse": reuse,
                    "break_even_rate": cost.rate_for(baseline_cost.energy),
                    "fixed_share": cost.fixed / baseline_cost.energy,
                    "slope_share": cost.slope / baseline_cost.energy,
                }
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _is_varied(varied: str, scenario: Scenario) -> bool:
    """Whether a scenario depends on what is varied, and on no more costs than these."""
    if varied == RATIO_VARIED:
        return not scenario.others
    return scenario.levels if varied == CACHE_VARIED else True


def write_sensitivity(papers: Sequence[Paper], out: Path) -> None:
    """Writes the tables of :func:`sensitivity` of the papers that have an ANN counterpart."""
    tables = [sensitivity(p.network, p.counterpart) for p in papers if p.counterpart]
    table = pd.concat(tables) if tables else pd.DataFrame(columns=list(COLUMNS))
    write_text(out, table_as_csv(table))
    provenance.write_record(out, settings={"papers": [paper.name for paper in papers]})
