"""Paired and unpaired image folders in the benchmark's layout.

A split is a folder with ``input/`` (rainy) and, where there is ground truth, ``target/`` (clean).
Files pair by equal name, by ``rain-NNN`` with ``norain-NNN``, or several rainy images with one clean
image: ``NNN_1``, ``NNN_2``, .. with ``NNN``, as in Rain1400 and Rain1200.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from derainbench.data.images import image_files, image_header
from derainbench.foundation.documents import read_json_file
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import combined_digest, sha256


@dataclass(frozen=True)
class Pair:
    """One image: rainy file and, where there is ground truth, its clean counterpart."""

    name: str
    input: Path
    target: Path | None

    @property
    def clean(self) -> Path:
        """The clean file, where there must be one.

        Raises:
            BenchError: without ground truth.
        """
        if self.target is None:
            raise BenchError(f"{self.input}: has no clean counterpart")
        return self.target


@dataclass(frozen=True)
class Split:
    """The images of one split, checked: every rainy file has its clean one, sizes agree."""

    folder: Path
    pairs: tuple[Pair, ...]

    @property
    def paired(self) -> bool:
        """Whether there is ground truth."""
        return self.pairs[0].target is not None

    @cached_property
    def file_digests(self) -> dict[Path, str]:
        """SHA-256 of every file."""
        files = {f for pair in self.pairs for f in (pair.input, pair.target) if f}
        return {file: sha256(file) for file in files}

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all files, for provenance."""
        return combined_digest(self.file_digests, self.folder)


def dataset_digests(split: Split, record: Path | None) -> dict[str, str]:
    """What a provenance record says of the images that were read.

    Args:
        split: the images.
        record: ``dataset.json`` of ``data verify``, if the set was verified.

    Returns:
        The split's digest and, where there is one, that of ``dataset.json``.

    Raises:
        BenchError: if the images changed since they were verified.
    """
    digests = {"data": split.digest}
    if record is None:
        return digests
    try:
        splits = read_json_file(Path(record), "verify the set again")["splits"]
    except (BenchError, OSError, KeyError, TypeError) as error:
        raise BenchError(f"{record}: not a dataset.json of `derainbench data verify`") from error
    verified = splits.get(split.folder.name, {}).get("digest")
    if verified != split.digest:
        raise BenchError(
            f"{split.folder}: not the images that were verified as {record}; run `derainbench data "
            "verify` again"
        )
    return digests | {"dataset.json": sha256(record)}


def pairing_key(stem: str) -> str:
    """What two file names of one pair share: ``rain-5`` and ``norain-5`` give ``5``."""
    match = re.fullmatch(r"(?:no)?rain-(\d+)", stem)
    return match.group(1) if match else stem


def read_split(folder: str | Path, *, need_target: bool = True) -> Split:
    """Lists and checks a split folder.

    Raises:
        BenchError: for a missing or empty folder, files without a partner, or unequal sizes.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise BenchError(f"{folder}: no such folder; expected a split with input/ and target/")
    if not (folder / "input").is_dir():
        raise BenchError(f"{folder}: has no input/ folder; a split holds input/ and target/")
    inputs = image_files(folder / "input")
    if not (folder / "target").is_dir():
        if need_target:
            raise BenchError(f"{folder}: has no target/ folder, so nothing to compare with")
        files_by_key(inputs)  # two files of one stem would be restored into one
        return Split(folder, tuple(Pair(p.name, p, None) for p in inputs))
    return Split(folder, match_pairs(inputs, image_files(folder / "target")))


def match_pairs(inputs: list[Path], targets: list[Path]) -> tuple[Pair, ...]:
    """Pairs two lists of files; see :func:`pair_up`.

    Raises:
        BenchError: naming the first file without a partner, or the first pair of unequal size or
            of unequal colour profiles.
    """
    pairs, lonely = pair_up(inputs, targets)
    if lonely:
        other = inputs[0].parent if lonely[0] in targets else targets[0].parent
        raise BenchError(
            f"{lonely[0]}: has no partner in {other} (same name, rain-NNN with norain-NNN, or "
            "NNN_1 with NNN)"
        )
    for pair in pairs:
        check_alike(pair.input, pair.clean)
    return tuple(pairs)


def check_alike(file: Path, other: Path) -> None:
    """Sees that two images can be compared pixel by pixel, from their headers.

    Raises:
        BenchError: if their sizes or colour profiles differ.
    """
    first, second = image_header(file), image_header(other)
    if first.size != second.size:
        raise BenchError(
            f"{file} is {first.size[0]}x{first.size[1]} but {other} is "
            f"{second.size[0]}x{second.size[1]}: a pair must have one size"
        )
    if first.profile != second.profile:
        raise BenchError(
            f"{file} has the colour profile '{first.profile}' but {other} "
            f"'{second.profile}': convert both to one"
        )


def pair_up(inputs: list[Path], targets: list[Path]) -> tuple[list[Pair], list[Path]]:
    """Pairs by :func:`pairing_key`, and the files without a partner.

    Raises:
        BenchError: naming two files that stand for one image.
    """
    by_key, inputs_by_key = files_by_key(targets), files_by_key(inputs)
    pairs, lonely, used = [], [], set()
    for key, file in inputs_by_key.items():
        whose = key if key in by_key else _numbered(key)
        if whose in by_key:
            pairs.append(Pair(file.name, file, by_key[whose]))
            used.add(whose)
        else:
            lonely.append(file)
    return pairs, lonely + [file for key, file in by_key.items() if key not in used]


def _numbered(key: str) -> str:
    """Whose rainy version ``901_14`` is: that of ``901``."""
    return re.sub(r"_\d+$", "", key)


def files_by_key(files: list[Path]) -> dict[str, Path]:
    """Files by :func:`pairing_key`.

    Raises:
        BenchError: naming two files that stand for one image.
    """
    stems = {file.stem: file for file in files}
    by_key: dict[str, Path] = {}
    for file in files:
        key = pairing_key(file.stem)
        if key in by_key:
            raise BenchError(f"{file} and {by_key[key].name} both stand for image '{key}'")
        copied = re.fullmatch(r"(.+?) ?\(\d+\)", file.stem)  # as browsers name a second download
        if copied and copied[1] in stems:
            raise BenchError(
                f"{file}: a second copy of {stems[copied[1]].name}? Remove one of them"
            )
        by_key[key] = file
    return by_key
