"""The data sets that are known: where they come from and how a true copy is recognised.

One file per set in ``catalog/datasets/``; adding a set is adding a file.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from derainbench.errors import BenchError
from derainbench.settings import check
from derainbench.suggest import did_you_mean

_FOLDER = resources.files("derainbench.catalog")
SPLITS = ("train", "val", "test")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpMirror(_Strict):
    """A file that a plain download brings."""

    kind: Literal["http"]
    url: str
    sha256: str | None = None
    holds: tuple[Literal["train", "val", "test"], ...] = ()
    note: str = ""


class DriveFile(_Strict):
    """A file on Google Drive."""

    kind: Literal["gdrive-file"]
    id: str
    name: str = Field(description="file name, with the extension that says how to unpack it")
    sha256: str | None = None
    holds: tuple[Literal["train", "val", "test"], ...] = ()
    note: str = ""

    @property
    def url(self) -> str:
        """Address, as a person would open it."""
        return f"https://drive.google.com/file/d/{self.id}/view"


class DriveFolder(_Strict):
    """A folder on Google Drive, with archives or images."""

    kind: Literal["gdrive-folder"]
    id: str
    note: str = ""

    @property
    def url(self) -> str:
        """Address, as a person would open it."""
        return f"https://drive.google.com/drive/folders/{self.id}"


class ManualMirror(_Strict):
    """A place that only a person can download from."""

    kind: Literal["manual"]
    url: str
    password: str | None = None
    note: str = ""


Mirror = Annotated[HttpMirror | DriveFile | DriveFolder | ManualMirror, Field(discriminator="kind")]


class RainyScore(_Strict):
    """What the rainy images score against the clean ones, over the whole split."""

    protocol: Literal["esdnet", "matlab-uint8", "matlab-double", "rgb"]
    psnr: float = Field(description="dB")
    ssim: float
    psnr_tolerance: float = 0.02
    ssim_tolerance: float = 0.002


class SplitFacts(_Strict):
    """What a complete split holds.

    Attributes:
        images: number of pairs, or of images without ground truth.
        sizes: the [height, width] that occur; empty where nobody has recorded them.
        digests: file in ``catalog/digests/`` with SHA-256 of the decoded RGB pixels.
        rainy: score of the rainy images.
        rain_model: what O - B must be like: additive (O >= B everywhere) or achromatic-additive
            (and equal in all channels where nothing is clipped); none where nothing is promised.
    """

    images: int | None = Field(None, ge=1)
    sizes: tuple[tuple[int, int], ...] = ()
    digests: str | None = None
    rainy: RainyScore | None = None
    rain_model: Literal["additive", "achromatic-additive"] | None = None


class Naming(_Strict):
    """File stems of an image's rainy and clean side; ``{n}`` is its number."""

    input: str
    target: str


class Overlap(_Strict):
    """Images that a split shares with another set."""

    split: Literal["train", "val", "test"]
    with_: str = Field(alias="with", description="SET/SPLIT")
    what: str


class DatasetEntry(_Strict):
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
    splits: dict[Literal["train", "val", "test"], SplitFacts]
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
def entries() -> dict[str, DatasetEntry]:
    """Every set of the catalogue by name, in alphabetical order.

    Raises:
        BenchError: for a catalogue file that is not as described.
    """
    found = {}
    for file in sorted((_FOLDER / "datasets").iterdir(), key=lambda f: f.name):
        if file.name.endswith(".yaml"):
            entry = check(DatasetEntry, yaml.safe_load(file.read_text("utf-8")), file.name)
            found[entry.name] = entry
    return found


def entry(name: str) -> DatasetEntry:
    """A set by name; case, ``-`` and ``_`` do not matter.

    Raises:
        BenchError: for an unknown name.
    """
    for known, facts in entries().items():
        if _plain(known) == _plain(name):
            return facts
    raise BenchError(f"unknown data set '{name}'{did_you_mean(name, entries())}")


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


@cache
def known_digests(file: str) -> dict[tuple[str, str], str]:
    """(part, file stem) -> SHA-256 of the decoded RGB pixels; part is "input" or "target"."""
    text = (_FOLDER / "digests" / file).read_text("utf-8")
    return {
        (row["part"], row["file"].rsplit(".", 1)[0]): row["sha256_rgb_pixels"]
        for row in csv.DictReader(text.splitlines())
    }
