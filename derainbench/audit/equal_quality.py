"""Which networks' energies may be compared: both PSNRs on the same images, pair by pair.

An energy saved says nothing where the images came out worse. A pair of networks has a saving only if
both were scored on the same images. It is of equal quality where the mean PSNRs differ by no more
than the margin of that name (``catalog/margins.yaml``). An ANN is *not worse* than a spiking network
by a test of non-inferiority: the paired difference is spiking network less ANN, image by image, and
the upper end of its 95 % bootstrap interval must not exceed the margin of that name.

Where a run has several seeds, an image's PSNR is its mean over them: the intervals say how sure the
difference is over images, not over further trainings. Energies are counted on crops of some of the
test images, scores computed on all of them; both are of the same set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import pandas as pd

from derainbench.catalog.margins import margins
from derainbench.config.schema import Config
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table
from derainbench.results.runs import counted_variants
from derainbench.results.training_sets import UNKNOWN, training_set
from derainbench.statistics.bootstrap import mean_intervals

NOT_SCORED = "no scores"
NO_GROUND_TRUTH = "no ground truth, so no PSNR"
OTHER_IMAGES = "scored on different images"
NO_FINITE = "no image with a finite PSNR by both"
QUANTISED_UNSCORED = "the quantised network was not scored"
STRUCTURE_ONLY = "no scores: structure only"
ROUNDING = 1e-9  # dB; a difference of exactly the margin lies within it
Scores = dict[tuple[str, str], pd.DataFrame]


@dataclass(frozen=True)
class QualityPair:
    """How well two networks restore the same images.

    Attributes:
        images: with a finite PSNR by both; 0 if the pair cannot be compared.
        psnr, psnr_baseline: mean over these images, dB.
        difference: psnr - psnr_baseline; low, high: its 95 % paired bootstrap interval over images.
        equal_quality: whether the difference lies within the margin of equal quality.
        not_worse: whether the baseline is shown to be not worse.
        why_not: why the pair has no scores to compare; empty if it has.
    """

    images: int = 0
    psnr: float = nan
    psnr_baseline: float = nan
    difference: float = nan
    low: float = nan
    high: float = nan
    equal_quality: bool = False
    not_worse: bool = False
    why_not: str = ""

    @property
    def apart(self) -> str:
        """Why the pair is not of equal quality: ``9.10 dB apart``, or what is missing; or nothing."""
        if self.equal_quality:
            return ""
        return self.why_not or f"{abs(self.difference):.2f} dB apart"


def quality_pair(network: pd.DataFrame, baseline: pd.DataFrame) -> QualityPair:
    """One pair of :func:`quality_pairs`."""
    return quality_pairs([(network, baseline)])[0]


def quality_pairs(pairs: Sequence[tuple[pd.DataFrame, pd.DataFrame]]) -> list[QualityPair]:
    """Compares networks with other ones on the same images, all at once, which is faster.

    Args:
        pairs: PSNR of a network and of its baseline, each [images, seeds], dB, indexed by image.
            Images that either restored perfectly, by any seed, have no difference and are left out.
    """
    together = [_same_images(*pair) for pair in pairs]
    differences = [
        (both["network"] - both["baseline"]).tolist() if isinstance(both, pd.DataFrame) else []
        for both in together
    ]
    return [
        QualityPair(why_not=both) if isinstance(both, str) else _measured(both, low, high)
        for both, (low, high) in zip(together, mean_intervals(differences), strict=True)
    ]


def _same_images(network: pd.DataFrame, baseline: pd.DataFrame) -> pd.DataFrame | str:
    """Finite PSNRs by both, columns network and baseline; or why there are none."""
    if set(network.index) != set(baseline.index):
        return OTHER_IMAGES
    both = pd.DataFrame({"network": network.mean(axis=1), "baseline": baseline.mean(axis=1)})
    both = both.loc[np.isfinite(both.to_numpy()).all(axis=1)]
    return NO_FINITE if both.empty else both


def _measured(both: pd.DataFrame, low: float, high: float) -> QualityPair:
    allowed = margins()
    psnr, psnr_baseline = float(both["network"].mean()), float(both["baseline"].mean())
    difference = psnr - psnr_baseline
    return QualityPair(
        images=len(both),
        psnr=psnr,
        psnr_baseline=psnr_baseline,
        difference=difference,
        low=float(low),
        high=float(high),
        equal_quality=abs(difference) <= allowed.equal_quality_margin_db.value + ROUNDING,
        # An interval that is not known, that of a single image, shows nothing.
        not_worse=bool(high <= allowed.not_worse_margin_db.value + ROUNDING),
    )


def psnr_of_runs(config: Config) -> Scores:
    """PSNR of every run that can be counted, on every paired set that it was scored on.

    Returns:
        By run and data set: dB under the protocol of the figures, [images, seeds]. A run that lacks
        the scores of one of its seeds on a set is left out there.
    """
    layout, found = layout_of(config), {}
    seeds: dict[tuple[str, str], list[str]] = {}
    for entry in counted_variants(config):
        for dataset in filter(config.paired, entry.spec.test):
            seeds.setdefault((entry.run, dataset), []).append(entry.variant)
    for (run, dataset), variants in seeds.items():
        files = {v: layout.per_image(run, v, dataset) for v in variants}
        if not all(file.is_file() for file in files.values()):
            continue
        columns = {}
        for variant, file in files.items():
            table = read_table(file)
            of_protocol = table[table["protocol"] == config.figures.protocol]
            columns[variant] = of_protocol.set_index("image")["psnr"].astype(float)
        found[run, dataset] = pd.DataFrame(columns)
    return {key: scores for key, scores in found.items() if not scores.empty}


def run_and_variant(names: pd.Series) -> pd.DataFrame:
    """Columns 0 and 1: run and variant of ``run/variant``; a model's name has no variant."""
    return names.str.rsplit("/", n=1, expand=True).reindex(columns=[0, 1])


def quality_columns(config: Config, savings: pd.DataFrame) -> pd.DataFrame:
    """The qualities of both networks of every row of ``scenarios/savings.csv``.

    Args:
        config: whose scores.
        savings: rows, of any scenario and cost table.

    Returns:
        The fields of :class:`QualityPair` (``images`` as ``scored_images``), and ``protocol``,
        ``trained_on``, ``baseline_trained_on`` and ``same_training_data``; indexed as the rows are.
    """
    scores = psnr_of_runs(config)
    entries = {f"{e.run}/{e.variant}": e for e in counted_variants(config)}
    sets = {name: training_set(config, entry) for name, entry in entries.items()}
    keys = ["source", "name", "baseline", "dataset", "baseline_bits"]
    cells = savings[keys].astype(object).itertuples(index=False)
    named = [tuple("" if pd.isna(cell) else str(cell) for cell in row) for row in cells]
    found: dict[tuple[str, ...], QualityPair] = {}
    to_measure: dict[tuple[str, ...], list[tuple[str, ...]]] = {}  # by runs and set, the rows' keys
    for key in dict.fromkeys(named):
        source, name, baseline, dataset, bits = key
        runs = tuple(entries[n].run if n in entries else "" for n in (name, baseline))
        unscored = [
            n for n, r in zip((name, baseline), runs, strict=True) if (r, dataset) not in scores
        ]
        if source != "measured":
            found[key] = QualityPair(why_not=STRUCTURE_ONLY)
        elif bits:
            found[key] = QualityPair(why_not=QUANTISED_UNSCORED)
        elif dataset in config.datasets and not config.paired(dataset):
            found[key] = QualityPair(why_not=NO_GROUND_TRUTH)
        elif unscored:
            found[key] = QualityPair(
                why_not=f"{NOT_SCORED} of {' and '.join(unscored)} on {dataset}"
            )
        else:
            to_measure.setdefault((*runs, dataset), []).append(key)
    pairs = [(scores[one, on], scores[other, on]) for one, other, on in to_measure]
    for same, pair in zip(to_measure.values(), quality_pairs(pairs), strict=True):
        found |= dict.fromkeys(same, pair)
    table = pd.DataFrame(
        [vars(found[key]) for key in named],
        columns=list(QualityPair.__dataclass_fields__),
        index=savings.index,
    ).rename(columns={"images": "scored_images"})
    table["protocol"] = config.figures.protocol
    table["trained_on"] = [sets.get(key[1], UNKNOWN) for key in named]
    table["baseline_trained_on"] = [sets.get(key[2], UNKNOWN) for key in named]
    known = table["trained_on"] != UNKNOWN
    table["same_training_data"] = known & (table["trained_on"] == table["baseline_trained_on"])
    return table
