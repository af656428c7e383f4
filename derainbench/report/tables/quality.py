"""PSNR and SSIM of every method under every protocol."""

from __future__ import annotations

from typing import Any

import pandas as pd

from derainbench.catalog.protocols import present_protocols
from derainbench.config.runs import IMAGES
from derainbench.config.schema import Config
from derainbench.data.restored import OTHERS
from derainbench.foundation.frames import records
from derainbench.metrics.infinite import finite, infinite_images, infinite_note
from derainbench.report.tables.table import (
    RAINY,
    Table,
    captioned,
    number,
    scores_text,
)
from derainbench.results.scores import read_scores


def quality(config: Config) -> Table:
    """PSNR and SSIM by data set and method under every protocol, mean over images and seeds."""
    scores = read_scores(config)
    keys = ["dataset", "title", "weights"]
    rows, notes = [], ""
    for _, of_set in scores.groupby("dataset", sort=False):
        # Every run saw the same rainy images: the first one's scores of them are everyone's.
        first = of_set[(of_set["run"] == of_set["run"].iloc[0])]
        first = first[first["variant"] == first["variant"].iloc[0]]
        rainy = first.drop(columns=["psnr", "ssim"]).rename(
            columns={"psnr_input": "psnr", "ssim_input": "ssim"}
        )
        rainy = rainy.assign(title=RAINY, weights="", variant="")
        rows += [_means(rainy, keys), _means(of_set, keys)]
        notes += infinite_note(pd.concat([rainy, of_set]))
    frame = pd.concat(rows, ignore_index=True)
    frame.insert(0, "configuration", config.name)
    caption = captioned(
        config,
        "PSNR (dB) / SSIM under every protocol, mean over the test images, and "
        "over seeds where there are several (± sample standard deviation of PSNR over seeds)."
        + notes,
    )
    if any(scores["variant"] == IMAGES):
        caption += f" {OTHERS.capitalize()} were scored here as they are, and not made here."
    view = [
        {
            "Data set": row["dataset"],
            "Method": row["title"],
            "Weights": row["weights"],
            "Images": number(row["images"]),
            "Seeds": number(row["seeds"]),
            **{
                p: scores_text(
                    row[f"psnr_{p}"], row[f"ssim_{p}"], row.get(f"psnr_{p}_std_over_seeds")
                )
                for p in present_protocols(scores["protocol"])
            },
        }
        for row in records(frame)
    ]
    return Table("quality", caption, frame, pd.DataFrame(view))


def _means(scores: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row per method: means over images, then over seeds; sample deviation over seeds.

    Infinite PSNRs are left out; where a protocol gave any, ``infinite_<protocol>`` counts their
    images.
    """
    by_seed = finite(scores).groupby([*keys, "run", "variant", "protocol"], sort=False)
    per_seed = by_seed[["psnr", "ssim"]].mean()
    rows = []
    for key, group in per_seed.groupby([*keys, "run"], sort=False):
        *names, run = key
        row: dict[str, Any] = dict(zip(keys, names, strict=True))
        of_run = scores[scores["run"] == run]
        row["images"] = int(of_run["image"].nunique())
        trained = of_run["variant"].iloc[0].startswith("seed-")
        row["seeds"] = int(of_run["variant"].nunique()) if trained else None
        for protocol in present_protocols(scores["protocol"]):
            values = group.xs(protocol, level="protocol")
            row[f"psnr_{protocol}"] = values["psnr"].mean()
            row[f"ssim_{protocol}"] = values["ssim"].mean()
            if len(values) > 1:
                row[f"psnr_{protocol}_std_over_seeds"] = values["psnr"].std()
            if perfect := infinite_images(of_run[of_run["protocol"] == protocol]):
                row[f"infinite_{protocol}"] = len(perfect)
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({"seeds": "Int64"})
