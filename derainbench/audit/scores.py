"""What the per-image scores of a configuration say: who is better, by which protocol, how surely.

Every function takes the data frame of :func:`derainbench.report.collect.scores`. Where a run has
several seeds, an image's score is its mean over them, except where the seeds are the question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pandas as pd

from derainbench import published
from derainbench.audit import ledger
from derainbench.audit.case import as_published
from derainbench.audit.statistics import (
    DIFFERENT,
    EQUIVALENT,
    LEVEL,
    UNDECIDED,
    difference_intervals,
    effect,
    equivalence,
    holm,
    spread,
    wilcoxon,
)
from derainbench.config import PROTOCOL_NAMES, Config
from derainbench.data import catalogue
from derainbench.errors import BenchError
from derainbench.report import collect
from derainbench.sources import known_model

METRICS = ("psnr", "ssim")
LUMA = tuple(p for p in PROTOCOL_NAMES if p != "rgb")
BETTER, WORSE = "better", "worse"
# Two PSNRs closer than this count as equal. Methods that follow each other at the top of the
# published tables lie about this far apart (Rain200H: 32.00, 32.10, 32.17 dB), so a wider margin
# would call them equal; a much narrower one would ask for more than a protocol that is not fully
# described can promise (rounding Y to 8 bits costs PReNet's family 0.05 to 0.07 dB on Rain100L).
MARGIN_DB = 0.1


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


def _cells(scores: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(data set, protocol, scores) in the order of the configuration."""
    for dataset, of_set in scores.groupby("dataset", sort=False):
        for protocol in PROTOCOL_NAMES:
            yield str(dataset), protocol, of_set[of_set["protocol"] == protocol]


def _names(scores: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Title and weights of every run."""
    return scores.drop_duplicates("run").set_index("run")[["title", "weights"]].to_dict("index")


def paired(scores: pd.DataFrame) -> pd.DataFrame:
    """Every pair of methods on every data set, under every protocol, over the same images.

    Returns:
        One row per data set, protocol, metric and pair (``run`` against ``other``): images, mean
        difference, its bootstrap interval ``low``, ``high``, ``sd``, ``dz`` and ``share_better``
        (:func:`~derainbench.audit.statistics.effect`), Wilcoxon's ``p``, ``p_holm`` (over all
        pairs of the data set, protocol and metric) and ``verdict``.
    """
    names = _names(scores)
    tables = []
    for dataset, protocol, cell in _cells(scores):
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
    wide = wide[np.isfinite(wide).all(axis=1)]
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
        the better rank) and ``rank_changes``.
    """
    names = _names(scores)
    tables = []
    for dataset, of_set in scores.groupby("dataset", sort=False):
        cells = {p: of_set[of_set["protocol"] == p] for p in PROTOCOL_NAMES}
        means = {
            (metric, p): _wide(cell, metric).mean()
            for metric in METRICS
            for p, cell in cells.items()
        }
        runs = means["psnr", PROTOCOL_NAMES[0]].index
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
        psnr = table[[f"psnr_{p}" for p in PROTOCOL_NAMES]]
        table["spread_db"] = np.ptp(psnr.to_numpy(), axis=1)
        table["spread_luma_db"] = np.ptp(table[[f"psnr_{p}" for p in LUMA]].to_numpy(), axis=1)
        ranks = psnr.rank(ascending=False, method="min").astype(int)
        for p in PROTOCOL_NAMES:
            table[f"rank_{p}"] = ranks[f"psnr_{p}"]
        table["rank_changes"] = ranks.nunique(axis=1) > 1
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _per_seed(scores: pd.DataFrame, metric: str) -> pd.Series:
    """Means over images of every seed of every trained run: index run, variant."""
    trained = scores[scores["variant"].str.startswith("seed-")]
    return trained.groupby(["run", "variant"], sort=False)[metric].mean()


def seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """How the mean score of every trained run scatters over its seeds.

    Returns:
        One row per data set, protocol, metric and trained run: the columns of
        :class:`~derainbench.audit.statistics.Spread` (``n`` seeds) and ``note``.
    """
    names = _names(scores)
    rows = []
    for dataset, protocol, cell in _cells(scores):
        for metric in METRICS:
            for run, values in _per_seed(cell, metric).groupby("run", sort=False):
                found = spread(values)
                rows.append(
                    {
                        "dataset": dataset,
                        "protocol": protocol,
                        "metric": metric,
                        "run": run,
                        "method": names[run]["title"],
                        **asdict(found),
                        "note": "one seed: no spread" if found.n == 1 else "",
                    }
                )
    columns = ["dataset", "protocol", "metric", "run", "method", "n", "mean", "sd"]
    columns += ["minimum", "maximum", "low", "high", "note"]
    return pd.DataFrame(rows, columns=columns)


def against_published(scores: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Mean PSNR of every method against what was published of it, to within a margin.

    The test is over what there is to generalise from: ``basis`` says

    - ``seeds``: a run trained here, one mean per seed;
    - ``images``: official weights on a part of the published test set, one score per image (as if
      drawn from an endless supply, so the interval is rather too wide);
    - ``all images``: official weights on as many images as the whole test set has: nothing is
      left to chance, so nothing is tested and the difference alone decides.

    Scores of the ledgers are held against the paper's network after its training alone, under every
    protocol, because their sources state none, and to within their own tolerance.

    Returns:
        One row per published PSNR whose method, data set and protocol were scored here: basis,
        images, published and mean PSNR, the columns of
        :class:`~derainbench.audit.statistics.Equivalence`, and where the number is from.
    """
    cells = {(config.catalogue_name(d) or d, p): cell for d, p, cell in _cells(scores)}
    names = _names(scores)
    rows = []
    for claim in _claimed(config):
        cell = cells.get((claim["dataset"], claim["protocol"]))
        if cell is None:
            continue
        for run, of_run in cell[claim["is"](cell)].groupby("run", sort=False):
            dataset = of_run["dataset"].iloc[0]
            complete = _complete(config, dataset)
            rows.append(
                {
                    "dataset": dataset,
                    "run": run,
                    "method": of_run["title"].iloc[0],
                    "weights": names[run]["weights"],
                    "protocol": claim["protocol"],
                    "published_psnr": claim["psnr"],
                    **_agreement(of_run, claim["psnr"], complete, claim["margin"]),
                    "margin_db": claim["margin"],
                    "kind": claim["kind"],
                    "source": claim["source"],
                }
            )
    columns = ["dataset", "run", "method", "weights", "protocol", "published_psnr", "basis"]
    columns += ["images", "psnr", "n", "difference", "low", "high", "p", "verdict"]
    columns += ["margin_db", "kind", "source"]
    return pd.DataFrame(rows, columns=columns)


def _claimed(config: Config) -> Iterator[dict]:
    """Published scores, with a mask ``is`` of the scores that they speak of."""
    for row in published.scores().dropna(subset="psnr").to_dict("records"):
        method = row["method"]
        yield row | {"margin": MARGIN_DB, "is": lambda cell, m=method: cell["title"] == m}
    for book in map(ledger.load, ledger.names()):
        full = [
            entry.run
            for entry in collect.entries(config)
            if known_model(entry.spec.model) == book.model and as_published(entry.spec)
        ]
        for claim in book.all():
            if claim.test != "score":
                continue
            for protocol in PROTOCOL_NAMES:
                yield {
                    "dataset": claim.dataset,
                    "protocol": protocol,
                    "psnr": claim.published,
                    "margin": claim.tolerance,
                    "kind": f"protocol not stated; {ledger.KINDS[claim.kind]}",
                    "source": claim.source,
                    "is": lambda cell, runs=full: cell["run"].isin(runs),
                }


def _agreement(of_run: pd.DataFrame, claimed: float, complete: int | None, margin: float) -> dict:
    images = of_run["image"].nunique()
    basis, values = "seeds", _per_seed(of_run, "psnr")
    if values.empty:
        basis, values = ("all images" if images == complete else "images"), of_run["psnr"]
    found = asdict(equivalence(values, claimed, margin, unit=basis.split()[-1].removesuffix("s")))
    if basis == "all images":
        close = abs(found["difference"]) <= margin
        none = dict.fromkeys(("low", "high", "p"), np.nan)
        found |= none | {"verdict": EQUIVALENT if close else DIFFERENT}
    return {"basis": basis, "images": images, "psnr": values.mean(), **found}


def _complete(config: Config, dataset: str) -> int | None:
    """Number of images of the whole test set, if the catalogue knows."""
    known = config.catalogue_name(dataset)
    split = catalogue.entry(known).splits.get("test") if known else None
    return split.images if split else None
