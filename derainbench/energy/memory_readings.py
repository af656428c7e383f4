"""Energy of every account under every reading of memory by size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS, Costs, cost_tables
from derainbench.catalog.scenarios import Scenario, memory_readings
from derainbench.energy.accounts import Account
from derainbench.energy.memory import KINDS, memory_by_size
from derainbench.energy.pricing import PJ_PER_MJ, Price, price
from derainbench.energy.work import Work


def memory_table(accounts: list[Account]) -> pd.DataFrame:
    """Energy of one image under every reading, default costs, nothing reused and no zero skipped.

    Columns: ``weights``, ``spikes``, ``packets``, the reading; ``mj``, the energy with memory, mean
    over images; ``low_memory_mj`` and ``high_memory_mj``, the same with every memory at the least
    and the most that its source gives; a column per kind of traffic, its part of ``mj``;
    ``fixed_mj`` and ``slope_mj``. What depends on a firing rate that was not measured is empty.
    """
    rows = [row for account in accounts for row in _rows(account)]
    return pd.DataFrame(rows).dropna(subset=["fixed_mj"])


def _rows(account: Account) -> Iterator[dict[str, Any]]:
    costs = cost_tables()[DEFAULT_COSTS]
    works = account.works[False]
    for reading in memory_readings():
        prices = [price(work, costs, reading) for work in works]
        yield {
            "source": account.source,
            "name": account.name,
            "model": account.model,
            "title": account.title,
            "dataset": account.dataset,
            "size": account.size,
            "images": len(works) if account.source == "measured" else 0,
            "costs": DEFAULT_COSTS,
            "weights": reading.weights,
            "spikes": reading.spikes,
            "packets": reading.packets,
            "mj": _mean([p.energy for p in prices]),
            **{f"{b}_memory_mj": _bounded(works, costs, reading, b) for b in ("low", "high")},
            **_parts(works, costs, reading),
            "fixed_mj": _mean([p.fixed for p in prices]),
            "slope_mj": _mean([p.slope for p in prices]),
            "firing_rate": _mean([p.firing_rate for p in prices]),
        }


def _bounded(works: list[Work], costs: Costs, reading: Scenario, bound: str) -> float:
    return _mean([price(work, costs.at_bound(bound), reading).energy for work in works])


def _parts(works: list[Work], costs: Costs, reading: Scenario) -> dict[str, float]:
    """What each kind of traffic costs at the measured firing rate, mJ, mean over images."""
    parts = dict.fromkeys(KINDS, 0.0)
    for work in works:
        for moved in memory_by_size(work, costs, reading):
            # A slope of nothing needs no rate: networks without neurons have none.
            slope = work.per_rate(moved.possible, moved.happened)
            parts[moved.kind] += Price(moved.fixed, slope, work.firing_rate).energy
    return {f"{k.replace(' ', '_')}_mj": v / len(works) / PJ_PER_MJ for k, v in parts.items()}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
