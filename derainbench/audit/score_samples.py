"""What a mean score generalises from: seeds, images, or nothing where a whole set was scored."""

from __future__ import annotations

import pandas as pd

from derainbench.audit.verdict_rule import Sample
from derainbench.catalog.dataset_entries import dataset_entry
from derainbench.config.schema import Config
from derainbench.metrics.infinite import finite
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json

# What verifying the images says where they are not the published ones, or not all of them; see
# data/findings.py. A set that is complete by its counts alone passes: nothing better is known of it.
NOT_WHOLE = ("subset", "unlisted", "stand-in", "deviates")


def published_images(config: Config, dataset: str) -> int | None:
    """Number of images of the whole published test set; None if the catalogue does not know."""
    known = config.catalogue_name(dataset)
    split = dataset_entry(known).splits.get("test") if known else None
    return split.images if split else None


def is_whole(config: Config, dataset: str, images: int) -> bool:
    """Whether the whole published test set was scored.

    It was where the configuration says which set of the catalogue the data are, as many images were
    scored as that set's test split has, and verifying them found nothing against it. Where no
    findings are among the results, the number alone tells.
    """
    if images != published_images(config, dataset):
        return False
    file = layout_of(config).data(dataset) / "dataset.json"
    if not file.is_file():
        return True
    split = read_json(file)["splits"].get("test", {})
    return split.get("status") not in NOT_WHOLE


def score_samples(
    config: Config, dataset: str, of_run: pd.DataFrame, metric: str = "psnr"
) -> list[Sample]:
    """One sample per way in which chance enters one run's mean score on a test set.

    Over seeds where the run was trained here; over images, seeds averaged first, unless the whole
    published test set was scored: images are drawn from it otherwise. Infinite scores are left out.

    Args:
        config: whose run.
        dataset: its name in the configuration.
        of_run: per-image scores of one run under one protocol, all variants.
        metric: column.
    """
    scores, samples = finite(of_run), []
    trained = scores[scores["variant"].str.startswith("seed-")]
    if not trained.empty:
        per_seed = trained.groupby("variant", sort=False)[metric].mean()
        samples.append(Sample.over("seed", per_seed.tolist()))
    if not is_whole(config, dataset, of_run["image"].nunique()):
        per_image = scores.groupby("image", sort=False)[metric].mean()
        whole = published_images(config, dataset)
        samples.append(Sample.over("image", per_image.tolist(), whole=whole))
    return samples
