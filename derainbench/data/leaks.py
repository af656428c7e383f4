"""Do test images show backgrounds that a training set shows too?

Backgrounds are the clean images, or the rainy ones where there is no ground truth. Two are the
same exactly if their pixels are, in any of the eight orientations; nearly, if their 256-bit
perceptual hashes differ in at most :data:`NEAR` bits. Crops of less than about 95 % of a
photograph are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from derainbench.data.pixels import HASH_SIDE, ORIENTATIONS
from derainbench.foundation import provenance
from derainbench.foundation.files import sha256, write_json, write_text
from derainbench.foundation.frames import read_csv
from derainbench.foundation.outputs import staged_folder
from derainbench.foundation.progress import Reporter

# Of 256 bits. Different photographs differ in 86 or more, copies that were re-encoded, resized,
# brightened, made noisy or cropped by 2 % at every side in 54 or fewer: docs/data.md.
NEAR = 64
_CHUNK_BYTES = 64 * 2**20
COLUMNS = [
    "train_set",
    "train_split",
    "train_image",
    "test_set",
    "test_split",
    "test_image",
    "kind",
    "bits",
    "orientation",
]


@dataclass(frozen=True)
class Measured:
    """A set whose images have been measured by ``data verify``.

    Attributes:
        name: for the tables.
        images: the rows of ``images.csv``.
        digest: SHA-256 of that file.
    """

    name: str
    images: pd.DataFrame
    digest: str

    def split(self, split: str) -> pd.DataFrame:
        """The rows of one split."""
        return self.images[self.images.split == split].reset_index(drop=True)


def read_measured(name: str, facts: Path) -> Measured:
    """The measurements that ``data verify --out FACTS`` left.

    Raises:
        BenchError: if there are none.
    """
    file = Path(facts) / "images.csv"
    make = f"make it with `derainbench data verify --out {facts}`"
    images = read_csv(file, make, f"missing; {make}", dtype={"image": str}, keep_default_na=False)
    return Measured(name, images, sha256(file))


def audit(sets: Mapping[str, Path], out: Path) -> dict[str, Any]:
    """Compares every training split with every other split.

    Writes ``leaks.csv`` (a row per pair of images), ``leaks.json`` (counts per pair of splits) and
    a provenance record.

    Args:
        sets: folder with ``images.csv`` for each set's name.
        out: folder to write to.

    Returns:
        The content of ``leaks.json``.
    """
    measured = [read_measured(name, facts) for name, facts in sets.items()]
    rows: list[pd.DataFrame] = []
    jobs = list(_comparisons(measured))
    counts: list[dict[str, Any]] = []
    with Reporter("compare backgrounds", len(jobs)) as reporter:
        for trained, train_split, tested, test_split in jobs:
            train, test = trained.split(train_split), tested.split(test_split)
            found = find_shared(train, test)
            place = {"train_set": trained.name, "train_split": train_split}
            place |= {"test_set": tested.name, "test_split": test_split}
            rows.append(found.assign(**place))
            counts.append(
                {
                    **place,
                    "train_images": len(train),
                    "test_images": len(test),
                    **_counts(found),
                }
            )
            reporter.advance()
    table = pd.concat(rows, ignore_index=True)[COLUMNS] if rows else pd.DataFrame(columns=COLUMNS)
    content = {"threshold_bits": NEAR, "hash_bits": HASH_SIDE**2, "comparisons": counts}
    with staged_folder(out) as stage:
        write_text(stage / "leaks.csv", table.to_csv(index=False))
        write_json(stage / "leaks.json", content)
        inputs = {m.name: m.digest for m in measured}
        provenance.write_record(stage / "leaks.json", inputs=inputs, settings={"near": NEAR})
    return content


def _comparisons(measured: list[Measured]) -> Iterator[tuple[Measured, str, Measured, str]]:
    for trained in measured:
        for tested in measured:
            for split in tested.images.split.unique():
                if len(trained.split("train")) and split != "train":
                    yield trained, "train", tested, split


def _counts(found: pd.DataFrame) -> dict[str, int]:
    """Test images with a counterpart; those with an exact one do not count as near ones."""
    exact = set(found.test_image[found.kind == "exact"])
    return {"exact": len(exact), "near": len(set(found.test_image) - exact)}


def find_shared(train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """All pairs of images with one background.

    Args:
        train, test: rows of ``images.csv`` with the columns image, background and hashes.

    Returns:
        Columns train_image, test_image, kind (exact or near), bits (0 to 256), orientation (how
        the training image lies relative to the test image; for exact ones as their hashes say).
    """
    train_bits = _bits(train, upright_only=False)  # [N, 8, words]
    test_bits = _bits(test, upright_only=True)[:, 0]  # [M, words]
    same = test.background.to_numpy()
    pairs = []
    step = max(1, _CHUNK_BYTES // max(1, train_bits.nbytes))
    for start in range(0, len(test), step):
        chunk = test_bits[start : start + step]
        # [chunk, N, 8] numbers of differing bits
        distance = np.bitwise_count(chunk[:, None, None] ^ train_bits[None]).sum(axis=-1)
        exact = same[start : start + step, None] == train.background.to_numpy()[None]
        near = distance.min(axis=2) <= NEAR
        for i, j in np.argwhere(exact | near):
            orientation = int(distance[i, j].argmin())
            pairs.append(
                {
                    "train_image": train.image[j],
                    "test_image": test.image[start + i],
                    "kind": "exact" if exact[i, j] else "near",
                    "bits": 0 if exact[i, j] else int(distance[i, j, orientation]),
                    "orientation": list(ORIENTATIONS)[orientation],
                }
            )
    columns = ["train_image", "test_image", "kind", "bits", "orientation"]
    return pd.DataFrame(pairs, columns=columns)


def _bits(images: pd.DataFrame, *, upright_only: bool) -> np.ndarray:
    """Hashes as uint64 [N, 1 or 8, 4]."""
    wanted = 1 if upright_only else len(ORIENTATIONS)
    raw = b"".join(bytes.fromhex("".join(hashes.split()[:wanted])) for hashes in images["hashes"])
    return np.frombuffer(raw, dtype=np.uint64).reshape(len(images), wanted, -1)
