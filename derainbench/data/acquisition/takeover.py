"""Laying images out as a set: unpacked, paired up, taken over."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from derainbench.data.acquisition import layouts
from derainbench.data.acquisition.archive_formats import has_archive_name, is_archive
from derainbench.data.acquisition.archives import unpack
from derainbench.data.acquisition.request import Wanted
from derainbench.data.images import EXTENSIONS, read_rgb, write_png
from derainbench.foundation.errors import BenchError
from derainbench.foundation.progress import Reporter


def unpacked_plan(
    wanted: Wanted,
    sources: Sequence[Path],
    stage: Path,
    splits: Sequence[str],
    assume: str | None,
) -> layouts.Plan:
    """Unpacks the archives among the sources and pairs everything up."""
    shutil.rmtree(stage / ".unpacked", ignore_errors=True)  # of another mirror
    roots: list[Path] = []
    room = int(wanted.entry.unpacked_gb * 1e9)
    for source in sources:
        inside = _files_below(source)
        # Only a file that was named is judged by what it holds: a folder may well have a .docx.
        archives = [
            f for f in inside if has_archive_name(f.name) or (f == source and is_archive(f))
        ]
        for archive in archives:
            # The archive's name may be all that says which split it holds.
            name = archive.name.split(".")[0]
            folder = stage / ".unpacked" / str(len(roots)) / name
            left = unpack(archive, folder, room)
            room -= sum(f.stat().st_size for f in _files_below(folder))
            if left:
                print(f"{archive.name}: {left} files that are no images left out", file=sys.stderr)
            roots.append(folder)
        if any(f.suffix.lower() in EXTENSIONS for f in inside):
            roots.append(source)
        elif not archives:
            raise BenchError(f"{source}: holds neither images nor archives")
    return layouts.plan(roots, wanted.entry, splits, assume)


def _files_below(source: Path) -> list[Path]:
    """All files below a folder (or the file itself), sorted, hidden ones apart."""
    if source.is_file():
        return [source]
    return [
        path
        for path in sorted(source.rglob("*"))
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(source).parts)
    ]


def take_over(plan: layouts.Plan, stage: Path) -> None:
    """Lays the planned images into ``stage/<split>/{input,target}``; what is left over goes."""
    with Reporter("arrange", len(plan.pairs)) as reporter:
        for pair in plan.pairs:
            folder = stage / pair.split
            if pair.double:
                _take_halves(pair, folder)
            else:
                _take(pair.input, folder / "input", pair.input_stem, stage)
                if pair.target:
                    _take(pair.target, folder / "target", pair.target_stem, stage)
            reporter.advance()
    shutil.rmtree(stage / ".unpacked", ignore_errors=True)


def _take(source: Path, folder: Path, stem: str, stage: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{stem}{source.suffix.lower()}"
    if source.is_relative_to(stage) and not source.is_symlink():
        source.rename(target)
    else:
        shutil.copyfile(source, target)


def _take_halves(pair: layouts.PlannedPair, folder: Path) -> None:
    image = read_rgb(pair.input)
    half = image.shape[1] // 2
    sides = (image[:, :half], image[:, half:])
    rainy, clean = sides if pair.double == "rainy-left" else sides[::-1]
    write_png(folder / "input" / f"{pair.input_stem}.png", rainy)
    write_png(folder / "target" / f"{pair.target_stem}.png", clean)


def refuse_wrong_counts(wanted: Wanted, plan: layouts.Plan) -> None:
    if wanted.accept:
        return
    for split in wanted.all_splits:
        count, expected = plan.count(split), wanted.entry.splits[split].images
        if count > (expected or count) or (not wanted.subset and count < (expected or 1)):
            raise BenchError(
                f"{wanted.entry.name}: found {count} images for {split} instead of {expected or 'some'}; "
                "see --dry-run; a part of the set is taken with --subset, another version with "
                "--accept-deviations"
            )


def fault_of(wanted: Wanted, found: dict[str, Any]) -> str | None:
    """Why a folder is not what it should be; None if it is."""
    failed = [c for c in found["checks"] if c["verdict"] == "fail"]
    if not failed:
        return None
    first = failed[0]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return (
        f"not the real thing: {first['split']}: {first['check']}: expected {first['expected']}, "
        f"found {first['found']}{more}"
    )
