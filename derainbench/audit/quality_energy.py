"""PSNR against energy: points, frontier, and the spiking networks' energy at equal quality.

Energies are those of ``scenarios/energy.csv``, qualities those of :mod:`derainbench.audit.equal_quality`.
A run with several seeds is one point: mean over its seeds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from derainbench.audit.equal_quality import (
    psnr_of_runs,
    quality_columns,
    run_and_variant,
)
from derainbench.config.schema import Config
from derainbench.foundation.frames import records
from derainbench.metrics.infinite import finite
from derainbench.results.runs import counted_variants
from derainbench.results.scenarios import plain_rows, read_scenarios
from derainbench.results.training_sets import training_set

ACCOUNTS = ["costs", "scenario", "reuse", "zero_skipping"]  # what an energy depends on
POINT_COLUMNS = ["dataset", "protocol", "run", "title", "spiking", "trained_on", "seeds"]
POINT_COLUMNS += ["scored_images", "psnr", "psnr_sd", "psnr_min", "psnr_max", *ACCOUNTS, "mj"]
POINT_COLUMNS += ["mj_min", "mj_max", "frontier", "equal_quality"]

_FLAGS = ["reuse", "zero_skipping", "equal_quality", "not_worse", "same_training_data"]

COMPARED = "compared"
NO_ANN = "no ANN was trained on the same data"
UNSCORED = "no ANN trained on the same data has scores on the same images as it"
NONE_AS_GOOD = "none is as good"
ONLY_BETTER = "those as good are better by more than the margin of equal quality"
HEADLINE_COLUMNS = ["run", "title", "dataset", "protocol", *ACCOUNTS, "answer", "candidates"]
HEADLINE_COLUMNS += ["ratio", "low", "high", "psnr", "baseline", "baseline_title"]
HEADLINE_COLUMNS += ["psnr_baseline", "difference", "difference_low", "difference_high"]
HEADLINE_COLUMNS += ["scored_images", "mj", "mj_baseline", "frontier"]


def points(config: Config, *, plain: bool = False) -> pd.DataFrame:
    """Every run that was counted and scored on one set, under every scenario and cost table.

    Args:
        config: whose runs.
        plain: under the default costs alone, nothing reused and no zero skipped, which is faster.

    Returns:
        One row per run and account: ``psnr`` (mean over images and seeds, dB) with deviation and
        range over seeds; ``mj`` (mJ per image, mean over images and seeds) with its range over
        seeds; ``frontier``, whether no other run of the set is as good for less energy
        (:func:`on_frontier`); ``equal_quality``, of an ANN: whether some spiking run lies within
        the margin of equal quality, of a spiking run: true. ANNs have nothing to reuse over time:
        with reuse they stand there as without.
    """
    return _points(config, pair_savings(config, plain=plain), plain=plain)


def _points(config: Config, pairs: pd.DataFrame, *, plain: bool) -> pd.DataFrame:
    scores = psnr_of_runs(config)
    energies = read_scenarios(config, "energy")
    energies = energies[energies["source"] == "measured"].dropna(subset=["mj"])
    energies = plain_rows(energies) if plain else energies
    first = {e.run: e for e in reversed(counted_variants(config))}
    spiking = {run for run, _, _ in config.spiking()}
    run = run_and_variant(energies["name"])[0]
    rows = []
    for key, of_run in energies.groupby([run, "dataset"], sort=False):
        name, dataset = map(str, key)
        entry = first.get(name)
        if entry is None or (name, dataset) not in scores:
            continue
        by_seed = finite(scores[name, dataset]).mean().dropna()
        if by_seed.empty:
            continue
        about = {
            "dataset": dataset,
            "protocol": config.figures.protocol,
            "run": name,
            "title": entry.title,
            "spiking": name in spiking,
            "trained_on": training_set(config, entry),
            "seeds": len(by_seed) if entry.spec.train else None,
            "scored_images": len(scores[name, dataset]),
            "psnr": mean_in_range(by_seed),
            "psnr_sd": by_seed.std(),
            "psnr_min": by_seed.min(),
            "psnr_max": by_seed.max(),
        }
        for account, mj in of_run.groupby(ACCOUNTS, sort=False)["mj"]:
            priced = {"mj": mean_in_range(mj), "mj_min": mj.min(), "mj_max": mj.max()}
            rows.append(about | dict(zip(ACCOUNTS, account, strict=True)) | priced)
            if name not in spiking and not plain:  # the same with reuse
                rows.append(rows[-1] | {"reuse": True})
    table = pd.DataFrame(rows, columns=POINT_COLUMNS)
    groups = table.groupby(["dataset", *ACCOUNTS], sort=False).indices
    frontier = np.zeros(len(table), dtype=bool)
    for places in groups.values():
        alike = table.iloc[places]
        frontier[places] = on_frontier(alike["psnr"].to_numpy(), alike["mj"].to_numpy())
    table["frontier"] = frontier
    table["equal_quality"] = table["spiking"] | _near_a_spiking_run(pairs, table)
    return table.astype({"frontier": bool, "equal_quality": bool, "seeds": "Int64"})


def mean_in_range(values: pd.Series) -> float:
    """The mean, which rounding alone may put outside of the values: that of three times 0.1 does."""
    return float(np.clip(values.mean(), values.min(), values.max()))


def _near_a_spiking_run(pairs: pd.DataFrame, table: pd.DataFrame) -> pd.Series:
    """Whether an ANN's point lies within the margin of equal quality of a spiking run's."""
    equal = pairs[pairs["equal_quality"]]
    near = set(zip(equal["baseline_run"], equal["dataset"], strict=True))
    return pd.Series(
        [key in near for key in zip(table["run"], table["dataset"], strict=True)],
        index=table.index,
        dtype=bool,
    )


def on_frontier(psnr: np.ndarray, mj: np.ndarray) -> np.ndarray:
    """Which points no other one beats: as good for less energy, or better for the same.

    Args:
        psnr, mj: of the points, finite, [points].
    """
    as_good = (psnr >= psnr[:, None]) & (mj <= mj[:, None])  # [beaten, beating]
    better = (psnr > psnr[:, None]) | (mj < mj[:, None])
    return np.asarray(~(as_good & better).any(axis=1))


def pair_savings(config: Config, *, plain: bool = False) -> pd.DataFrame:
    """Every spiking run against every ANN counted on the same images, means over seeds.

    Args:
        config: whose runs.
        plain: under the default costs alone, nothing reused and no zero skipped, which is faster.

    Returns:
        One row per pair and account: columns of
        :func:`~derainbench.audit.equal_quality.quality_columns`, ``run``, ``baseline_run``, titles,
        and ``saving`` with ``saving_low``, ``saving_high``, the lowest and highest bound of any
        seed. Quantised forms, which nobody scored, are left out.
    """
    savings = read_scenarios(config, "savings")
    savings = savings[(savings["source"] == "measured") & savings["baseline_bits"].isna()]
    savings = plain_rows(savings) if plain else savings
    savings = savings.dropna(subset=["saving"]).rename(
        columns={"low": "saving_low", "high": "saving_high"}
    )
    savings["run"] = run_and_variant(savings["name"])[0]
    savings["baseline_run"] = run_and_variant(savings["baseline"])[0]
    quality = quality_columns(config, savings)
    keys = ["run", "baseline_run", "dataset", *ACCOUNTS]
    kept = ["title", "baseline_title", *quality.columns]
    if savings.empty:  # grouped, it would lose its columns
        amounts = ["saving", "saving_low", "saving_high", "firing_rate"]
        return pd.DataFrame(columns=[*keys, *kept, *amounts]).astype(dict.fromkeys(_FLAGS, bool))
    together = savings.join(quality).groupby(keys, sort=False, dropna=False)
    return together.agg(
        **{column: (column, "first") for column in kept},
        saving=("saving", "mean"),
        saving_low=("saving_low", "min"),
        saving_high=("saving_high", "max"),
        firing_rate=("firing_rate", "mean"),
    ).reset_index()


def headline(config: Config, *, plain: bool = False) -> pd.DataFrame:
    """What a spiking run takes of the energy of the cheapest ANN that is its equal.

    Candidates are ANNs trained on the same data and counted on the same images. Of those that are
    not worse and of equal quality, the one that takes the least energy is compared.

    Args:
        config: whose runs.
        plain: under the default costs alone, nothing reused and no zero skipped, which is faster.

    Returns:
        One row per spiking run, data set and account. ``answer`` is :data:`COMPARED`, or why there is
        nothing to compare with; then ``ratio`` and what follows of the baseline is empty. ``ratio``
        is the run's energy over the baseline's (1 - saving, mean over images and seeds) with the
        lowest and highest bound of any seed's 95 % interval over images. ``difference``: PSNR of
        the run less that of the baseline, dB, with its paired interval. ``frontier``: whether no
        network here, whatever its quality, is as good as the run for less energy.
    """
    pairs = pair_savings(config, plain=plain)
    placed = _points(config, pairs, plain=plain).set_index(["run", "dataset", *ACCOUNTS])
    energy, frontier = placed["mj"].to_dict(), placed["frontier"].to_dict()
    own_psnr = placed["psnr"].to_dict()
    rows = []
    by_run: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for pair in records(pairs):
        by_run.setdefault(tuple(pair[k] for k in ("run", "dataset", *ACCOUNTS)), []).append(pair)
    for key, of_run in by_run.items():
        row: dict[str, Any] = dict(zip(["run", "dataset", *ACCOUNTS], key, strict=True))
        answer, candidates, chosen = _cheapest_equal(of_run)
        row |= {
            "title": of_run[0]["title"],
            "protocol": config.figures.protocol,
            "answer": answer,
            "candidates": candidates,
            "psnr": own_psnr.get(key),
            "mj": energy.get(key),
            "frontier": frontier.get(key),
        }
        if chosen is not None:
            row |= {
                "ratio": 1 - chosen["saving"],
                "low": 1 - chosen["saving_high"],
                "high": 1 - chosen["saving_low"],
                "baseline": chosen["baseline_run"],
                "difference_low": chosen["low"],
                "difference_high": chosen["high"],
                "mj_baseline": energy.get((chosen["baseline_run"], *key[1:])),
            }
            same = ("baseline_title", "psnr", "psnr_baseline", "difference", "scored_images")
            row |= {name: chosen[name] for name in same}
        rows.append(row)
    return pd.DataFrame(rows, columns=HEADLINE_COLUMNS)


def _cheapest_equal(
    pairs: list[dict[str, Any]],
) -> tuple[str, int, dict[str, Any] | None]:
    """The answer of one run under one account, how many ANNs could have been it, and its pair."""
    alike = [pair for pair in pairs if pair["same_training_data"]]
    if not alike:
        return NO_ANN, 0, None
    scored = [pair for pair in alike if not pair["why_not"]]
    if not scored:
        return UNSCORED, 0, None
    as_good = [pair for pair in scored if pair["not_worse"]]
    if not as_good:
        return NONE_AS_GOOD, len(scored), None
    equal = [pair for pair in as_good if pair["equal_quality"]]
    if not equal:
        return ONLY_BETTER, len(scored), None
    # The baseline that takes least is the one against which least is saved.
    return COMPARED, len(scored), min(equal, key=lambda pair: pair["saving"])
