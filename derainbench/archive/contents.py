"""What of a folder of results goes into an archive: everything but images of data sets.

Their licences are their owners' to give. Charts go along, whatever their format; pictures that show
images, restored or not, and the arrays of a patch of one, stay behind. So does the page, which holds
copies of them: a replay writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from derainbench.catalog.papers import read_paper
from derainbench.config.schema import Config, load
from derainbench.data.images import EXTENSIONS
from derainbench.foundation.documents import read_json_file
from derainbench.foundation.errors import BenchError
from derainbench.foundation.reads import RESULTS_MARK

# Tables and figures of papers that show images of data sets.
PICTURES = frozenset({"restored", "photographs"})
# Below a folder of results, as fnmatch understands it: ``*`` goes over folders too.
_LEFT_OUT: tuple[str, ...] = (
    "made/*",
    "scores/*/images/*",
    "report/*",
    "figures/strip-*",
    "data/*/sheet.png",
)
_LEFT_OUT += ("leaks/leaks.png", "spikes/*/patch.npz", ".*", "*/.*")
# The only folders with pictures that are charts.
_CHARTS = ("figures/*", "papers/*", "data/*/card.*")
_PICTURE_KINDS = EXTENSIONS | {".npz", ".npy", ".pdf", ".svg", ".gif"}


def read_config(folder: Path) -> Config:
    """The configuration of a folder of results.

    Raises:
        BenchError: if it has none, so that it is no folder of results, or the file is damaged.
    """
    file = folder / RESULTS_MARK
    if not file.is_file():
        raise BenchError(
            f"{folder}: no {RESULTS_MARK} in it, so no folder of results; make them first"
        )
    return load(file)


def archived_files(folder: Path, config: Config) -> list[str]:
    """Paths inside a folder of results of all files that are archived, sorted.

    Args:
        folder: the results.
        config: their configuration, which names the papers.
    """
    pictures = tuple(
        f"papers/{name}/{artefact}.*"
        for name in config.paper_names
        for artefact, facts in read_paper(name).artefacts.items()
        if facts.kind in PICTURES
    )
    files = (f for f in sorted(folder.rglob("*")) if f.is_file() and not f.is_symlink())
    names = [file.relative_to(folder).as_posix() for file in files]
    return [name for name in names if _is_archived(name, pictures)]


def _is_archived(name: str, pictures: tuple[str, ...]) -> bool:
    if matches(name, _LEFT_OUT):
        return False
    if Path(name).suffix.lower() not in _PICTURE_KINDS:
        return True
    return matches(name, _CHARTS) and not matches(name, pictures)


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Whether a path inside a folder of results fits one of some patterns of fnmatch."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def record_of(file: Path) -> dict[str, Any]:
    """A provenance record.

    Raises:
        BenchError: if it is damaged.
    """
    content = read_json_file(file, "make the results anew")
    return content if isinstance(content, dict) else {}
