"""Checking an existing data set before anything is trained or scored on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from derainbench import provenance
from derainbench.data.images import read_rgb
from derainbench.data.pairs import read_split
from derainbench.files import write_json
from derainbench.progress import Reporter

SPLITS = ("train", "val", "test")


def check_set(folder: Path, out: Path | None = None) -> dict[str, Any]:
    """Reads every image of every split (or of ``folder`` itself, if it is a split).

    Args:
        folder: set or split folder.
        out: JSON file for the findings, if wanted.

    Returns:
        Per split: number of images, whether there is ground truth, digest.

    Raises:
        BenchError: for the first image that is missing, damaged, unpaired or of unequal size.
    """
    folders = [folder / s for s in SPLITS if (folder / s).is_dir()] or [folder]
    splits = {}
    for split_folder in folders:
        split = read_split(split_folder, need_target=False)
        with Reporter(f"check {split_folder.name}", len(split.pairs)) as reporter:
            for pair in split.pairs:
                for file in filter(None, (pair.input, pair.target)):
                    read_rgb(file)
                reporter.advance()
        splits[split_folder.name] = {
            "images": len(split.pairs),
            "paired": split.paired,
            "digest": split.digest,
        }
    facts = {"kind": "folder", "splits": splits}
    if out:
        write_json(out, facts)
        provenance.write_record(out, inputs={s: f["digest"] for s, f in splits.items()})
    return facts
