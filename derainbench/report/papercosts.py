"""The paper's Table 3: parameters, operations and energy, published and counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.config import Config
from derainbench.energy.scenarios import DEFAULT_COSTS, cost_tables, scenarios
from derainbench.report import collect, paperfacts
from derainbench.report.cells import Table, number
from derainbench.report.energy import answers, plain
from derainbench.report.paperfacts import HEADINGS, OURS, because, book, paper, paper_table
from derainbench.sources import known_model

FULL = "full_size"  # counted from the structure: the same in every configuration
UNRELATED = "no cost of this network is in the catalogue"


def costs(config: Config) -> Table:
    """Table 3: every network at full size, then every run with its saving against the ANN twin.

    Raises:
        BenchError: if counts or scenarios are missing.
    """
    rows = [*_full_size(config), *_runs(config)]
    every = [f"{who}_{what}" for who in (FULL, OURS[config.label]) for what in _amounts()]
    names = ["published_parameters", "difference_parameters", "published_saving"]
    names += [f"difference_saving_{s}" for s in scenarios()]
    rows = [dict.fromkeys([*every, *names], float("nan")) | row for row in rows]
    table = cost_tables()[DEFAULT_COSTS]
    claims = "; ".join(
        f"{c.wording} ({paperfacts.told(c)})" for _, c in paperfacts.known("table-3")
    )
    caption = (
        f"Published: {claims}. Full size: counted from the structure alone, for one 256x256 image. "
        f"{HEADINGS[config.label]}: runs of this configuration; dense GMACs of one 256x256 image; "
        f"synaptic operations, energy and the energy saved against the ANN of the same topology are "
        f"at the measured firing rate, means over images and seeds. Energy under costs "
        f"{DEFAULT_COSTS} ({table.mac} pJ per MAC, {table.ac} pJ per SOP; nothing reused, no zero "
        f"skipped) and scenarios "
        + "; ".join(f"({k}) {s.title}" for k, s in scenarios().items())
        + ". Differences: counted less published; savings in percentage points."
    )
    return paper_table(
        config, "table-3", caption, pd.DataFrame(rows), [_shown(config, row) for row in rows]
    )


def _amounts() -> list[str]:
    """Columns of what is counted of a network."""
    energies = [f"{what}_{s}" for what in ("energy_mj", "saving") for s in scenarios()]
    return ["parameters", "gmacs", "gsops", "firing_rate", *energies]


def _named(config: Config, method: str, basis: str) -> dict[str, Any]:
    return {"configuration": config.name, "label": config.label, "method": method, "basis": basis}


def _published() -> tuple[float, float]:
    """The paper's number of parameters and share of energy saved."""
    by_test = {claim.test: claim.published for _, claim in paperfacts.known("table-3")}
    return by_test["parameters"], by_test["energy-saving"]


def _energies(config: Config, source: str) -> pd.DataFrame:
    """Energies in mJ under the default costs: columns name, model and one per scenario."""
    table = plain(answers(config, "energy"))
    table = table[table["source"] == source]
    wide = table.pivot_table("mj", ["name", "model"], "scenario").reset_index()
    return wide.rename(columns={s: f"energy_mj_{s}" for s in scenarios()})


def _full_size(config: Config) -> Iterator[dict[str, Any]]:
    """A row per registered network; energies where no firing rate is needed."""
    models = collect.read_table(Path(config.results) / "structure" / "models.csv")
    energies = _energies(config, "structure").set_index("model")
    claimed, saving = _published()
    for model in models.to_dict("records"):
        row = _named(config, model["title"], f"structure, {model['size']}")
        row |= {f"{FULL}_{what}": model[what] for what in ("parameters", "gmacs")}
        if not model["spiking"] and model["model"] in energies.index:
            of = energies.loc[model["model"]]
            row |= {f"{FULL}_energy_mj_{s}": of.get(f"energy_mj_{s}") for s in scenarios()}
        if model["model"] == book().model:
            row |= {
                "published_parameters": claimed,
                "difference_parameters": model["parameters"] - claimed,
                "published_saving": saving,
                "published_reason": f"MACs, SOPs and energy {paper().missing}",
                "counted_reason": "energy and saving need the firing rates of trained weights",
            }
        else:
            spiking = "energy needs the firing rates of trained weights" * model["spiking"]
            row |= {"published_reason": UNRELATED, "counted_reason": spiking}
        yield row


def _runs(config: Config) -> Iterator[dict[str, Any]]:
    """A row per run, mean over its seeds."""
    ours = OURS[config.label]
    accounts = collect.accounts(config)
    energies = _energies(config, "measured")
    energies["run"] = energies["name"].str.rsplit("/", n=1).str[0]
    energies = energies.drop(columns=["name", "model"]).groupby("run").mean()
    entries = {entry.run: entry for entry in collect.entries(config)}
    _, claimed = _published()
    for run, of in accounts.groupby("run", sort=False):
        first = of.iloc[0]
        basis = f"{first['images']} images of {first['dataset']}, {first['counted_size']}"
        row = _named(config, entries[run].title, basis)
        counted = {
            "parameters": first["parameters"],
            "gmacs": first["gmacs_256"],
            "gsops": of["sops"].mean() / 1e9,
            "firing_rate": of["firing_rate"].astype(float).mean(),
        }
        row |= {f"{ours}_{what}": value for what, value in counted.items()}
        row |= {f"{ours}_{what}": value for what, value in energies.loc[run].items()}
        row["published_reason"] = UNRELATED
        row["counted_reason"] = ""
        if known_model(entries[run].spec.model) == book().model:
            row |= _saving(config, entries[run], claimed)
        yield row


def _saving(config: Config, entry: collect.Entry, claimed: float) -> dict[str, Any]:
    """The energy saved against the run of the ANN twin beside the published saving."""
    twin = collect.twin(config, entry)
    same = paperfacts.method_of(entry) == paper().method
    unlike = "" if same else "saving: this is not the published network's size"
    row = {"published_saving": claimed, "published_reason": f"energy {paper().missing}"}
    if twin is None:
        return row | {"counted_reason": "saving: no run of the ANN twin of the same size"}
    table = plain(answers(config, "savings"))
    of_run = table["name"].str.rsplit("/", n=1).str[0] == entry.run
    of_twin = (table["rival"].str.rsplit("/", n=1).str[0] == twin.run) & table["rival_bits"].isna()
    found = table[of_run & of_twin].groupby("scenario")["saving"].mean()
    row |= {f"{OURS[config.label]}_saving_{s}": value for s, value in found.items()}
    if same:
        row |= {f"difference_saving_{s}": value - claimed for s, value in found.items()}
    return row | {"counted_reason": "", "difference_reason": unlike}


def _shown(config: Config, row: dict[str, Any]) -> dict[str, str]:
    ours, heading = OURS[config.label], HEADINGS[config.label].lower()
    letters = ", ".join(f"({s})" for s in scenarios())

    def energy(who: str) -> str:
        return _listed([number(row[f"{who}_energy_mj_{s}"], 2) for s in scenarios()])

    return {
        "Network": row["method"],
        "Counted on": row["basis"],
        "Parameters, published": number(row["published_parameters"]),
        "Parameters, full size": number(row[f"{FULL}_parameters"]),
        "Difference": _ratio(row),
        "GMACs, full size": number(row[f"{FULL}_gmacs"], 2),
        f"Energy (mJ), full size, {letters}": energy(FULL),
        f"Parameters, {heading}": number(row[f"{ours}_parameters"]),
        f"GMACs (GSOPs at firing rate), {heading}": _work(row, ours),
        f"Energy (mJ), {heading}, {letters}": energy(ours),
        "Energy saved, published": _percent(row["published_saving"]),
        f"Energy saved, {heading}, {letters}": _listed(
            [_percent(row[f"{ours}_saving_{s}"]) for s in scenarios()]
        ),
        "Difference (points)": _listed(
            [_points(row[f"difference_saving_{s}"]) for s in scenarios()]
        ),
        "Empty because": because(
            {
                "published": row["published_reason"],
                "counted": row["counted_reason"],
                "difference": row.get("difference_reason", ""),
            }
        ),
    }


def _ratio(row: dict[str, Any]) -> str:
    if pd.isna(row["difference_parameters"]):
        return ""
    times = row[f"{FULL}_parameters"] / row["published_parameters"]
    return f"{row['difference_parameters']:+,.0f} ({times:.1f} times)"


def _work(row: dict[str, Any], ours: str) -> str:
    macs, rate = number(row[f"{ours}_gmacs"], 2), row[f"{ours}_firing_rate"]
    return macs if pd.isna(rate) else f"{macs} ({row[f'{ours}_gsops']:.2f} at {rate:.3f})"


def _listed(texts: list[str]) -> str:
    return ", ".join(text or "none" for text in texts) if any(texts) else ""


def _percent(share: float) -> str:
    return "" if pd.isna(share) else f"{share:+.0%}".replace("%", " %")


def _points(share: float) -> str:
    return "" if pd.isna(share) else f"{100 * share:+.0f}"
