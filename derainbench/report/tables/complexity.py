"""Parameters, operation counts and energy of every method."""

from __future__ import annotations

import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS, cost_tables
from derainbench.catalog.margins import margins
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import records
from derainbench.report.tables.qualities import mean_psnr, psnr_heading, psnr_text
from derainbench.report.tables.table import (
    Table,
    captioned,
    number,
)
from derainbench.results.accounts import read_accounts
from derainbench.results.scenarios import plain_rows, read_scenarios


def complexity(config: Config) -> Table:
    """Parameters, operation counts and energy per method, mean over images and seeds."""
    accounts = read_accounts(config)
    keys = ["title", "weights", "run", "dataset", "counted_size", "images", "parameters"]
    numbers = ["gmacs_256", "macs_analog", "macs_effective", "macs_attention", "sops"]
    numbers += ["firing_rate", "membrane_updates"]
    frame = accounts.groupby(keys, sort=False)[numbers].mean().reset_index()
    for column in numbers[1:-2]:
        frame[column] /= 1e9
    frame = frame.rename(
        columns={
            "title": "method",
            "macs_analog": "analog_gmacs",
            "macs_effective": "effective_gmacs",
            "macs_attention": "attention_gmacs",
            "sops": "gsops",
        }
    )
    priced = _energies(config)
    frame = frame.merge(priced, on="run")
    psnr = mean_psnr(config)
    runs = zip(frame.pop("run"), frame["dataset"], strict=True)
    frame["protocol"] = config.figures.protocol
    frame["psnr"] = [psnr.get(key, float("nan")) for key in runs]
    frame.insert(0, "configuration", config.name)
    costs = cost_tables()[DEFAULT_COSTS]
    size = "x".join([str(config.energy.size)] * 2) if frame.empty else frame["counted_size"].iloc[0]
    named = "; ".join(f"({k}) {s.label}" for k, s in scenarios().items())
    caption = captioned(
        config,
        f"parameters and dense GMACs of one 256x256 image; MACs on analog input, synaptic "
        f"operations (SOPs), firing rate and energy of one {size} crop, mean over the images "
        f"counted. Costs {DEFAULT_COSTS}: {costs.mac} pJ per MAC, {costs.ac} pJ per SOP; nothing "
        f"reused, no zero skipped. PSNR: mean over the whole test set and seeds, protocol "
        f"{config.figures.protocol}; energies of networks that differ by more than "
        f"{margins().equal_quality_margin_db.value:g} dB are not compared. Scenarios: {named}.",
    )
    if frame.empty:
        caption += " Empty: this configuration runs no network, it has images of others alone."
    view = [
        {
            "Method": row["method"],
            "Weights": row["weights"],
            "Parameters": number(row["parameters"]),
            "GMACs": number(row["gmacs_256"], 2),
            "Analog GMACs": number(row["analog_gmacs"], 2),
            "GSOPs": number(row["gsops"], 2),
            "Firing rate": number(row["firing_rate"], 4),
            psnr_heading(config): psnr_text(row["psnr"]),
            **{f"Energy ({s}) (mJ)": number(row[f"energy_{s}_mj"], 2) for s in scenarios()},
        }
        for row in records(frame)
    ]
    return Table("complexity", caption, frame, pd.DataFrame(view))


def _energies(config: Config) -> pd.DataFrame:
    """Energy of every run in mJ under the default costs: columns run, energy_<scenario>_mj."""
    table = plain_rows(read_scenarios(config, "energy"))
    table = table[table["source"] == "measured"]
    table = table.assign(run=table["name"].str.rsplit("/", n=1).str[0])
    wide = table.pivot_table("mj", "run", "scenario").reindex(columns=list(scenarios()))
    return wide.rename(columns=lambda s: f"energy_{s}_mj").reset_index()
