"""Within how many dB two networks' qualities count as alike: ``catalog/margins.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from derainbench.catalog.files import read_yaml
from derainbench.foundation.settings import Strict, check

CATALOG_FILES = ("margins.yaml",)


class Margin(Strict):
    """A margin.

    Attributes:
        value: dB of PSNR.
        meaning: what it decides, in a sentence.
        source: where the number is from.
    """

    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    meaning: str
    source: str


class Margins(Strict):
    """The margins of the file.

    Attributes:
        equal_quality_margin_db: largest difference of two networks of equal quality.
        not_worse_margin_db: largest loss of an ANN that counts as not worse.
    """

    equal_quality_margin_db: Margin
    not_worse_margin_db: Margin


def margins() -> Margins:
    """The margins of ``catalog/margins.yaml``.

    Raises:
        BenchError: if one is missing, misspelt or not positive, in one line.
    """
    return check(Margins, read_yaml(CATALOG_FILES[0]), CATALOG_FILES[0])
