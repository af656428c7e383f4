"""Getting the parameter files of NIQE and BRISQUE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from derainbench.data.acquisition.download import MirrorError, Patience, download
from derainbench.evaluation.no_reference import pyiqa_cache
from derainbench.foundation.errors import BenchError
from derainbench.metrics.no_reference import METRICS

FILES = {metric.name: metric.file for metric in METRICS if metric.file}
STORES = ("hugging_face", "github")  # pyiqa's own, in its order


def addresses(file: str) -> list[str]:
    """Where pyiqa keeps a file."""
    from pyiqa.archs.arch_util import get_url_from_name  # takes seconds

    return [get_url_from_name(file, store) for store in STORES]


def fetch(names: Sequence[str], root: Path, patience: Patience | None = None) -> list[Path]:
    """Brings the files of some metrics into ``root``, from the first store that has them.

    Returns:
        Paths of the files, those that were there already among them.

    Raises:
        BenchError: naming the file, what was tried, and how a person supplies it.
    """
    found = []
    for name in names:
        target = Path(root) / FILES[name]
        if not target.is_file():
            _fetch_one(target, patience)
        found.append(target)
    return found


def _fetch_one(target: Path, patience: Patience | None) -> None:
    failures = []
    for url in addresses(target.name):
        try:
            download(url, target, patience=patience)
            return
        except MirrorError as error:
            failures.append(str(error))
    raise BenchError(
        f"{target}: not to be had; tried: {'; '.join(failures)}; by hand: put {target.name} (from "
        f"an installation where pyiqa ran once: {pyiqa_cache()}) into {target.parent}"
    )
