"""Where the papers meet: their networks and ANN counterparts side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd

from derainbench.catalog.audited_papers import AuditedPaper, read_audited_paper
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.verdicts import Outcome
from derainbench.config.schema import Config
from derainbench.data.restored import OTHERS
from derainbench.energy.records import ATTENTION, SPIKES
from derainbench.foundation.frames import is_empty, records
from derainbench.metrics.infinite import finite, infinite_note
from derainbench.report.tables.table import (
    OWN_COLUMNS,
    OWN_HEADINGS,
    Table,
    captioned,
    number,
)
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table
from derainbench.results.runs import run_variants
from derainbench.results.scores import read_scores

NETWORK, COUNTERPART = "spiking network", "ANN counterpart"
SEVERAL = "with several verdicts"


def papers(config: Config) -> Table:
    """Every paper's network and its ANN counterpart: structure, claims, and scores where run.

    Raises:
        BenchError: if the structure has not been counted, or nothing has been judged.
    """
    rows = [row for name in config.paper_names for row in _rows(config, read_audited_paper(name))]
    prefix = OWN_COLUMNS[config.label]
    frame = pd.DataFrame(rows, columns=_columns(prefix))
    heading = f"PSNR (dB), {OWN_HEADINGS[config.label].lower()}"
    again = frame[["paper", "model"]].duplicated()
    view = [
        _network_cells(row, blank=repeated)
        | {"Run": row["run_title"], heading: number(row[f"{prefix}_psnr"], 2)}
        for row, repeated in zip(records(frame), again, strict=True)
    ]
    note = infinite_note(_shown_scores(config))
    caption = captioned(
        config,
        "every paper's spiking network and the ANN of the same topology, at full size: parameters "
        "and dense MACs of one 256x256 image, all time steps counted, on spikes and on analog "
        "input, attention apart. Claims: how many, findings about the code among them, have which "
        "verdict under this configuration; with several, where the answer depends on assumptions. "
        "Energy saved, claimed: as the paper states it, not a comparison of the runs here. "
        f"PSNR: of every run on {config.figures.dataset}, protocol "
        f"{config.figures.protocol}, mean over images and seeds; runs may be smaller than the "
        f"paper's network.{note}",
    )
    return Table("papers", caption, frame, pd.DataFrame(view))


def _network_cells(row: dict[str, Any], *, blank: bool) -> dict[str, str]:
    """What is known of a network whatever is run; blank where the row above says it."""
    saving = row["claimed_saving"]
    cells = {
        "Paper": row["citation"] if row["role"] == NETWORK else "",
        "Network": row["title"],
        "Role": row["role"],
        "Parameters": number(row["parameters"]),
        "GMACs on spikes": number(row["spike_gmacs"], 2),
        "GMACs on analog input": number(row["analog_gmacs"], 2),
        "Energy saved, claimed": "" if is_empty(saving) else f"{100 * saving:.0f} %",
        "Claims": _claims_text(row),
    }
    return dict.fromkeys(cells, "") if blank else cells


def _columns(prefix: str) -> list[str]:
    columns = ["configuration", "label", "paper", "citation", "model", "title", "role"]
    columns += ["parameters", "spike_gmacs", "analog_gmacs", "claimed_saving"]
    columns += [_claims_column(words) for words in (*Outcome, SEVERAL)]
    return [
        *columns,
        "run",
        "run_title",
        "dataset",
        "protocol",
        "images",
        "seeds",
        f"{prefix}_psnr",
    ]


def _claims_column(words: str) -> str:
    """``claims_not_testable_here``."""
    return f"claims_{words.replace(' ', '_')}"


def _claims_text(row: dict[str, Any]) -> str:
    """``5 reproduced, 1 contradicted, 1 with several verdicts``."""
    counts = {words: row[_claims_column(words)] for words in (*Outcome, SEVERAL)}
    return ", ".join(f"{n:.0f} {words}" for words, n in counts.items() if n > 0)


def _claims(verdicts: pd.DataFrame) -> dict[str, int]:
    """How many claims have which verdict; those whose answer depends on assumptions apart."""
    words = [set(of_claim["verdict"]) for _, of_claim in verdicts.groupby("claim")]
    counts = Counter(next(iter(several)) if len(several) == 1 else SEVERAL for several in words)
    return {_claims_column(word): counts[word] for word in (*Outcome, SEVERAL)}


def _rows(config: Config, paper: AuditedPaper) -> Iterator[dict[str, Any]]:
    """The paper's network and its counterpart, a row per run, or one without a run."""
    layout = layout_of(config)
    models = read_table(layout.models).set_index("model")
    layers = read_table(layout.structure / "layers.csv")
    claims = read_table(layout.claims)
    verdicts = claims[claims["paper"] == paper.name]
    for model in paper.networks:
        is_network = model == paper.network
        counted = layers[(layers["model"] == model) & (layers["role"] != ATTENTION)]
        on_spikes = counted["input"] == SPIKES
        row = {
            "configuration": config.name,
            "label": config.label,
            "paper": paper.name,
            "citation": model_card(paper.network).citation,
            "model": model,
            "title": model_card(model).title,
            "role": NETWORK if is_network else COUNTERPART,
            "parameters": models.loc[model, "parameters"],
            "spike_gmacs": counted.loc[on_spikes, "macs"].sum() / 1e9,
            "analog_gmacs": counted.loc[~on_spikes, "macs"].sum() / 1e9,
        }
        if is_network:
            row["claimed_saving"] = paper.claimed_saving
            row |= _claims(verdicts)
        runs = list(_runs(config, model))
        for run in runs or [{"run": "", "run_title": ""}]:
            yield row | run


def _shown_scores(config: Config) -> pd.DataFrame:
    """Scores on the set of the figures, under their protocol."""
    scores = read_scores(config)
    on_set = scores["dataset"] == config.figures.dataset
    return scores[on_set & (scores["protocol"] == config.figures.protocol)]


def _runs(config: Config, model: str) -> Iterator[dict[str, Any]]:
    """The scores of every run of a model on the set of the figures, under their protocol."""
    shown = _shown_scores(config)
    first = {entry.run: entry for entry in run_variants(config)}
    for run, entry in first.items():
        of_run = shown[shown["run"] == run]
        if entry.spec.network != model or of_run.empty:
            continue
        per_seed = finite(of_run).groupby("variant")["psnr"].mean()
        yield {
            "run": run,
            "run_title": entry.title if entry.spec.counted else f"{entry.title} ({OTHERS})",
            "dataset": config.figures.dataset,
            "protocol": config.figures.protocol,
            "images": of_run["image"].nunique(),
            "seeds": len(per_seed) if entry.spec.train else None,
            f"{OWN_COLUMNS[config.label]}_psnr": per_seed.mean(),
        }
