"""What a configuration may say of data sets."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from derainbench.config.paths import PathText, number_as_text
from derainbench.foundation.seeds import MAX_SEED
from derainbench.foundation.settings import Strict


def _stays_text(name: str) -> str:
    """Names stand in tables, whose readers take some words for numbers or for nothing."""
    read_as_something_else = name.lower() in {"na", "n-a", "none", "null", "true", "false"}
    with suppress(ValueError):
        float(name)
        read_as_something_else = True
    if read_as_something_else:
        raise ValueError(f"'{name}' is read as a number or as empty in tables; add a word to it")
    return name


def _one_line(title: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in title):
        raise ValueError("has control characters, such as a line break")
    return title


Name = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"),
    AfterValidator(_stays_text),
    BeforeValidator(number_as_text),
]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED)]
Title = Annotated[str, AfterValidator(_one_line)]


class SyntheticSet(Strict):
    """A generated set: rain over bundled photographs."""

    kind: Literal["synthetic"]
    rain: Literal["light", "heavy"]
    size: int = Field(256, ge=32, le=300)  # the lowest photograph has 300 rows
    train: int = Field(24, ge=2)
    val: int = Field(4, ge=1)
    test: int = Field(6, ge=1)
    seed: Seed = 2024


class FolderSet(Strict):
    """An existing set: ``data_root/<path or name>/{train,val,test}/{input,target}``.

    Attributes:
        path: folder below the data root; default: the set's name.
        catalogue: the set of the catalogue that it must be; none: only readability is checked.
        subset: fewer images than the catalogue says are fine.
        paired: whether there is ground truth; without, images get no-reference scores.
    """

    kind: Literal["folder"]
    path: PathText | None = None
    catalogue: str | None = None
    subset: bool = False
    paired: bool = True


class CatalogueSet(Strict):
    """A set of the catalogue, fetched into ``data_root/<name in the catalogue>``.

    Attributes:
        name: in the catalogue; default: the set's name here.
        splits: those wanted; default: all.
    """

    kind: Literal["catalogue"]
    name: str | None = None
    splits: list[Literal["train", "val", "test"]] | None = None


class RecompositedSet(Strict):
    """The rain of one set's training pairs on the photographs of another."""

    kind: Literal["recomposited"]
    layers: Name
    clean: Name
    clean_splits: list[Literal["train", "val", "test"]] = Field(["train"], min_length=1)
    count: int | None = Field(None, ge=1)
    seed: Seed = 2024


class StandInSet(Strict):
    """Generated images in the layout, names and sizes of a set of the catalogue, to rehearse with.

    Attributes:
        name: in the catalogue.
        train, val, test: images of the splits that the set has.
    """

    kind: Literal["stand-in"]
    name: Name
    train: int = Field(3, ge=2)
    val: int = Field(1, ge=1)
    test: int = Field(1, ge=1)
    seed: Seed = 2024


AnySet = Annotated[
    SyntheticSet | FolderSet | CatalogueSet | RecompositedSet | StandInSet,
    Field(discriminator="kind"),
]
