"""The data behind the page's interactive parts: scores against cost, and energy by firing rate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench import published, sources
from derainbench.audit.energy import OPTIONS
from derainbench.config import PROTOCOL_NAMES, Config
from derainbench.energy.scenarios import DEFAULT_COSTS, cost_tables, scenarios
from derainbench.errors import BenchError
from derainbench.report import collect


def plain(value: Any) -> Any:
    """The same for JSON: what is not a number becomes null, numpy's types Python's."""
    if isinstance(value, dict):
        return {key: plain(of) for key, of in value.items()}
    if isinstance(value, list | tuple):
        return [plain(of) for of in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if value is pd.NA or (isinstance(value, float) and math.isnan(value)) else value


def option_key(scenario: str, reuse: bool, zero_skipping: bool) -> str:
    """``a``, ``b-reuse``, ``c-reuse-skip``: how the page's scripts name a way of counting."""
    return scenario + "-reuse" * bool(reuse) + "-skip" * bool(zero_skipping)


def pareto(scored: Config, counted: Config) -> dict[str, Any]:
    """Every method on every data set under every protocol, with what it costs.

    Args:
        scored: the configuration, of runs that were scored.
        counted: the same, of runs whose operations were counted.

    Returns:
        ``points`` (measured), ``published`` and what there is to choose from. Energies in mJ under
        the default costs, by :func:`option_key`; None where something is not known.

    Raises:
        BenchError: if nothing was scored.
    """
    scores = collect.scores(scored)
    if scores.empty:
        raise BenchError(f"{scored.results}/scores: missing; run `derainbench evaluate` first")
    accounts = collect.accounts(counted)
    counts = {} if accounts.empty else accounts.drop_duplicates("run").set_index("run")
    energies = _energies(counted)
    entries = {e.run: e for e in collect.entries(scored)}
    points = []
    for (run, dataset), rows in scores.groupby(["run", "dataset"], sort=False):
        entry = entries[run]
        means = rows.groupby(["protocol", "variant"])[["psnr", "ssim"]].mean()
        count = counts.loc[run] if run in getattr(counts, "index", ()) else {}
        points.append(
            {
                "run": run,
                "title": entry.title,
                "weights": entry.weights,
                "dataset": dataset,
                "images": int(rows["image"].nunique()),
                "seeds": len(entry.spec.train.seeds) if entry.spec.train else None,
                "spiking": any(run == name for name, _, _ in scored.spiking()),
                "parameters": count.get("parameters"),
                "gmacs": count.get("gmacs_256"),
                "energy": energies.get(run, {}),
                "counted_on": f"{count['images']} crops of {count['counted_size']}, "
                f"{count['dataset']}"
                if len(count)
                else None,
                "scores": {
                    protocol: {
                        **means.loc[protocol].mean().to_dict(),
                        "psnr_sd": means.loc[protocol, "psnr"].std(),
                        "ssim_sd": means.loc[protocol, "ssim"].std(),
                    }
                    for protocol in PROTOCOL_NAMES
                },
            }
        )
    datasets = list(dict.fromkeys(p["dataset"] for p in points))
    chosen = scored.figures.dataset
    return plain(
        {
            "points": points,
            "published": _published(datasets),
            "datasets": datasets,
            "dataset": chosen if chosen in datasets else datasets[0],
            "protocols": list(PROTOCOL_NAMES),
            "protocol": scored.figures.protocol,
            "scenarios": _scenarios(),
            "costs": DEFAULT_COSTS,
            "smoke": scored.label == "smoke",
        }
    )


def _published(datasets: list[str]) -> list[dict[str, Any]]:
    points = published.points()
    return points[points["dataset"].isin(datasets)].to_dict("records")


def _scenarios() -> dict[str, dict[str, str]]:
    return {k: {"title": s.title, "text": s.text} for k, s in scenarios().items()}


def _energies(config: Config) -> dict[str, dict[str, float]]:
    """Measured energy of every run, mJ, mean over images and seeds; empty if nothing was priced."""
    try:
        table = collect.read_table(Path(config.results) / "scenarios" / "energy.csv")
    except BenchError:
        return {}
    table = table[(table["source"] == "measured") & (table["costs"] == DEFAULT_COSTS)]
    table = table.assign(run=table["name"].str.rpartition("/")[0])
    found: dict[str, dict[str, float]] = {}
    for (run, *option), mj in table.groupby(["run", *OPTIONS[1:]], sort=False)["mj"].mean().items():
        found.setdefault(run, {})[option_key(*option)] = mj
    return found


def energy(config: Config) -> dict[str, Any]:
    """Energy as a function of the firing rate, of every spiking network and its rivals.

    Returns:
        ``networks``: each with ``rate`` (measured, or None), ``prices``: {costs: {option: [fixed,
        slope]}} in mJ, energy = fixed + slope * rate, and ``rivals``: each with ``energies``
        {costs: {option: mJ}}; options by :func:`option_key`.

    Raises:
        BenchError: if ``scenarios/*.csv`` is missing.
    """
    folder = Path(config.results) / "scenarios"
    table = collect.read_table(folder / "energy.csv")
    saved = collect.read_table(folder / "savings.csv")
    images = {f"{e.run}/{e.variant}": e.weights for e in collect.entries(config)}
    networks = []
    for (source, name), rows in saved.groupby(["source", "name"], sort=False):
        own = table[(table["source"] == source) & (table["name"] == name)]
        first = own.iloc[0]
        networks.append(
            {
                "id": f"{source}:{name}",
                "title": first["title"],
                "about": f"structure alone, one {first['size']}x{first['size']} image"
                if source == "structure"
                else f"{images.get(name, name)}, {name.rpartition('/')[2]}; mean over "
                f"{first['images']} crops of {first['size']}x{first['size']}, {first['dataset']}",
                "measured": source == "measured",
                "rate": own["rate"].dropna().iloc[0] if own["rate"].notna().any() else None,
                "prices": _by_option(own, lambda r: [r.fixed_mj, r.slope_mj]),
                "rivals": _rivals(rows, own, table[table["source"] == source]),
            }
        )
    costs = {name: of.source for name, of in cost_tables().items()}
    return plain(
        {
            "networks": sorted(networks, key=lambda n: n["measured"]),  # full size first
            "costs": costs,
            "scenarios": _scenarios(),
            "default_costs": DEFAULT_COSTS,
            "default_scenario": "c",
        }
    )


def _by_option(rows: pd.DataFrame, value: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for row in rows.itertuples(index=False):
        key = option_key(row.scenario, row.reuse, row.zero_skipping)
        found.setdefault(row.costs, {})[key] = value(row)
    return found


def _twins() -> set[str]:
    """Models that share a spiking one's topology."""
    return {name for name in sources.model_names() if sources.twin_of(name)}


def _rivals(saved: pd.DataFrame, own: pd.DataFrame, table: pd.DataFrame) -> list[dict[str, Any]]:
    """What one network is compared with, and the energy of each in mJ."""
    mine = own.set_index(OPTIONS)
    theirs = table.set_index(["name", "costs", "scenario", "zero_skipping"])
    theirs = theirs[~theirs["reuse"]]["mj"]  # ANNs have no time steps to reuse

    def price(row: Any) -> float:
        if math.isnan(row.rival_bits):
            return theirs[row.rival, row.costs, row.scenario, row.zero_skipping]
        # Quantised rivals stand in the table of savings only, as a multiple of our fixed part.
        ours = mine.loc[(row.costs, row.scenario, row.reuse, row.zero_skipping)]
        if math.isnan(row.break_even_rate):
            return ours["fixed_mj"] / row.fixed_share
        return ours["fixed_mj"] + ours["slope_mj"] * row.break_even_rate

    twins = set(table.loc[table["model"].isin(_twins()), "name"])
    found = [
        (first not in twins, {"title": title, "energies": _by_option(rows, price)})
        for (title, first), rows in saved.groupby(["rival_title", "rival"], sort=False)
    ]
    return [rival for _, rival in sorted(found, key=lambda pair: pair[0])]
