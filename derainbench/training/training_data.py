"""The pairs of a run: to train on, to select the best epoch by, and to monitor."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from derainbench.catalog.recipes import Recipe
from derainbench.data.crops import hold_out
from derainbench.data.pairs import Pair, dataset_digests, read_split
from derainbench.foundation.errors import BenchError


@dataclass(frozen=True)
class TrainingData:
    """Pairs to train on, pairs that choose the best epoch, and pairs that are only scored.

    Attributes:
        source: what ``select`` is: a split's name, or "held out of train".
        digests: of all files of a split together.
        file_digests: of every file.
    """

    train: list[Pair]
    select: list[Pair]
    source: str
    digests: dict[str, str]
    monitor: tuple[Pair, ...] = ()
    file_digests: dict[Path, str] = field(default_factory=dict)


def read_training_data(
    folder: Path, recipe: Recipe, dataset: Path | None = None, monitor: str | None = None
) -> TrainingData:
    """Reads ``folder/train``, what the recipe selects on, and the split to monitor, if any.

    Args:
        folder: set with its splits.
        recipe: says what to select on.
        dataset: ``dataset.json`` of the verified set.
        monitor: split that is scored too and decides nothing.

    Raises:
        BenchError: if a split is missing, unusable, or not the one that was verified; if the
            split to monitor is the one that is selected on.
    """
    if monitor == recipe.select_on:
        raise BenchError(
            f"split '{monitor}' cannot be monitored: the recipe selects on it (select_on)"
        )
    train = read_split(folder / "train")
    digests = dataset_digests(train, dataset)
    file_digests = dict(train.file_digests)
    monitored: tuple[Pair, ...] = ()
    if monitor:
        split = read_split(folder / monitor)
        monitored = split.pairs
        file_digests |= split.file_digests
        digests["monitored data"] = dataset_digests(split, dataset)["data"]
    if recipe.select_on == "val" and not (folder / "val").is_dir():
        kept, held_out = hold_out(train.pairs, recipe.val_fraction)
        source, select = "held out of train", held_out
    else:
        split = read_split(folder / recipe.select_on)
        digests["selection data"] = dataset_digests(split, dataset)["data"]
        file_digests |= split.file_digests
        kept, select, source = list(train.pairs), list(split.pairs), recipe.select_on
    return TrainingData(kept, select, source, digests, monitored, file_digests)
