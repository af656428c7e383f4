"""Published scores beside reproduced ones."""

from __future__ import annotations

import pandas as pd

from derainbench.catalog import published
from derainbench.catalog.cells.claims import read_judged_paper
from derainbench.catalog.cells.printed import score_rows
from derainbench.config.schema import Config
from derainbench.data.restored import OTHERS
from derainbench.foundation.frames import records
from derainbench.metrics.infinite import infinite_note
from derainbench.report.tables.quality import quality
from derainbench.report.tables.table import (
    Table,
    captioned,
    interval_text,
    number,
    scores_text,
)
from derainbench.results.scores import read_scores
from derainbench.statistics.bootstrap import mean_interval


def comparison(config: Config) -> Table:
    """Published scores beside those of official weights, and of images that others restored."""
    printed = [score_rows(read_judged_paper(p).transcribed) for p in config.paper_names]
    known = pd.concat([published.scores(), *(table for table in printed if len(table))])
    reproduced = quality(config).frame
    official = reproduced[reproduced["weights"].str.startswith(("official", OTHERS))]
    scores = read_scores(config)
    rows = []
    for row in records(official):
        same = known[(known["method"] == row["title"]) & (known["dataset"] == row["dataset"])]
        for cell in records(same):
            # None of ours where the source does not say its protocol.
            psnr = row.get(f"psnr_{cell['protocol']}", float("nan"))
            keys = {key: row[key] for key in ("dataset", "title", "weights")}
            keys["protocol"] = cell["protocol"]
            of_images = scores[(scores[list(keys)] == pd.Series(keys)).all(axis=1)]
            low, high = mean_interval(of_images["psnr"].tolist())
            rows.append(
                {
                    "configuration": config.name,
                    "dataset": row["dataset"],
                    "method": row["title"],
                    "protocol": cell["protocol"],
                    "published_psnr": cell["psnr"],
                    "published_ssim": cell["ssim"],
                    "reproduced_psnr": psnr,
                    "reproduced_ssim": row.get(f"ssim_{cell['protocol']}", float("nan")),
                    "difference_psnr": psnr - cell["psnr"],
                    "low_psnr": low,
                    "high_psnr": high,
                    "published_within": bool(low <= cell["psnr"] <= high) if psnr == psnr else None,
                    "images": row["images"],
                    "weights": row["weights"],
                    "kind": cell["kind"],
                    "source": cell["source"],
                }
            )
    columns = [
        *("configuration", "dataset", "method", "protocol", "published_psnr", "published_ssim"),
        *("reproduced_psnr", "reproduced_ssim", "difference_psnr"),
        *("low_psnr", "high_psnr", "published_within", "images", "weights"),
        *("kind", "source"),
    ]
    frame = pd.DataFrame(rows, columns=columns)
    caption = captioned(
        config,
        "published scores beside those of official weights on the images at "
        "hand. Published numbers are of the complete test sets, often of other weights; "
        "Images says how many were scored here, the bootstrap interval how far their mean PSNR may "
        "lie from that of the complete set: with the same weights the published value should be inside.",
    )
    if any(frame["weights"].str.startswith(OTHERS)):
        caption += f" {OTHERS.capitalize()} were scored here as they are, and not made here."
    if frame.empty:
        caption += " Empty: this configuration runs no official weights."
    caption += infinite_note(scores[scores["weights"].isin(official["weights"])])
    view = [
        {
            "Data set": row["dataset"],
            "Method": row["method"],
            "Protocol": row["protocol"],
            "Published": scores_text(row["published_psnr"], row["published_ssim"]),
            "Reproduced": scores_text(row["reproduced_psnr"], row["reproduced_ssim"]),
            "Difference (dB)": number(row["difference_psnr"], 2),
            "95 % interval (dB)": interval_text(row["low_psnr"], row["high_psnr"]),
            "Published inside": {True: "yes", False: "no"}.get(row["published_within"], ""),
            "Images": number(row["images"]),
            "Weights": row["weights"],
            "Published in": f"{row['source']} ({row['kind']})",
        }
        for row in records(frame)
    ]
    return Table("comparison", caption, frame, pd.DataFrame(view))
