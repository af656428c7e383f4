"""The data behind the page's explorer of energy by firing rate.

Columns of ``scenarios/savings.csv`` call the network that another one is held against its baseline.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from derainbench.audit.equal_quality import quality_columns
from derainbench.catalog.audited_papers import read_audited_paper
from derainbench.catalog.costs import DEFAULT_COSTS, cost_tables
from derainbench.catalog.model_cards import model_card, model_names
from derainbench.config.schema import Config
from derainbench.energy.comparison import OPTIONS
from derainbench.foundation.frames import records
from derainbench.report.page.plot_data import option_key, plain, scenario_texts
from derainbench.results.runs import run_variants
from derainbench.results.scenarios import read_scenarios

DEFAULT_SCENARIO = "c"


def energy(config: Config) -> dict[str, Any]:
    """Energy as a function of the firing rate, of every spiking network and its baselines.

    Returns:
        ``networks``: each with ``firing_rate`` (measured, or None), ``claimed`` (the saving that its paper
        claims, or None), ``prices``: {costs: {option: [fixed, slope]}} in mJ, energy = fixed +
        slope * rate, and ``baselines``: each with ``energies`` {costs: {option: mJ}}, options by
        :func:`option_key`, and ``quality``: ``text``, the PSNRs of both or why there are none, and
        ``equal``; None for the structure alone, of which nothing is scored.

    Raises:
        BenchError: if ``scenarios/*.csv`` is missing.
    """
    table, saved = read_scenarios(config, "energy"), read_scenarios(config, "savings")
    quality = quality_columns(config, saved)[["psnr", "psnr_baseline", "equal_quality", "why_not"]]
    saved = saved.join(quality)
    weights = {f"{e.run}/{e.variant}": e.weights for e in run_variants(config)}
    papers = map(read_audited_paper, config.paper_names)
    claimed = {paper.network: paper.claimed_saving for paper in papers}
    networks = []
    for (source, name), savings in saved.groupby(["source", "name"], sort=False):
        of_source = table[table["source"] == source]
        priced = of_source[of_source["name"] == name]
        first = records(priced)[0]
        rates = priced["firing_rate"].dropna().tolist()
        networks.append(
            {
                "id": f"{source}:{name}",
                "title": first["title"],
                "about": _about(first, weights),
                "measured": source == "measured",
                "firing_rate": rates[0] if rates else None,
                "claimed": claimed.get(first["model"]),
                "prices": _by_option(priced, lambda row: [row["fixed_mj"], row["slope_mj"]]),
                "baselines": _baselines(config, savings, priced, of_source),
            }
        )
    return plain(
        {
            "networks": sorted(networks, key=lambda n: n["measured"]),  # full size first
            "costs": {name: costs.source for name, costs in cost_tables().items()},
            "scenarios": scenario_texts(),
            "default_costs": DEFAULT_COSTS,
            "default_scenario": DEFAULT_SCENARIO,
        }
    )


def _about(row: dict[str, Any], weights: dict[str, str]) -> str:
    """On what a network was counted."""
    name, size = row["name"], f"{row['size']}x{row['size']}"
    if row["source"] == "structure":
        return f"structure alone, one {size} image"
    variant = name.rpartition("/")[2]
    crops = f"mean over {row['images']} crops of {size}, {row['dataset']}"
    return f"{weights.get(name, name)}, {variant}; {crops}"


def _by_option(
    rows: pd.DataFrame, value: Callable[[dict[str, Any]], Any]
) -> dict[str, dict[str, Any]]:
    """A value of every row, by costs and :func:`option_key`."""
    values: dict[str, dict[str, Any]] = {}
    for row in records(rows):
        key = option_key(row["scenario"], row["reuse"], row["zero_skipping"])
        values.setdefault(row["costs"], {})[key] = value(row)
    return values


def _counterparts() -> set[str]:
    """Models that share a spiking one's topology."""
    return {name for name in model_names() if model_card(name).counterpart_of}


def _quality(config: Config, row: dict[str, Any]) -> dict[str, Any]:
    """The PSNRs of a pair, or why it has none, and whether it may be compared."""
    if row["why_not"]:
        # What the structure alone gives says nothing of quality, and claims nothing of it either.
        return {"text": row["why_not"], "equal": None if row["source"] == "structure" else False}
    pair = f"{row['psnr']:.2f} dB against {row['psnr_baseline']:.2f} dB"
    equal = "of equal quality" if row["equal_quality"] else "what one saves says nothing"
    return {
        "text": f"PSNR {pair} on the same images of {row['dataset']}, protocol "
        f"{config.figures.protocol}: {equal}",
        "equal": bool(row["equal_quality"]),
        "scored": True,
    }


def _baselines(
    config: Config, savings: pd.DataFrame, priced: pd.DataFrame, of_source: pd.DataFrame
) -> list[dict[str, Any]]:
    """What one network is compared with, and the energy of each in mJ; ANN counterparts first.

    Args:
        config: whose protocol the scores have.
        savings: of the network, with the qualities of both.
        priced: its energies.
        of_source: energies of all networks that were counted alike.
    """
    network = {tuple(row[option] for option in OPTIONS): row for row in records(priced)}
    # ANNs have no time steps to reuse.
    energies = {
        (row["name"], row["costs"], row["scenario"], row["zero_skipping"]): row["mj"]
        for row in records(of_source[~of_source["reuse"]])
    }

    def price(row: dict[str, Any]) -> float:
        if math.isnan(row["baseline_bits"]):
            key = (row["baseline"], row["costs"], row["scenario"], row["zero_skipping"])
            return energies[key]
        # Quantised counterparts stand in the table of savings only: multiples of our fixed part.
        own = network[tuple(row[option] for option in OPTIONS)]
        if math.isnan(row["break_even_rate"]):
            return own["fixed_mj"] / row["fixed_share"]
        return own["fixed_mj"] + own["slope_mj"] * row["break_even_rate"]

    counterparts = set(of_source.loc[of_source["model"].isin(_counterparts()), "name"])
    compared = [
        (
            name not in counterparts,
            {
                "title": title,
                "energies": _by_option(rows, price),
                "quality": _quality(config, records(rows)[0]),
            },
        )
        for (title, name), rows in savings.groupby(["baseline_title", "baseline"], sort=False)
    ]
    return [baseline for _, baseline in sorted(compared, key=lambda pair: pair[0])]
