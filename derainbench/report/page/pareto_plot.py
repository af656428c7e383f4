"""The data behind the page's plot of scores against cost."""

from __future__ import annotations

from typing import Any

from derainbench.catalog.costs import DEFAULT_COSTS, cost_tables
from derainbench.catalog.protocols import present_protocols
from derainbench.config.schema import Config
from derainbench.foundation.errors import BenchError
from derainbench.foundation.frames import records
from derainbench.metrics.infinite import finite
from derainbench.report.figures.pareto import known_points
from derainbench.report.page.plot_data import option_key, plain, scenario_texts
from derainbench.results.accounts import read_accounts, read_published_sizes
from derainbench.results.runs import run_variants
from derainbench.results.scenarios import read_scenarios
from derainbench.results.scores import read_scores


def pareto(scored: Config, counted: Config) -> dict[str, Any]:
    """Every method on every data set under every protocol, with what it costs.

    Args:
        scored: the configuration, of runs that were scored.
        counted: the same, of runs whose operations were counted.

    Returns:
        ``points`` (measured), ``published`` and what there is to choose from. Energies in mJ by
        cost table and :func:`option_key`; None where something is not known.

    Raises:
        BenchError: if nothing was scored.
    """
    scores = read_scores(scored)
    if scores.empty:
        raise BenchError(f"{scored.results}/scores: missing; run `derainbench evaluate` first")
    accounts = read_accounts(counted)
    counts = {row["run"]: row for row in reversed(records(accounts))}  # the first variant's
    energies, sizes = _energies(counted), _published_sizes(scored)
    spiking = {run for run, _, _ in scored.spiking()}
    entries = {entry.run: entry for entry in run_variants(scored)}
    protocols = present_protocols(scores["protocol"])
    points = []
    for (run, dataset), rows in scores.groupby(["run", "dataset"], sort=False):
        entry = entries[str(run)]
        means = finite(rows).groupby(["protocol", "variant"])[["psnr", "ssim"]].mean()
        count = counts.get(entry.run, {})
        size = count or sizes.get(entry.run, {})
        points.append(
            {
                "run": entry.run,
                "title": entry.title,
                "weights": entry.origin_on(str(dataset)),
                "dataset": dataset,
                "images": int(rows["image"].nunique()),
                "seeds": len(entry.spec.train.seeds) if entry.spec.train else None,
                "spiking": entry.run in spiking,
                "parameters": size.get("parameters"),
                "gmacs": size.get("gmacs_256"),
                "energy": energies.get(entry.run, {}),
                "counted_on": f"{count['images']} crops of {count['counted_size']}, "
                f"{count['dataset']}"
                if count
                else None,
                "scores": {
                    protocol: {
                        "psnr": of_protocol["psnr"].mean(),
                        "ssim": of_protocol["ssim"].mean(),
                        "psnr_sd": of_protocol["psnr"].std(),
                        "ssim_sd": of_protocol["ssim"].std(),
                    }
                    for protocol in protocols
                    for of_protocol in [means.xs(protocol, level="protocol")]
                },
            }
        )
    datasets = list(dict.fromkeys(point["dataset"] for point in points))
    chosen = scored.figures.dataset
    known = known_points(scored)
    return plain(
        {
            "points": points,
            "published": records(known[known["dataset"].isin(datasets)]),
            "datasets": datasets,
            "dataset": chosen if chosen in datasets else datasets[0],
            "protocols": list(protocols),
            "protocol": scored.figures.protocol,
            "scenarios": scenario_texts(),
            "costs": list(cost_tables()),
            "default_costs": DEFAULT_COSTS,
            "mark": "" if scored.comparable else scored.label.upper(),
        }
    )


def _published_sizes(config: Config) -> dict[str, dict[str, float]]:
    """Full size of the networks that restored the images of others, by run, where it is known."""
    try:
        sizes = read_published_sizes(config)
    except BenchError:
        return {}
    return {row["run"]: row for row in records(sizes)}


def _energies(config: Config) -> dict[str, dict[str, dict[str, float]]]:
    """Measured energy of every run by cost table and option, mJ, mean over images and seeds.

    Empty if nothing was priced.
    """
    try:
        table = read_scenarios(config, "energy")
    except BenchError:
        return {}
    table = table[table["source"] == "measured"].dropna(subset=["mj"])
    table = table.assign(run=table["name"].str.rsplit("/", n=1).str[0])
    options = ["scenario", "reuse", "zero_skipping"]
    means = table.groupby(["run", "costs", *options], sort=False)["mj"].mean().reset_index()
    energies: dict[str, dict[str, dict[str, float]]] = {}
    for row in records(means):
        key = option_key(*(row[option] for option in options))
        energies.setdefault(row["run"], {}).setdefault(row["costs"], {})[key] = row["mj"]
    return energies
