"""A paper's table of costs: parameters, operations and energy, published and counted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from derainbench.audit.equal_quality import STRUCTURE_ONLY
from derainbench.audit.quality_energy import pair_savings
from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.costs import DEFAULT_COSTS, cost_tables
from derainbench.catalog.scenarios import scenarios
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.report.paper.cells import artefact_table, because
from derainbench.report.paper.printed_costs import PRINTED, PublishedCosts
from derainbench.report.paper.published import (
    printed_in,
    published_method,
    source_text,
)
from derainbench.report.tables.qualities import mean_psnr, psnr_heading, psnr_text, same_images_text
from derainbench.report.tables.table import OWN_COLUMNS, OWN_HEADINGS, Table, number
from derainbench.results.accounts import read_accounts
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table
from derainbench.results.runs import RunVariant, counterpart_run, run_variants
from derainbench.results.scenarios import plain_rows, read_scenarios

FULL = "full_size"  # counted from the structure: the same in every configuration
EMPTY = float("nan")
UNRELATED = "no cost of this network is in the catalogue"


def costs(config: Config, paper: AuditedPaper, artefact: str) -> Table:
    """Every network at full size, then every run with its saving against the ANN counterpart.

    Raises:
        BenchError: if counts or scenarios are missing.
    """
    claims = [claim for _, claim in paper.known_cells(artefact)]
    numbers = {claim.test: claim.published for claim in claims}
    cells = printed_in(paper, artefact)
    printed = PublishedCosts(paper, numbers.get("parameters"), numbers.get("energy-saving"), cells)
    rows = [*_full_size(config, printed), *_runs(config, printed)]
    every = [f"{who}_{what}" for who in (FULL, OWN_COLUMNS[config.label]) for what in _amounts()]
    names = [*PRINTED.values(), "difference_parameters", "published_saving"]
    names += [f"difference_saving_{s}" for s in scenarios()]
    names += ["psnr", "psnr_counterpart"]
    texts = dict.fromkeys(("published_operations_unit", "printed_in"), "")
    rows = [dict.fromkeys([*every, *names], EMPTY) | texts | row for row in rows]
    table = cost_tables()[DEFAULT_COSTS]
    stated = "; ".join(f"{claim.wording} ({source_text(claim)})" for claim in claims)
    caption = (
        (f"Published: {stated}. " if stated else "")
        + "Full size: counted from the structure alone, for one 256x256 image. "
        f"{OWN_HEADINGS[config.label]}: runs of this configuration; dense GMACs of one 256x256 "
        f"image; synaptic operations, energy and the energy saved against the ANN of the same "
        f"topology are at the measured firing rate, means over images and seeds. "
        f"{same_images_text(config)} In brackets: what is saved against a "
        "counterpart that is not of equal quality; it is compared with nothing. Energy under costs "
        f"{DEFAULT_COSTS} ({table.mac} pJ per MAC, {table.ac} pJ per SOP; nothing reused, no zero "
        f"skipped) and scenarios "
        + "; ".join(f"({k}) {s.label}" for k, s in scenarios().items())
        + ". Differences: counted less published; savings in percentage points."
    )
    view = [_shown(config, row) for row in rows]
    return artefact_table(config, paper, artefact, caption, pd.DataFrame(rows), view)


def _amounts() -> list[str]:
    """Columns of what is counted of a network."""
    energies = [f"{what}_{s}" for what in ("energy_mj", "saving") for s in scenarios()]
    return ["parameters", "gmacs", "gsops", "firing_rate", *energies]


def _named(config: Config, method: str, basis: str) -> dict[str, Any]:
    return {"configuration": config.name, "label": config.label, "method": method, "basis": basis}


def _energies(config: Config, source: str) -> pd.DataFrame:
    """Energies in mJ under the default costs: columns name, model and one per scenario."""
    table = plain_rows(read_scenarios(config, "energy"))
    table = table[table["source"] == source]
    wide = table.pivot_table("mj", ["name", "model"], "scenario").reset_index()
    return wide.rename(columns={s: f"energy_mj_{s}" for s in scenarios()})


def _full_size(config: Config, printed: PublishedCosts) -> Iterator[dict[str, Any]]:
    """A row per registered network; energies where no firing rate is needed."""
    paper = printed.paper
    energies = {row["model"]: row for row in records(_energies(config, "structure"))}
    for model in records(read_table(layout_of(config).models)):
        row = _named(config, model["title"], f"structure, {model['size']}")
        row |= {f"{FULL}_{what}": model[what] for what in ("parameters", "gmacs")}
        if not model["spiking"] and model["model"] in energies:
            priced = energies[model["model"]]
            row |= {f"{FULL}_energy_mj_{s}": priced.get(f"energy_mj_{s}") for s in scenarios()}
        if model["model"] == paper.network:
            if printed.parameters is not None:
                row["published_parameters"] = printed.parameters
            row |= printed.of(model["model"])
            unknown = [
                word
                for column, word in zip(
                    PRINTED.values(), ("parameters", "MACs", "energy"), strict=True
                )
                if column not in row
            ]
            unknown.insert(len(unknown) - ("energy" in unknown), "SOPs")
            row |= {
                "published_reason": f"{_and(unknown)} {paper.missing}",
                "counted_reason": "energy and saving need the firing rates of trained weights",
            }
            if printed.saving is not None:
                row["published_saving"] = printed.saving
        else:
            spiking = "energy needs the firing rates of trained weights" * model["spiking"]
            row |= printed.of(model["model"])
            reason = "" if "printed_in" in row else UNRELATED
            row |= {"published_reason": reason, "counted_reason": spiking}
        if "published_parameters" in row:
            row["difference_parameters"] = model["parameters"] - row["published_parameters"]
        yield row


def _runs(config: Config, printed: PublishedCosts) -> Iterator[dict[str, Any]]:
    """A row per run, mean over its seeds."""
    prefix = OWN_COLUMNS[config.label]
    accounts = read_accounts(config)
    energies = _energies(config, "measured")
    energies["run"] = energies["name"].str.rsplit("/", n=1).str[0]
    energies = energies.drop(columns=["name", "model"]).groupby("run").mean()
    priced = {row["run"]: row for row in records(energies.reset_index())}
    entries = {entry.run: entry for entry in run_variants(config)}
    psnr = mean_psnr(config)
    for run, counts in accounts.groupby("run", sort=False):
        entry, first = entries[str(run)], counts.iloc[0]
        basis = f"{first['images']} images of {first['dataset']}, {first['counted_size']}"
        row = _named(config, entry.title, basis)
        counted = {
            "parameters": first["parameters"],
            "gmacs": first["gmacs_256"],
            "gsops": counts["sops"].mean() / 1e9,
            "firing_rate": counts["firing_rate"].astype(float).mean(),
        }
        row |= {f"{prefix}_{what}": value for what, value in counted.items()}
        row |= {f"{prefix}_{what}": mj for what, mj in priced[entry.run].items() if what != "run"}
        row["psnr"] = psnr.get((entry.run, str(first["dataset"])), EMPTY)
        row["published_reason"] = UNRELATED
        row["counted_reason"] = ""
        if entry.spec.network == printed.paper.network:
            row |= _saving(config, entry, printed)
        yield row


def _saving(config: Config, entry: RunVariant, printed: PublishedCosts) -> dict[str, Any]:
    """The energy saved against the run of the ANN counterpart beside the published saving."""
    paper, claimed = printed.paper, printed.saving
    counterpart = counterpart_run(config, entry)
    same = published_method(paper, entry) == paper.method
    row: dict[str, Any] = {"published_reason": f"energy {paper.missing}"}
    if claimed is not None:
        row["published_saving"] = claimed
    if counterpart is None:
        reason = "saving: no run of the ANN counterpart of the same size"
        return row | {"counted_reason": reason}
    pairs = pair_savings(config, plain=True)
    pairs = pairs[(pairs["run"] == entry.run) & (pairs["baseline_run"] == counterpart.run)]
    if pairs.empty:
        return row | {
            "counted_reason": "saving: the counterpart was not counted on the same images"
        }
    pair = records(pairs)[0]
    if pair["why_not"]:
        return row | {"counted_reason": f"saving: {pair['why_not']}"}
    row |= {what: pair[what] for what in ("protocol", "equal_quality", "psnr")}
    row["psnr_counterpart"] = pair["psnr_baseline"]
    measured = pairs.set_index("scenario")["saving"]
    row |= {f"{OWN_COLUMNS[config.label]}_saving_{s}": value for s, value in measured.items()}
    unlike = "" if same else "saving: this is not the published network's size"
    if same and not pair["equal_quality"]:
        unlike = "saving: not of equal quality"
    if same and claimed is not None and pair["equal_quality"]:
        row |= {f"difference_saving_{s}": value - claimed for s, value in measured.items()}
    return row | {"counted_reason": "", "difference_reason": unlike}


def _shown(config: Config, row: dict[str, Any]) -> dict[str, str]:
    prefix, heading = OWN_COLUMNS[config.label], OWN_HEADINGS[config.label].lower()
    letters = ", ".join(f"({s})" for s in scenarios())

    def energy(who: str) -> str:
        return _listed([number(row[f"{who}_energy_mj_{s}"], 2) for s in scenarios()])

    return {
        "Network": row["method"],
        "Counted on": row["basis"],
        "Parameters, published": number(row["published_parameters"]),
        "Parameters, full size": number(row[f"{FULL}_parameters"]),
        "Difference": _ratio(row),
        "Operations, published": _with_unit(
            row["published_operations"], row["published_operations_unit"]
        ),
        "GMACs, full size": number(row[f"{FULL}_gmacs"], 2),
        "Energy (mJ), published": number(row["published_energy_mj"], 2),
        f"Energy (mJ), full size, {letters}": energy(FULL),
        f"Parameters, {heading}": number(row[f"{prefix}_parameters"]),
        f"GMACs (GSOPs at firing rate), {heading}": _work(row, prefix),
        f"Energy (mJ), {heading}, {letters}": energy(prefix),
        "Energy saved, published": _percent(row["published_saving"]),
        f"Energy saved, {heading}, {letters}": _bracketed_unless_equal(
            row, _listed([_percent(row[f"{prefix}_saving_{s}"]) for s in scenarios()])
        ),
        f"{psnr_heading(config)}, against the counterpart’s": _qualities(row, prefix),
        "Difference (points)": _listed(
            [_points(row[f"difference_saving_{s}"]) for s in scenarios()]
        ),
        "Printed in": row["printed_in"],
        "Empty because": because(
            {
                "published": row["published_reason"],
                "counted": row["counted_reason"],
                "difference": row.get("difference_reason", ""),
            }
        ),
    }


def _and(words: list[str]) -> str:
    """``MACs, SOPs and energy``."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _with_unit(value: float, unit: str) -> str:
    return "" if is_empty(value) else f"{value:g} {unit}"


def _qualities(row: dict[str, Any], prefix: str) -> str:
    """``21.26 against 21.58``, one score, or why there is none beside the energies of a row."""
    if is_empty(row[f"{prefix}_parameters"]):
        return STRUCTURE_ONLY
    other = row["psnr_counterpart"]
    return psnr_text(row["psnr"]) + ("" if is_empty(other) else f" against {other:.2f}")


def _bracketed_unless_equal(row: dict[str, Any], saved: str) -> str:
    if not saved or row.get("equal_quality", True):
        return saved
    return f"({saved}): {abs(row['psnr'] - row['psnr_counterpart']):.2f} dB apart"


def _ratio(row: dict[str, Any]) -> str:
    if is_empty(row["difference_parameters"]):
        return ""
    times = row[f"{FULL}_parameters"] / row["published_parameters"]
    return f"{row['difference_parameters']:+,.0f} ({times:.1f} times)"


def _work(row: dict[str, Any], prefix: str) -> str:
    macs, rate = number(row[f"{prefix}_gmacs"], 2), row[f"{prefix}_firing_rate"]
    return macs if is_empty(rate) else f"{macs} ({row[f'{prefix}_gsops']:.2f} at {rate:.3f})"


def _listed(texts: list[str]) -> str:
    return ", ".join(text or "none" for text in texts) if any(texts) else ""


def _percent(share: float) -> str:
    return "" if is_empty(share) else f"{share:+.0%}".replace("%", " %")


def _points(share: float) -> str:
    return "" if is_empty(share) else f"{100 * share:+.0f}"
