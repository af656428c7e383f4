"""Whether firing rates at rain differ from those elsewhere, at each depth and overall."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from derainbench.statistics.bootstrap import LEVEL, mean_interval, ratio_interval
from derainbench.statistics.significance import holm, wilcoxon

VERDICTS = HIGHER, LOWER, UNDECIDED = "higher", "lower", "undecided"
# Name: (column of spikes.csv, column that it is held against, what is asked).
COMPARISONS = {
    "counterpart": (
        "firing_rate_rain",
        "firing_rate_counterpart",
        "rain locations of the rainy image against the same locations of the clean image: what "
        "the rain itself does",
    ),
    "within": (
        "firing_rate_rain",
        "firing_rate_clean",
        "rain locations against clean locations of the same rainy image: confounded by what the "
        "rain falls on",
    ),
    "content": (
        "firing_rate_counterpart",
        "firing_rate_clean_counterpart",
        "the two sets of locations of `within`, in the clean image, where there is no rain: how "
        "much of `within` is content",
    ),
}


def depth_table(rates: pd.DataFrame) -> pd.DataFrame:
    """Statistics over images of every comparison at every depth.

    Args:
        rates: one row per image and layer: ``image``, ``depth``, ``layer`` and the firing rates
            that :data:`COMPARISONS` names (spikes per neuron and time step; NaN where an image
            has no such location).

    Returns:
        One row per comparison and depth: the columns of :func:`compare_rates`, ``p_holm`` (p
        corrected over the depths of one comparison) and ``verdict``.
    """
    tables = []
    for name, (first, second, _) in COMPARISONS.items():
        rows = [
            {
                "comparison": name,
                "depth": depth,
                "layer": layer,
                **compare_rates(images[first], images[second]),
            }
            for (depth, layer), images in rates.groupby(["depth", "layer"], sort=True)
        ]
        table = pd.DataFrame(rows)
        table["p_holm"] = holm(table["p"])
        table["verdict"] = [
            rate_verdict(low, high, p)
            for low, high, p in zip(table["low"], table["high"], table["p_holm"], strict=True)
        ]
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def compare_rates(first: pd.Series, second: pd.Series) -> dict[str, float]:
    """Two firing rates per image, paired by image.

    Returns:
        ``images`` (with both rates), the mean of each (``firing_rate``, ``firing_rate_other``), the mean
        ``difference`` with its interval (``low``, ``high``), the ``ratio`` of the means with its
        interval (``ratio_low``, ``ratio_high``), and ``p`` of Wilcoxon's signed-rank test.
    """
    both = np.array([first, second], dtype=float)
    a, b = both[:, np.isfinite(both).all(axis=0)]
    means = (float(a.mean()), float(b.mean())) if len(a) else (math.nan, math.nan)
    low, high = mean_interval(a - b)
    ratio_low, ratio_high = ratio_interval(a, b)
    return {
        "images": len(a),
        "firing_rate": means[0],
        "firing_rate_other": means[1],
        "difference": means[0] - means[1],
        "low": low,
        "high": high,
        "ratio": means[0] / means[1] if means[1] else math.nan,
        "ratio_low": ratio_low,
        "ratio_high": ratio_high,
        "p": wilcoxon(a - b),
    }


def rate_verdict(low: float, high: float, p: float) -> str:
    """ "higher" or "lower" only where the interval excludes 0 and the test agrees."""
    if p < 1 - LEVEL and low > 0:
        return HIGHER
    if p < 1 - LEVEL and high < 0:
        return LOWER
    return UNDECIDED


def overall(rates: pd.DataFrame, depths: pd.DataFrame) -> dict[str, Any]:
    """Every comparison over all depths at once, and at how many depths it goes which way.

    An image's rate is its mean over depths, once with every depth alike (``by_depth``), once with
    every neuron of the network alike (``by_neuron``). Images that lack a rate at some depth are
    left out, so that all means are over the same depths.

    Args:
        rates: see :func:`depth_table`; also each layer's ``channels``, ``height``, ``width``.
        depths: its result.
    """
    neurons = rates["channels"] * rates["height"] * rates["width"]
    result = {}
    for name, (first, second, question) in COMPARISONS.items():
        verdicts = depths.loc[depths["comparison"] == name, "verdict"]
        result[name] = {
            "question": question,
            "by_depth": _total(rates, first, second, neurons * 0 + 1),
            "by_neuron": _total(rates, first, second, neurons),
            "depths": {
                "number": len(verdicts),
                **{v: int((verdicts == v).sum()) for v in VERDICTS},
                **{f"share_{v}": float((verdicts == v).mean()) for v in VERDICTS},
            },
        }
    return result


def _total(rates: pd.DataFrame, first: str, second: str, weights: pd.Series) -> dict[str, Any]:
    """:func:`compare_rates` of the weighted means over depths, and the verdict."""
    share = weights / weights.groupby(rates["image"]).transform("sum")
    weighted = rates[[first, second]].mul(share, axis=0).groupby(rates["image"], sort=False)
    per_image = weighted.sum(min_count=rates["depth"].nunique())
    total = compare_rates(per_image[first], per_image[second])
    return total | {"verdict": rate_verdict(total["low"], total["high"], total["p"])}
