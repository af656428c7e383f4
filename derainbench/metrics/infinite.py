"""Infinite PSNR, of images restored perfectly: named, counted, and left out of means."""

from __future__ import annotations

import numpy as np
import pandas as pd

NAMED = 3  # images named in a sentence; the rest is counted


def finite(scores: pd.DataFrame) -> pd.DataFrame:
    """The same scores with infinite ones empty, so that means leave them out."""
    scores = scores.copy()
    for column in scores.select_dtypes("number"):
        scores[column] = scores[column].where(np.isfinite(scores[column]))
    return scores


def infinite_images(scores: pd.DataFrame, column: str = "psnr") -> list[str]:
    """Names of the images, each once, whose score in a column is infinite."""
    return list(dict.fromkeys(scores.loc[np.isinf(scores[column].astype(float)), "image"]))


def infinite_note(scores: pd.DataFrame) -> str:
    """Which infinite PSNRs the means of a table leave out, to follow its caption; or nothing.

    Args:
        scores: columns ``title``, ``dataset``, ``image``, ``protocol`` and ``psnr``.
    """
    parts = []
    for (title, dataset), rows in scores.groupby(["title", "dataset"], sort=False):
        names = infinite_images(rows)
        if names:
            protocols = rows.loc[np.isinf(rows["psnr"]), "protocol"].drop_duplicates()
            every = not np.isfinite(rows["psnr"]).any()
            parts.append(
                f"{title} on {dataset}, {counted(names)}, {', '.join(protocols)}"
                + (": no other image, so no mean" if every else "")
            )
    if not parts:
        return ""
    return (
        " Left out of mean PSNR because it is infinite, the image being equal to the ground "
        f"truth: {'; '.join(parts)}."
    )


def counted(names: list[str]) -> str:
    """``2 images (a.png, b.png)``; of many the first are named."""
    more = ", …" if len(names) > NAMED else ""
    return f"{len(names)} image{'s' * (len(names) > 1)} ({', '.join(names[:NAMED])}{more})"
