"""How a table or figure was made: its provenance record, and the files that it was computed from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derainbench.config.schema import Config
from derainbench.foundation.errors import BenchError
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json
from derainbench.results.runs import run_variants


@dataclass(frozen=True)
class Origin:
    """How something on the page was made.

    Attributes:
        record: the provenance record; None if there is none, or if the page computed it itself.
        file: that the record belongs to.
        inputs: files that it was computed from.
    """

    record: dict[str, Any] | None
    file: Path | None
    inputs: tuple[Path, ...]


def origin(file: Path | None, inputs: Iterable[Path] = ()) -> Origin:
    """The origin of a result file, or with None that of something the page computes."""
    record = None
    if file is not None:
        try:
            record = read_json(file.with_name(f"{file.name}.provenance.json"))
        except BenchError:
            file = None
    return Origin(record, file, tuple(dict.fromkeys(inputs)))


def matching(config: Config, *patterns: str) -> list[Path]:
    """Result files by patterns relative to the results folder, those that are there."""
    return [f for p in patterns for f in sorted(Path(config.results).glob(p)) if f.is_file()]


def runs(config: Config) -> tuple[list[dict[str, Any]], list[Path]]:
    """Origin of every set of weights and every score file, and the records that are missing."""
    rows, absent = [], []
    for entry in run_variants(config):
        layout, run, variant = layout_of(config), entry.run, entry.variant
        files = [("weights", layout.weights(run, variant))] if entry.spec.train else []
        files += [(f"scores on {d}", layout.per_image(run, variant, d)) for d in entry.spec.test]
        for what, file in files:
            made = origin(file)
            if made.record is None:
                absent.append(file.with_name(f"{file.name}.provenance.json"))
            else:
                title = f"{entry.title} ({entry.variant}): {what}"
                rows.append({"title": title, "origin": made})
    return rows, absent
