"""The data sets that are known: where they come from and how a true copy is recognised.

One file per set in ``catalog/datasets/``; adding a set is adding a file.
"""

from __future__ import annotations

import csv
from typing import Annotated, Literal

from pydantic import Field, model_validator

from derainbench.catalog.files import CATALOG, matching, read_yaml
from derainbench.catalog.mirrors import Mirror
from derainbench.catalog.protocols import ProtocolName
from derainbench.foundation.documents import document_text
from derainbench.foundation.errors import BenchError
from derainbench.foundation.reads import cache
from derainbench.foundation.settings import Strict, check
from derainbench.foundation.suggestions import did_you_mean

CATALOG_FILES = ("datasets/*.yaml", "digests/*.csv")
SPLITS = ("train", "val", "test")


SplitName = Annotated[str, Field(pattern="^(train|val|test)$")]


class RainyScore(Strict):
    """What the rainy images score against the clean ones, over the whole split."""

    protocol: ProtocolName
    psnr: float = Field(description="dB")
    ssim: float
    psnr_tolerance: float = 0.02
    ssim_tolerance: float = 0.002


class SplitFacts(Strict):
    """What a complete split holds.

    Attributes:
        images: number of pairs, or of images without ground truth.
        sizes: the [height, width] that occur; empty where nobody has recorded them.
        usual_size: [height, width] of most images where not all sizes are recorded: what stand-ins
            for a rehearsal have; nothing is held to it.
        digests: file in ``catalog/digests/`` with SHA-256 of the decoded RGB pixels.
        rainy: score of the rainy images.
        rain_model: what O - B must be like: additive (O >= B everywhere) or achromatic-additive
            (and equal in all channels where nothing is clipped); none where nothing is promised.
    """

    images: int | None = Field(None, ge=1)
    sizes: tuple[tuple[int, int], ...] = ()
    usual_size: tuple[int, int] | None = None
    digests: str | None = None
    rainy: RainyScore | None = None
    rain_model: Literal["additive", "achromatic-additive"] | None = None


class Naming(Strict):
    """File stems of an image's rainy and clean side; ``{n}`` is its number."""

    input: str
    target: str


class Overlap(Strict):
    """Images that a split shares with another set."""

    split: Literal["train", "val", "test"]
    with_: str = Field(alias="with", description="SET/SPLIT")
    what: str


class DatasetEntry(Strict):
    """All that is known of a data set.

    Attributes:
        name: folder under the data root.
        kind: paired; real-rain (no ground truth); clean (photographs only); recomposited (real
            rain layers added to other clean photographs).
        double: "rainy-left" or "clean-left" where a file holds both sides next to each other.
        unpacked_gb: no true copy is larger when unpacked; a guard against zip bombs.
    """

    name: str
    title: str
    kind: Literal["paired", "real-rain", "clean", "recomposited"] = "paired"
    citation: str
    licence: str
    splits: dict[SplitName, SplitFacts]
    naming: Naming | None = None
    double: Literal["rainy-left", "clean-left"] | None = None
    unpacked_gb: float = Field(gt=0)
    mirrors: tuple[Mirror, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _recomposited_sets_are_made(self) -> DatasetEntry:
        if self.kind == "recomposited" and self.mirrors:
            raise ValueError("a recomposited set is made here: it has no mirrors")
        return self


@cache
def dataset_entries() -> dict[str, DatasetEntry]:
    """Every set of the catalogue by name, in alphabetical order.

    Raises:
        BenchError: for a catalogue file that is not as described.
    """
    found = {}
    for file in matching(CATALOG_FILES[0]):
        entry = check(DatasetEntry, read_yaml(file), file.name)
        found[entry.name] = entry
    return found


def dataset_entry(name: str) -> DatasetEntry:
    """A set by name; case, ``-`` and ``_`` do not matter.

    Raises:
        BenchError: for an unknown name.
    """
    for known, facts in dataset_entries().items():
        if _plain(known) == _plain(name):
            return facts
    raise BenchError(f"unknown data set '{name}'{did_you_mean(name, dataset_entries())}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


@cache
def known_digests(file: str) -> dict[tuple[str, str], str]:
    """(part, file stem) -> SHA-256 of the decoded RGB pixels; part is "input" or "target"."""
    text = document_text(CATALOG / "digests" / file)
    return {
        (row["part"], row["file"].rsplit(".", 1)[0]): row["sha256_rgb_pixels"]
        for row in csv.DictReader(text.splitlines())
    }
