"""What the accounts say: energies, savings and break-even firing rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import pandas as pd

from derainbench.catalog.costs import Costs, cost_tables
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.readings import DEFAULT_READING
from derainbench.catalog.scenarios import scenarios
from derainbench.energy.accounts import Account, measured_accounts, structural_accounts
from derainbench.energy.memory_readings import memory_table
from derainbench.energy.pricing import Price, can_price, price, quantisation_bits
from derainbench.foundation import provenance
from derainbench.foundation.files import write_text
from derainbench.foundation.outputs import staged_folder
from derainbench.results.layout import layout_of
from derainbench.statistics.bootstrap import mean_intervals

if TYPE_CHECKING:
    from derainbench.config.schema import Config


class Options(TypedDict):
    """What an energy depends on besides the account."""

    costs: str
    scenario: str
    reuse: bool
    zero_skipping: bool


OPTIONS = list(Options.__annotations__)  # columns of both tables


def image_prices(
    account: Account, costs: Costs, scenario: str, *, reuse: bool, zero_skipping: bool
) -> list[Price]:
    """What each image of an account costs.

    Args:
        account: the network's work.
        costs: what an operation costs; a quantised counterpart pays those of its bits.
        scenario: letter of what is counted.
        reuse: whether a layer whose input is the same at all time steps is computed once.
        zero_skipping: whether products with a zero activation cost nothing.
    """
    costs = costs if account.bits is None else costs.quantised(account.bits)
    chosen = scenarios()[scenario]
    return [price(w, costs, chosen, zero_skipping=zero_skipping) for w in account.works[reuse]]


def _options_of(account: Account) -> Iterator[Options]:
    # Which activations are zero is not in the structure.
    skipping = (False, True) if account.source == "measured" else (False,)
    for costs, scenario, reuse, skip in product(
        cost_tables(), scenarios(), (False, True), skipping
    ):
        if can_price(cost_tables()[costs], scenarios()[scenario]):
            yield {"costs": costs, "scenario": scenario, "reuse": reuse, "zero_skipping": skip}


class _Prices:
    """What accounts cost under options, each worked out once: many are held against the same one."""

    def __init__(self) -> None:
        self._known: dict[tuple[Any, ...], list[Price]] = {}

    def __call__(self, account: Account, options: Options) -> list[Price]:
        reuse = options["reuse"] and account.spiking
        what = (options["costs"], options["scenario"], reuse, options["zero_skipping"])
        key = (account.source, account.name, account.dataset, account.size, account.bits, *what)
        if key not in self._known:
            self._known[key] = image_prices(
                account,
                cost_tables()[options["costs"]],
                options["scenario"],
                reuse=reuse,
                zero_skipping=options["zero_skipping"],
            )
        return self._known[key]


def energies(accounts: list[Account]) -> pd.DataFrame:
    """Energy per image and per megapixel of every account under every scenario.

    Columns ``mj``, ``low_mj``, ``high_mj`` (mean over images and its 95 % bootstrap interval),
    ``mj_per_megapixel``, ``fixed_mj`` and ``slope_mj`` (energy = fixed + slope * firing rate) and
    ``firing_rate``; energies at the measured firing rate are empty where it is not known.
    """
    rows, samples, prices_under = [], [], _Prices()
    for account in accounts:
        for options in _options_of(account):
            if options["reuse"] and not account.spiking:
                continue
            prices = prices_under(account, options)
            samples.append([p.energy for p in prices])
            mean = _mean(samples[-1])
            rows.append(
                {
                    **_names(account),
                    "size": account.size,
                    "images": len(account.images) if account.source == "measured" else 0,
                    **options,
                    "mj": mean,
                    "low_mj": math.nan,  # below, for all at once
                    "high_mj": math.nan,
                    "mj_per_megapixel": mean / (account.size**2 / 1e6),
                    "fixed_mj": _mean([p.fixed for p in prices]),
                    "slope_mj": _mean([p.slope for p in prices]),
                    "firing_rate": _mean([p.firing_rate for p in prices]),
                }
            )
    table = pd.DataFrame(rows)
    table[["low_mj", "high_mj"]] = mean_intervals(samples)
    return table.dropna(subset=["fixed_mj"])


def _names(account: Account) -> dict[str, str]:
    return {
        "source": account.source,
        "name": account.name,
        "model": account.model,
        "title": account.title,
        "dataset": account.dataset,
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def savings(accounts: list[Account]) -> pd.DataFrame:
    """What a spiking network saves against every baseline that was counted alike.

    Columns ``saving`` (1 - energy / baseline's, mean over images) with its 95 % bootstrap interval
    ``low``, ``high``; ``firing_rate``, the measured firing rate; ``break_even_rate``, below which the
    spiking network is cheaper (above 1: always; empty: never); ``fixed_share``, the part of
    its energy that no firing rate changes as a share of the baseline's whole energy: 1 or more proves
    that there is no break-even.
    """
    rows, samples, prices_under = [], [], _Prices()
    for spiking in (a for a in accounts if a.spiking):
        for baseline in _baselines(spiking, accounts):
            for options in _options_of(spiking):
                costs = cost_tables()[options["costs"]]
                if math.isnan(costs.mac) or (baseline.bits is not None and not costs.narrow):
                    continue  # the table has no price for products, or for those of few bits
                row, shares = _saving(spiking, baseline, options, prices_under)
                rows.append(row)
                samples.append(shares)
    table = pd.DataFrame(rows)
    table[["low", "high"]] = mean_intervals(samples)
    return table.dropna(subset=["fixed_share"])


def _baselines(spiking: Account, accounts: list[Account]) -> Iterator[Account]:
    """Networks without neurons, counted on the same images; the counterpart's quantised form."""
    for baseline in accounts:
        alike = all(
            getattr(baseline, what) == getattr(spiking, what)
            for what in ("source", "dataset", "size", "images")
        )
        if baseline.spiking or not alike:
            continue
        yield baseline
        if spiking.steps and model_card(baseline.model).counterpart_of == spiking.model:
            bits = quantisation_bits(spiking.steps)
            yield replace(baseline, bits=bits, title=f"{baseline.title}, {bits} bits")


def _saving(
    spiking: Account, baseline: Account, options: Options, prices_under: _Prices
) -> tuple[dict[str, Any], list[float]]:
    """A row of :func:`savings`, its interval still open, and what is saved on every image."""
    prices, baseline_prices = prices_under(spiking, options), prices_under(baseline, options)
    shares = [1 - p.energy / q.energy for p, q in zip(prices, baseline_prices, strict=True)]
    mean_price = Price(_mean([p.fixed for p in prices]), _mean([p.slope for p in prices]), math.nan)
    baseline_energy = _mean([q.energy for q in baseline_prices])
    row = {
        **_names(spiking),
        "baseline": baseline.name,
        "baseline_title": baseline.title,
        "baseline_bits": baseline.bits,
        "images": len(spiking.images) if spiking.source == "measured" else 0,
        **options,
        "saving": _mean(shares),
        "low": math.nan,
        "high": math.nan,
        "firing_rate": _mean([p.firing_rate for p in prices]),
        "break_even_rate": mean_price.rate_for(baseline_energy),
        "fixed_share": mean_price.fixed / baseline_energy,
    }
    return row, shares


def write_comparison(config: Config, out: Path) -> None:
    """Writes ``energy.csv``, ``savings.csv`` and ``memory.csv``, all or nothing.

    Where networks have inputs that leave a choice, these two hold the default reading, and
    ``energy-readings.csv`` and ``savings-readings.csv`` every one of these networks
    (:func:`table_by_reading`).

    Raises:
        BenchError: if an account is missing.
    """
    accounts = measured_accounts(config) + structural_accounts(layout_of(config).structure)
    with staged_folder(out) as stage:
        for name, table in (("energy", energies), ("savings", savings)):
            write_text(stage / f"{name}.csv", table_as_csv(table(accounts)))
            by_reading = table_by_reading(accounts, table)
            if len(by_reading):
                write_text(stage / f"{name}-readings.csv", table_as_csv(by_reading))
        write_text(stage / "memory.csv", table_as_csv(memory_table(accounts)))
        provenance.write_record(stage / "energy.csv", settings={"configuration": config.name})


def table_by_reading(
    accounts: list[Account], table: Callable[[list[Account]], pd.DataFrame]
) -> pd.DataFrame:
    """A table of networks whose layers' inputs leave a choice, under every reading.

    Args:
        accounts: of all networks.
        table: :func:`energies` or :func:`savings`.

    Returns:
        Its rows about these networks with a column ``reading`` in front, a name in
        ``catalog/readings.yaml``; the range over readings is what lies between its rows. Empty if
        there are none.
    """
    baselines = [account for account in accounts if not account.spiking]
    tables = []
    for account in (account for account in accounts if account.readings):
        for reading, works in {DEFAULT_READING: account.works, **account.readings}.items():
            rows = table([replace(account, works=works, readings={}), *baselines])
            rows = rows[(rows["name"] == account.name) & (rows["source"] == account.source)]
            tables.append(rows.assign(reading=reading))
    if not tables:
        return pd.DataFrame()
    found = pd.concat(tables, ignore_index=True)
    found.insert(0, "reading", found.pop("reading"))
    return found


def table_as_csv(table: pd.DataFrame) -> str:
    """A table as it is kept: nine digits of every number."""
    return table.to_csv(index=False, float_format="%.9g")
