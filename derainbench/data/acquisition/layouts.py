"""Finding pairs in the folder layouts that data sets are handed around in.

A file's side (rainy or clean) comes from the names of its folders, else from its own name; its
split from its folders; its partner is the file of the same key on the other side. What is met:

- ``train/input/1.png`` with ``train/target/1.png``, and many other folder names
- ``rain/X2/norain-1x2.png`` with ``norain/norain-1.png``; ``rain-001.png`` with ``norain-001.png``
- ``1_in.png`` with ``1_GT.png``
- one file that holds both sides next to each other (DID-MDN)
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from derainbench.catalog.dataset_entries import DatasetEntry, Naming
from derainbench.data.images import EXTENSIONS
from derainbench.foundation.errors import BenchError

# Folder names, lower case, without anything but letters and digits.
_RAINY_FOLDERS = {"input", "inputs", "rain", "rainy", "rainimage", "rainyimage", "rainyimages"}
_RAINY_FOLDERS |= {"lq", "degraded"}
_CLEAN_FOLDERS = {"target", "targets", "norain", "gt", "groundtruth", "clean", "clear", "hq"}
_CLEAN_FOLDERS |= {"label", "labels", "groundtruths", "background"}
_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_SPLITS |= {"val": "val", "valid": "val", "validation": "val"}
_SCALE_FOLDER = "x2"  # JORDER's rain/X2/: the side stands one folder above
_RAINY_NAME = re.compile(
    r"^(?:rain|rainy|input)[_-]|[_-](?:in|input|rain|rainy|lq)$", re.IGNORECASE
)
_CLEAN_NAME = re.compile(
    r"^(?:norain|clean|gt|target)[_-]|[_-](?:gt|target|clean|norain|clear)$", re.IGNORECASE
)
_SCALE = re.compile(r"(?<=\d)x2$", re.IGNORECASE)
_Key = tuple[tuple[str, ...], str]  # the folder group of a file and the key of its image


@dataclass(frozen=True)
class PlannedPair:
    """One image to be taken over.

    Attributes:
        split: train, val or test.
        input_stem, target_stem: file names to give, without extension.
        input: rainy file.
        target: clean file; None where there is none, or where ``double``.
        double: "rainy-left" or "clean-left" where ``input`` holds both sides.
    """

    split: str
    input_stem: str
    target_stem: str
    input: Path
    target: Path | None
    double: str | None = None


@dataclass(frozen=True)
class Plan:
    """What a folder tree would become.

    Attributes:
        pairs: the images to take over.
        left: files that are images but have no place, with the reason.
    """

    pairs: tuple[PlannedPair, ...]
    left: tuple[tuple[Path, str], ...]

    def count(self, split: str) -> int:
        """Images of a split."""
        return sum(p.split == split for p in self.pairs)


@dataclass(frozen=True)
class _File:
    path: Path
    split: str | None
    side: str | None
    group: tuple[str, ...]
    key: str


def find_images(root: Path) -> list[Path]:
    """All image files below a folder (or the file itself), sorted, hidden ones apart.

    Raises:
        BenchError: if there is none, or a link leads out of the folder.
    """
    if not root.exists():
        raise BenchError(f"{root}: no such file or folder")
    found = []
    for path in [root] if root.is_file() else sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if any(p.startswith(".") or p == "__MACOSX" for p in parts) or not path.is_file():
            continue
        if path.suffix.lower() in EXTENSIONS:
            found.append(path)
    if not found:
        raise BenchError(f"{root}: holds no image ({', '.join(sorted(EXTENSIONS))})")
    return found


def plan(
    roots: Iterable[Path],
    entry: DatasetEntry,
    splits: Iterable[str] | None = None,
    assume: str | None = None,
) -> Plan:
    """Pairs up everything below some folders.

    Args:
        roots: folders or single files.
        entry: the catalogue's description of the set.
        splits: those wanted; default: all that the set has.
        assume: split of the files whose folders do not say which.

    Raises:
        BenchError: if nothing fits, or two files claim one place.
    """
    roots = list(roots)
    wanted = tuple(splits or entry.splits)
    if assume is None and len(entry.splits) == 1:
        assume = next(iter(entry.splits))
    left: list[tuple[Path, str]] = []
    by_split: dict[str, list[_File]] = {split: [] for split in wanted}
    for file in (_classify(path, root) for root in roots for path in find_images(root)):
        split = file.split or assume
        if split is None:
            left.append((file.path, "no folder name says which split it belongs to (--split)"))
        elif split not in by_split:
            reason = "is not wanted" if split in entry.splits else f"does not exist in {entry.name}"
            left.append((file.path, f"split {split} {reason}"))
        else:
            by_split[split].append(file)
    pairs: list[PlannedPair] = []
    for split, files in by_split.items():
        made, rest = _pair_up(split, files, entry)
        pairs += made
        left += rest
    if not pairs:
        places = ", ".join(map(str, roots))
        reason = f": {left[0][0].name}: {left[0][1]}" if left else ""
        raise BenchError(f"{places}: nothing fits {entry.name}{reason}")
    return Plan(tuple(pairs), tuple(left))


def _classify(path: Path, root: Path) -> _File:
    # The root's own name counts as well: people add `rain_data_test_Light/` or `test/`.
    inner = path.relative_to(root).parts[:-1] if root.is_dir() else ()
    split = side = None
    group = []
    for depth, folder in enumerate((root.resolve().name if root.is_dir() else "", *inner)):
        plain = re.sub(r"[^a-z0-9]", "", folder.lower())
        if plain in _RAINY_FOLDERS:
            side = "input"
        elif plain in _CLEAN_FOLDERS:
            side = "target"
        elif named := _split_of(folder):
            split = named
        elif depth and plain != _SCALE_FOLDER:
            group.append(folder)
    stem = _SCALE.sub("", path.stem)
    if side is None and _CLEAN_NAME.search(stem):
        side = "target"
    elif side is None and _RAINY_NAME.search(stem):
        side = "input"
    return _File(path, split, side, tuple(group), _bare(stem))


def _split_of(folder: str) -> str | None:
    """``rain_data_test_Heavy``, ``RainTrainH``, ``train2018new`` -> the split they name."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", folder)
    return next((_SPLITS[w.lower()] for w in words if w.lower() in _SPLITS), None)


def _bare(stem: str) -> str:
    """What two file names of one pair share: their number, or their name without its side."""
    bare = _RAINY_NAME.sub("", _CLEAN_NAME.sub("", stem)) or stem
    return str(int(bare)) if bare.isascii() and bare.isdigit() else bare


def _pair_up(
    split: str, files: list[_File], entry: DatasetEntry
) -> tuple[list[PlannedPair], list[tuple[Path, str]]]:
    sides: dict[str | None, dict[_Key, Path]] = {"input": {}, "target": {}, None: {}}
    for file in files:
        place = sides[file.side]
        key = (file.group, file.key)
        if key in place:
            raise BenchError(f"{file.path} and {place[key]} both stand for image '{file.key}'")
        place[key] = file.path
    left = []
    matched: list[tuple[_Key, Path, Path | None]]
    if entry.kind in ("real-rain", "clean"):
        other = "target" if entry.kind == "real-rain" else "input"
        left += [(path, f"{entry.name} has no {other} images") for path in sides[other].values()]
        mine = sides[None] | sides["input" if other == "target" else "target"]
        matched = [(key, path, None) for key, path in mine.items()]
    else:
        matched, left = _match(sides["input"], sides["target"])
        if entry.double and not matched:
            doubles = sides[None] | sides["input"]
            matched = [(key, path, None) for key, path in doubles.items()]
            left = [(path, "is the clean side alone") for path in sides["target"].values()]
        else:
            reason = "neither folder nor name says whether it is rainy or clean"
            left += [(path, reason) for path in sides[None].values()]
    groups = {group for (group, _), *_ in matched}
    pairs: dict[str, PlannedPair] = {}
    for (group, image), rainy, clean in matched:
        stems = _stems(image, group if len(groups) > 1 else (), entry.naming)
        double = entry.double if clean is None else None
        pair = PlannedPair(split, *stems, rainy, clean, double)
        if stems[0].lower() in pairs:
            first = pairs[stems[0].lower()].input
            raise BenchError(f"{first} and {rainy} would both become {split}/input/{stems[0]}")
        pairs[stems[0].lower()] = pair
    return sorted(pairs.values(), key=lambda p: p.input_stem), left


def _match(
    inputs: dict[_Key, Path], targets: dict[_Key, Path]
) -> tuple[list[tuple[_Key, Path, Path | None]], list[tuple[Path, str]]]:
    """Partners by folder group and key; by key alone where only one side is nested deeper."""
    matched: list[tuple[_Key, Path, Path | None]] = [
        (k, inputs[k], targets[k]) for k in inputs if k in targets
    ]
    lone_inputs = {k: p for k, p in inputs.items() if k not in targets}
    lone_targets = {k: p for k, p in targets.items() if k not in inputs}
    by_key: dict[str, list[_Key]] = defaultdict(list)
    for k in lone_targets:
        by_key[k[1]].append(k)
    left: list[tuple[Path, str]] = []
    used = set()
    times = Counter(k[1] for k in lone_inputs)
    for k, path in lone_inputs.items():
        candidates = by_key[k[1]]
        if len(candidates) == 1 and times[k[1]] == 1:
            matched.append((k, path, lone_targets[candidates[0]]))
            used.add(candidates[0])
        else:
            left.append((path, "has no clean partner"))
    left += [(p, "has no rainy partner") for k, p in lone_targets.items() if k not in used]
    return matched, left


def _stems(key: str, group: tuple[str, ...], naming: Naming | None) -> tuple[str, str]:
    if naming and key.isdigit() and not group:
        return naming.input.format(n=int(key)), naming.target.format(n=int(key))
    stem = "-".join((*group, key)).replace(" ", "_")
    return stem, stem
