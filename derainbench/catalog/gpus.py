"""Graphics cards by their published peaks: ``catalog/gpus.yaml``."""

from __future__ import annotations

from pydantic import Field

from derainbench.catalog.files import read_yaml
from derainbench.foundation.reads import cache
from derainbench.foundation.settings import Strict, check

CATALOG_FILES = ("gpus.yaml",)


class Card(Strict):
    """A graphics card.

    Attributes:
        memory_gb: of one card.
        tflops: published peak of FP32 arithmetic, 10^12 operations per second.
        source: of both.
    """

    name: str
    memory_gb: float = Field(gt=0)
    tflops: float = Field(gt=0)
    source: str


class Cards(Strict):
    """All cards, and the share of their peak that convolutions are assumed to reach."""

    reached: float = Field(gt=0, le=1)
    cards: tuple[Card, ...]


@cache
def gpus() -> Cards:
    """The cards of the catalogue."""
    return check(Cards, read_yaml("gpus.yaml"), "gpus.yaml")
