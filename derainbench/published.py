"""Published numbers: one file per paper or per group of methods in the catalogue.

A cell that nobody has transcribed has no row; none is ever guessed.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import pandas as pd


def scores() -> pd.DataFrame:
    """PSNR and SSIM of ``catalog/published/``: method, dataset, protocol, psnr, ssim, kind, source.

    The protocol is "unknown" where the source does not say it.
    """
    return _tables("published").copy()


def points() -> pd.DataFrame:
    """Points of size against PSNR of ``catalog/published_points/``, for the Pareto figure.

    Columns: dataset, title, psnr, parameters, gmacs_256 (empty where nobody published it), kind,
    source; protocols are not known.
    """
    return _tables("published_points").copy()


@cache
def _tables(folder: str) -> pd.DataFrame:
    files = resources.files("derainbench.catalog").joinpath(folder).iterdir()
    tables = []
    for file in sorted(files, key=lambda f: f.name):
        if file.name.endswith(".csv"):
            with file.open(encoding="utf-8") as stream:
                tables.append(pd.read_csv(stream))
    return pd.concat(tables, ignore_index=True)
