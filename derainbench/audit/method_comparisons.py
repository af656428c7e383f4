"""What the per-image scores of a configuration say: who is better, by which protocol, how surely.

Every function takes the data frame of :func:`derainbench.results.scores.read_scores`. Where a run has
several seeds, an image's score is its mean over them, except where the seeds are the question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pandas as pd

from derainbench.catalog.protocols import luma_protocols, present_protocols
from derainbench.foundation.errors import BenchError
from derainbench.foundation.frames import records
from derainbench.metrics.infinite import finite
from derainbench.statistics.bootstrap import LEVEL, difference_intervals
from derainbench.statistics.effects import effect, spread
from derainbench.statistics.equivalence import UNDECIDED
from derainbench.statistics.significance import holm, wilcoxon

METRICS = ("psnr", "ssim")
BETTER, WORSE = "better", "worse"
# By number of seeds with a finite mean.
SPREAD_NOTES = {0: "every image restored perfectly: no mean", 1: "one seed: no spread"}


def _wide(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Scores of one data set and protocol, images x runs, mean over seeds.

    Raises:
        BenchError: if the runs were scored on different images.
    """
    wide = scores.pivot_table(metric, "image", "run", sort=False)
    if wide.isna().any(axis=None):
        run, image = wide.columns[wide.isna().any()][0], wide.index[wide.isna().any(axis=1)][0]
        raise BenchError(
            f"{scores['dataset'].iloc[0]}: run '{run}' has no score of {image}, others have; "
            "evaluate it again"
        )
    return wide


def score_cells(scores: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(data set, protocol, scores) in the order of the configuration."""
    for dataset, of_set in scores.groupby("dataset", sort=False):
        for protocol in present_protocols(of_set["protocol"]):
            yield str(dataset), protocol, of_set[of_set["protocol"] == protocol]


def run_names(scores: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Title and weights of every run."""
    firsts = records(scores.drop_duplicates("run"))
    return {row["run"]: {"title": row["title"], "weights": row["weights"]} for row in firsts}


def paired(scores: pd.DataFrame) -> pd.DataFrame:
    """Every pair of methods on every data set, under every protocol, over the same images.

    Returns:
        One row per data set, protocol, metric and pair (``run`` against ``other``): images, mean
        difference, its bootstrap interval ``low``, ``high``, ``sd``, ``dz`` and ``share_better``
        (:func:`~derainbench.statistics.effects.effect`), Wilcoxon's ``p``, ``p_holm`` (over all
        pairs of the data set, protocol and metric) and ``verdict``.
    """
    names = run_names(scores)
    tables = []
    for dataset, protocol, cell in score_cells(scores):
        for metric in METRICS:
            table = _pairs(_wide(cell, metric), names)
            table.insert(0, "metric", metric)
            table.insert(0, "protocol", protocol)
            table.insert(0, "dataset", dataset)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _pairs(wide: pd.DataFrame, names: dict[str, dict[str, str]]) -> pd.DataFrame:
    pairs = list(combinations(wide.columns, 2))
    columns = ["run", "method", "other", "other_method", "images", "difference", "low", "high"]
    columns += ["sd", "dz", "share_better", "p", "p_holm", "verdict"]
    if not pairs:
        return pd.DataFrame(columns=columns)
    # A perfectly restored image has an infinite PSNR, and no difference to another one.
    wide = wide.loc[np.isfinite(wide.to_numpy()).all(axis=1)]
    first = wide[[a for a, _ in pairs]].to_numpy().T
    second = wide[[b for _, b in pairs]].to_numpy().T
    intervals = difference_intervals(first, second)
    p_values = [wilcoxon(d) for d in first - second]
    rows = []
    for (a, b), d, (low, high), p, p_holm in zip(
        pairs, first - second, intervals, p_values, holm(p_values), strict=True
    ):
        size = effect(d)
        rows.append(
            {
                "run": a,
                "method": names[a]["title"],
                "other": b,
                "other_method": names[b]["title"],
                "images": size.n,
                "difference": size.mean,
                "low": low,
                "high": high,
                "sd": size.sd,
                "dz": size.dz,
                "share_better": size.share_better,
                "p": p,
                "p_holm": p_holm,
                "verdict": verdict(low, high, p_holm),
            }
        )
    return pd.DataFrame(rows, columns=columns)


def verdict(low: float, high: float, p_holm: float) -> str:
    """Better or worse where interval and corrected test agree, else undecided."""
    if p_holm < 1 - LEVEL and low > 0:
        return BETTER
    if p_holm < 1 - LEVEL and high < 0:
        return WORSE
    return UNDECIDED


def protocol_matrix(scores: pd.DataFrame) -> pd.DataFrame:
    """What the same images score under every protocol, and whom each protocol ranks where.

    Returns:
        One row per data set and method: images, ``psnr_<protocol>``, ``ssim_<protocol>``,
        ``spread_db`` (largest difference of PSNR between two protocols), ``spread_luma_db`` (the
        same among the protocols on Y), ``rank_<protocol>`` (by PSNR, 1 is best, equal ones share
        the better rank) and ``rank_changes``. Infinite PSNRs are left out of means; a run that
        has no other ranks first.
    """
    names = run_names(scores)
    tables = []
    for dataset, of_set in scores.groupby("dataset", sort=False):
        protocols = present_protocols(scores["protocol"])
        cells = {p: of_set[of_set["protocol"] == p] for p in protocols}
        means = {
            (metric, p): finite(_wide(cell, metric)).mean()
            for metric in METRICS
            for p, cell in cells.items()
        }
        runs = means["psnr", protocols[0]].index
        table = pd.DataFrame(
            {
                "dataset": dataset,
                "run": runs,
                "method": [names[run]["title"] for run in runs],
                "weights": [names[run]["weights"] for run in runs],
                "images": of_set["image"].nunique(),
                **{f"{m}_{p}": values.to_numpy() for (m, p), values in means.items()},
            }
        )
        psnr = table[[f"psnr_{p}" for p in protocols]]
        table["spread_db"] = np.ptp(psnr.to_numpy(), axis=1)
        table["spread_luma_db"] = np.ptp(
            table[[f"psnr_{p}" for p in protocols if p in luma_protocols()]].to_numpy(), axis=1
        )
        ranks = psnr.rank(ascending=False, method="min", na_option="top").astype(int)
        for p in protocols:
            table[f"rank_{p}"] = ranks[f"psnr_{p}"]
        table["rank_changes"] = ranks.nunique(axis=1) > 1
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def means_per_seed(scores: pd.DataFrame, metric: str) -> pd.Series:
    """Means over images of every seed of every trained run: index run, variant.

    Infinite scores are left out; NaN where a seed has no other.
    """
    trained = finite(scores[scores["variant"].str.startswith("seed-")])
    return trained.groupby(["run", "variant"], sort=False)[metric].mean()


def seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """How the mean score of every trained run scatters over its seeds.

    Returns:
        One row per data set, protocol, metric and trained run: the columns of
        :class:`~derainbench.statistics.effects.Spread` (``n`` seeds) and ``note``.
    """
    names = run_names(scores)
    rows = []
    for dataset, protocol, cell in score_cells(scores):
        for metric in METRICS:
            for run, values in means_per_seed(cell, metric).groupby("run", sort=False):
                over_seeds = spread(values.tolist())
                rows.append(
                    {
                        "dataset": dataset,
                        "protocol": protocol,
                        "metric": metric,
                        "run": run,
                        "method": names[str(run)]["title"],
                        **asdict(over_seeds),
                        "note": SPREAD_NOTES.get(over_seeds.n, ""),
                    }
                )
    columns = ["dataset", "protocol", "metric", "run", "method", "n", "mean", "sd"]
    columns += ["minimum", "maximum", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns)
