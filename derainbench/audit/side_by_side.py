"""Every paper's spiking network and its ANN counterpart side by side, and runs of them.

At full size from the structure alone: parameters, MACs, and the energies between a network that
never fires and one whose neurons always do. No scores are known of these, so nothing is said of
quality. Of the runs of a configuration: PSNR, the budget that they were trained under, and the
energy of one image at the measured firing rate.

Two energies of runs may be compared where both restore equally well: ``equals`` names these runs
(:mod:`derainbench.audit.equal_quality`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pandas as pd

from derainbench.audit.equal_quality import psnr_of_runs, quality_pairs, run_and_variant
from derainbench.catalog.audited_papers import AuditedPaper, read_audited_paper
from derainbench.catalog.model_cards import model_card
from derainbench.catalog.verdicts import Outcome
from derainbench.config.schema import Config
from derainbench.data.restored import OTHERS
from derainbench.energy.records import ATTENTION, SPIKES, TABLE_SIZE
from derainbench.foundation.frames import is_empty, records
from derainbench.metrics.infinite import finite
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json, read_table
from derainbench.results.runs import RunVariant, run_variants
from derainbench.results.scenarios import read_scenarios
from derainbench.results.scores import read_scores

NETWORK, COUNTERPART = "spiking network", "ANN counterpart"
SEVERAL = "with several verdicts"
WORDS: tuple[str, ...] = (*Outcome, SEVERAL)
OTHER_COUNTER = "thop"  # which the literature takes; it sees no layer of spikingjelly's
ACCOUNT = ["costs", "scenario"]

_OF_NETWORK = ["paper", "citation", "model", "title", "role", "parameters", "thop_parameters"]
_OF_NETWORK += ["spike_gmacs", "analog_gmacs", "thop_gmacs", "claimed_saving"]
_OF_RUN = ["run", "run_title", "dataset", "protocol", "images", "seeds", "budget", "psnr", "equals"]
_ENERGY = [*ACCOUNT, "never_mj", "always_mj", "mj"]


def claims_column(word: str) -> str:
    """``claims_not_testable_here``."""
    return f"claims_{word.replace(' ', '_')}"


COLUMNS = [*_OF_NETWORK, *map(claims_column, WORDS), *_OF_RUN, *_ENERGY]


def side_by_side(config: Config) -> pd.DataFrame:
    """Every paper's network and its counterpart, at full size and run by run, under every account.

    Args:
        config: whose papers, verdicts and runs. Nothing is reused, no zero skipped.

    Returns:
        Columns :data:`COLUMNS`: a row per network, run and account (cost table and scenario); the
        rows with an empty ``run`` are of the network at full size, one 256x256 image.
        ``thop_*``: what another counter says of it. ``never_mj``, ``always_mj``: at full size, mJ,
        if no neuron ever fires, or every one always does; one number of an ANN. ``mj``: of a run,
        per image at its measured firing rate, mean over images and seeds. ``psnr``: dB on the set
        of the figures, mean over images and seeds; ``budget``: how it was trained; ``equals``:
        runs of these networks that restore as well, as their titles. ``claims_*``: how many claims
        of the paper have which verdict; of a counterpart: none. What is not known is empty.

    Raises:
        BenchError: if structure, scenarios or cross-checks were not computed, or nothing judged.
    """
    energies = read_scenarios(config, "energy")
    energies = energies[~energies["reuse"] & ~energies["zero_skipping"]]
    runs = _runs(config)
    rows: list[dict[str, Any]] = []
    for paper in map(read_audited_paper, config.paper_names):
        for network in _networks(config, paper):
            named = energies["model"] == network["model"]
            structure = energies[named & (energies["source"] == "structure")]
            rows += [network | {"run": "", "run_title": ""} | e for e in _full_size(structure)]
            measured = energies[named & (energies["source"] == "measured")]
            for run in runs.get(network["model"], []):
                own = network | dict.fromkeys(_OF_SIZE) | run
                rows += [own | energy for energy in _at_measured_rate(measured, run["run"])]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seeds": "Int64", "images": "Int64"})


# What a run of another size has numbers of its own for, or none.
_OF_SIZE = ("parameters", "thop_parameters", "spike_gmacs", "analog_gmacs", "thop_gmacs")


def _networks(config: Config, paper: AuditedPaper) -> Iterator[dict[str, Any]]:
    """The paper's network and its counterpart at full size, and the verdicts on the claims."""
    layout = layout_of(config)
    models = read_table(layout.models).set_index("model")
    layers = read_table(layout.structure / "layers.csv")
    layers = layers[layers["role"] != ATTENTION]
    others = read_table(layout.crosscheck / "crosscheck.csv")
    size = f"{TABLE_SIZE}x{TABLE_SIZE}"
    others = others[(others["counter"] == OTHER_COUNTER) & (others["size"] == size)]
    others = others.set_index("model")
    claims = read_table(layout.claims)
    for model in paper.networks:
        counted = layers[layers["model"] == model]
        on_spikes = counted["input"] == SPIKES
        row = {
            "paper": paper.name,
            "citation": model_card(paper.network).citation,
            "model": model,
            "title": model_card(model).title,
            "role": NETWORK if model == paper.network else COUNTERPART,
            "parameters": models.loc[model, "parameters"],
            "spike_gmacs": counted.loc[on_spikes, "macs"].sum() / 1e9,
            "analog_gmacs": counted.loc[~on_spikes, "macs"].sum() / 1e9,
        }
        if model in others.index:
            row["thop_parameters"] = others["parameters"][model]
            row["thop_gmacs"] = others["macs"][model] / 1e9
        if model == paper.network:
            row["claimed_saving"] = paper.claimed_saving
            row |= _claims(claims[claims["paper"] == paper.name])
        yield row


def _claims(verdicts: pd.DataFrame) -> dict[str, int]:
    """How many claims have which verdict; those whose answer depends on assumptions apart."""
    words = [set(of_claim["verdict"]) for _, of_claim in verdicts.groupby("claim")]
    counts = Counter(next(iter(several)) if len(several) == 1 else SEVERAL for several in words)
    return {claims_column(word): counts[word] for word in WORDS}


def _full_size(energies: pd.DataFrame) -> list[dict[str, Any]]:
    """Energies at full size by account, whatever the firing rate is; one empty row for none."""
    found = [
        {
            **{column: row[column] for column in ACCOUNT},
            "never_mj": row["fixed_mj"],
            "always_mj": row["fixed_mj"] + row["slope_mj"],
        }
        for row in records(energies)
        if not is_empty(row["fixed_mj"])
    ]
    return found or [{}]


def _at_measured_rate(energies: pd.DataFrame, run: str) -> list[dict[str, Any]]:
    """Energies of a run by account, mean over its seeds; one empty row for none."""
    of_run = energies[run_and_variant(energies["name"])[0] == run].dropna(subset=["mj"])
    return [
        dict(zip(ACCOUNT, account, strict=True)) | {"mj": rows["mj"].mean()}
        for account, rows in of_run.groupby(ACCOUNT, sort=False)
    ] or [{}]


def _runs(config: Config) -> dict[str, list[dict[str, Any]]]:
    """Runs of every model with scores on the set of the figures: those, budget, equals."""
    dataset, protocol = config.figures.dataset, config.figures.protocol
    scores = read_scores(config)
    shown = scores[(scores["dataset"] == dataset) & (scores["protocol"] == protocol)]
    of_papers = {n for p in config.paper_names for n in read_audited_paper(p).networks}
    first: dict[str, RunVariant] = {}
    for entry in run_variants(config):
        if entry.spec.network in of_papers and (shown["run"] == entry.run).any():
            first.setdefault(entry.run, entry)
    equals = _equals(config, list(first))
    found: dict[str, list[dict[str, Any]]] = {}
    for run, entry in first.items():
        of_run = shown[shown["run"] == run]
        by_seed = finite(of_run).groupby("variant")["psnr"].mean()
        made = entry.title if entry.spec.counted else f"{entry.title} ({OTHERS})"
        found.setdefault(entry.spec.network, []).append(
            {
                "run": run,
                "run_title": made,
                "dataset": dataset,
                "protocol": protocol,
                "images": of_run["image"].nunique(),
                "seeds": len(by_seed) if entry.spec.train else None,
                "budget": _budget(config, entry),
                "psnr": by_seed.mean(),
                "parameters": _parameters(config, entry),
                "equals": "; ".join(first[other].title for other in equals[run]),
            }
        )
    return found


def _equals(config: Config, runs: list[str]) -> dict[str, list[str]]:
    """The other runs that restore as well as a run does, on the set of the figures."""
    scores, dataset = psnr_of_runs(config), config.figures.dataset
    scored = [run for run in runs if (run, dataset) in scores]
    pairs = list(combinations(scored, 2))
    judged = quality_pairs([(scores[a, dataset], scores[b, dataset]) for a, b in pairs])
    equals: dict[str, list[str]] = {run: [] for run in runs}
    for (run, other), pair in zip(pairs, judged, strict=True):
        if pair.equal_quality:
            equals[run].append(other)
            equals[other].append(run)
    return equals


def _budget(config: Config, entry: RunVariant) -> str:
    """How a run was trained, in the words of its recipe; else where its weights are from."""
    if not entry.spec.train:
        return entry.weights
    recipe = config.recipe(entry.run)
    length = f"{recipe.steps:,} steps" if recipe.steps else f"{recipe.epochs} epochs"
    crops = f"{recipe.crops_per_image} crop{'s' * (recipe.crops_per_image > 1)}"
    return (
        f"{entry.spec.train.dataset}, recipe {entry.spec.train.recipe}, {length}, "
        f"batch {recipe.batch_size}, {crops} of {recipe.crop} per image"
    )


def _parameters(config: Config, entry: RunVariant) -> int | None:
    """The parameters of a run's network, counted on its tensors; none of images of others."""
    if not entry.spec.counted:
        return None
    account = layout_of(config).account_summary(entry.run, entry.variant)
    return int(read_json(account)["structure"]["parameters"])
