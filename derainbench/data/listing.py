"""The catalogue and takeover plans as text for people."""

from __future__ import annotations

import os

import pandas as pd

from derainbench.catalog.dataset_entries import SPLITS, DatasetEntry, dataset_entries, dataset_entry
from derainbench.catalog.mirrors import ManualMirror
from derainbench.catalog.rain import presets
from derainbench.data.acquisition.layouts import Plan, PlannedPair

_SHOWN = 3  # pairs per split in a dry run


def overview() -> str:
    """One row per set, then the settings of the rain generator."""
    rows = [
        {
            "set": entry.name,
            "kind": entry.kind,
            **{s: _images(entry, s) for s in SPLITS},
            "automatic mirrors": sum(not isinstance(m, ManualMirror) for m in entry.mirrors),
            "by hand": sum(isinstance(m, ManualMirror) for m in entry.mirrors),
            "digests": ", ".join(s for s, f in entry.splits.items() if f.digests),
        }
        for entry in dataset_entries().values()
    ]
    table = pd.DataFrame(rows).to_markdown(index=False)
    rain = [
        f"{name}: synthetic rain after {settings.reference['dataset']}"
        for name, settings in presets().items()
    ]
    return "\n".join((table, "", "`data synthesise` generates:", *rain))


def _images(entry: DatasetEntry, split: str) -> str:
    if split not in entry.splits:
        return ""
    return str(entry.splits[split].images or "?")


def describe(name: str) -> str:
    """Everything that the catalogue says of a set."""
    entry = dataset_entry(name)
    lines = [f"{entry.name}: {entry.title}", f"cite: {entry.citation}", f"licence: {entry.licence}"]
    for split, facts in entry.splits.items():
        line = f"{split}: {facts.images or 'an unrecorded number of'} images"
        if facts.sizes:
            line += ", " + " or ".join(f"{h}x{w}" for h, w in facts.sizes)
        if facts.rainy:
            score = facts.rainy
            line += f", rainy input {score.psnr} dB / {score.ssim} ({score.protocol})"
        if facts.digests:
            line += ", pixel digests known"
        lines.append(line)
    for mirror in entry.mirrors:
        how = "by hand" if isinstance(mirror, ManualMirror) else "automatic"
        password = getattr(mirror, "password", None)
        line = f"from ({how}): {mirror.url}" + (f", password {password}" if password else "")
        lines.append(line + (f"; {mirror.note}" if mirror.note else ""))
    lines += [f"overlap: {o.split} with {o.with_}: {o.what}" for o in entry.overlaps]
    lines += [f"note: {note}" for note in entry.notes]
    lines += [f"source: {source}" for source in entry.sources]
    if any(isinstance(m, ManualMirror) for m in entry.mirrors):
        lines.append(f"after a download by hand: derainbench data add {entry.name} FILE_OR_FOLDER")
    return "\n".join(lines)


def describe_plan(plan: Plan, entry: DatasetEntry) -> str:
    """What taking over would do: counts, the first pairs of each split, and what is left out."""
    lines = []
    for split in dict.fromkeys(p.split for p in plan.pairs):
        pairs = [p for p in plan.pairs if p.split == split]
        expected = entry.splits[split].images or "an unrecorded number"
        lines.append(f"{split}: {len(pairs)} images (the set has {expected})")
        lines += [f"  {_line(pair)}" for pair in pairs[:_SHOWN]]
        lines += [f"  … {len(pairs) - _SHOWN} more"] if len(pairs) > _SHOWN else []
    if plan.left:
        lines.append(f"left out: {len(plan.left)} images")
        lines += [f"  {path}: {reason}" for path, reason in plan.left[:_SHOWN]]
        lines += [f"  … {len(plan.left) - _SHOWN} more"] if len(plan.left) > _SHOWN else []
    return "\n".join(lines)


def _line(pair: PlannedPair) -> str:
    places = [_short(pair.input)] + ([_short(pair.target)] if pair.target else [])
    if pair.double:
        places = [f"{_short(pair.input)} ({pair.double}, cut in two)"]
    return f"{pair.input_stem}: {' + '.join(places)}"


def _short(path: os.PathLike[str]) -> str:
    return os.sep.join(str(path).split(os.sep)[-4:])
