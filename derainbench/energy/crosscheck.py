"""Our operation counts beside those of other counters, every difference with its reason."""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from derainbench import models, provenance
from derainbench.energy.counters import COUNTERS, OtherCounter, Reading
from derainbench.energy.differences import Facts, Part, explain, facts, type_name
from derainbench.errors import BenchError
from derainbench.files import staged_folder, write_text
from derainbench.progress import Reporter

MODELS = ("esdnet", "esdnet-ann", "prenet", "nafnet")
SIZE = 256  # complexity is stated for one 256x256 image, as the literature does
SMALL = 32  # for counters that look at values: the network really computes
SEED = 0
SUMMARY, LAYERS = "crosscheck.csv", "crosscheck-layers.csv"

_COLUMNS = [
    *("model", "counter", "version", "size", "status"),
    *("macs", "macs_ours", "ratio", "difference", "unexplained"),
    *("parameters", "parameters_ours", "explanation"),
]
_LAYER_COLUMNS = [
    *("model", "counter", "layer", "type"),
    *("macs_ours", "macs", "difference", "unexplained"),
    *("parameters_ours", "parameters", "parameters_unseen", "reason"),
]


def compare(
    name: str,
    counter: OtherCounter,
    build: Callable[[], nn.Module],
    image: torch.Tensor,
    known: Facts,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One counter on one network.

    Args:
        name: the network, for the rows.
        counter: what to compare with.
        build: gives a fresh network in eval mode, on the image's device: counters leave marks.
        image: [1,3,H,W], a meta tensor unless the counter needs values.
        known: of the same network and image.

    Returns:
        The row of ``crosscheck.csv`` and those of ``crosscheck-layers.csv``.
    """
    row = {
        "model": name,
        "counter": counter.name,
        "version": _version(counter.package),
        "size": "x".join(map(str, image.shape[2:])),
        "status": "ok",
        "macs": None,
        "macs_ours": sum(known.macs.values()),
        "parameters_ours": sum(known.parameters.values()),
    }
    try:
        with torch.no_grad():
            reading = counter.read(build(), image)
    except Exception as error:  # whatever a foreign counter fails with is its result
        row["status"] = f"cannot run: {_first_line(error)}"
        return row, []
    layers, parts = _layer_rows(row, counter, reading, known)
    difference = reading.macs - row["macs_ours"]
    return row | {
        "macs": _plain(reading.macs),
        "ratio": float(f"{reading.macs / row['macs_ours']:.9g}") if row["macs_ours"] else None,
        "difference": _plain(difference),
        "unexplained": _plain(difference - sum(part.macs for part in parts)),
        "parameters": reading.parameters,
        "explanation": _summary(parts),
    }, layers


def _layer_rows(
    row: dict[str, Any], counter: OtherCounter, reading: Reading, known: Facts
) -> tuple[list[dict[str, Any]], list[Part]]:
    macs = Counter({path: sum(counted.values()) for path, counted in reading.parts.items()})
    rows, all_parts = [], []
    for path, module in known.places.items():
        parts = explain(counter, reading, known, path)
        ours, own = known.macs.get(path, 0), known.parameters.get(path, 0)
        if not (parts or ours or own or macs[path]):
            continue
        all_parts += parts
        seen = reading.seen.get(path, 0) if reading.seen is not None else None
        rows.append(
            {
                "model": row["model"],
                "counter": row["counter"],
                "layer": path,
                "type": type_name(type(module)),
                "macs_ours": ours,
                "macs": _plain(macs[path]),
                "difference": _plain(macs[path] - ours),
                "unexplained": _plain(macs[path] - ours - sum(part.macs for part in parts)),
                "parameters_ours": own,
                "parameters": seen,
                "parameters_unseen": None if seen is None else own - seen,
                "reason": "; ".join(part.reason for part in parts),
            }
        )
    return rows, all_parts


def _summary(parts: Sequence[Part]) -> str:
    """Parts of equal reason summed, the largest first."""
    groups: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        groups[part.reason].append(part)
    lines = []
    for reason, group in groups.items():
        macs, parameters = sum(p.macs for p in group), sum(p.parameters for p in group)
        amounts = [f"{_plain(macs):+,} MACs"] if macs else []
        amounts += [f"{parameters:+,} parameters"] if parameters else []
        text = f"{', '.join(amounts)}: {reason} ({len(group)} modules)"
        lines.append((-abs(macs), -abs(parameters), text))
    return "; ".join(text for *_, text in sorted(lines))


def _plain(number: float) -> int | float:
    """A whole number as such; half a FLOP of a counter that counts FLOPs stays a half."""
    return int(number) if number == int(number) else number


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _first_line(error: Exception) -> str:
    # The path in brackets that ends an ImportError differs from machine to machine.
    text = (str(error).splitlines() or [""])[0].partition(" (/")[0]
    return f"{type(error).__name__}: {text}"


def _sides(model: str, size: int) -> tuple[int, int]:
    """The side that complexity is stated at, and that at which values are computed."""
    card = models.card(model)
    if card.fixed_size:
        return card.fixed_size, card.fixed_size
    if size % card.size_multiple:
        raise BenchError(
            f"model '{card.name}' takes sides that are multiples of {card.size_multiple}, "
            f"not {size}"
        )
    return size, min(size, -(-SMALL // card.size_multiple) * card.size_multiple)


def _builder(model: str, device: str) -> Callable[[], nn.Module]:
    torch.manual_seed(SEED)
    with torch.device(device):
        template = models.build(model).eval()
    return lambda: copy.deepcopy(template)


def _image(side: int, device: str) -> torch.Tensor:
    if device == "meta":
        return torch.empty(1, 3, side, side, device=device)
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(SEED))


def crosscheck(
    names: Sequence[str] = MODELS,
    size: int = SIZE,
    counters: Sequence[OtherCounter] = COUNTERS,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every counter on every model, at full size with freshly drawn weights.

    Args:
        names: of models; see :func:`derainbench.models.card`.
        size: image side, pixels. Counters that look at values get a side of 32, or the next that
            the model takes.
        counters: what to compare with.

    Returns:
        The tables of ``crosscheck.csv`` and ``crosscheck-layers.csv``.

    Raises:
        BenchError: for an unknown model, or a size that it does not take.
    """
    plans = [(models.card(name).name, *_sides(name, size)) for name in names]
    rows, layers = [], []
    with Reporter("cross-check", len(plans) * len(counters)) as reporter:
        for name, side, small in plans:

            @cache
            def known_at(device: str, side: int, name: str = name) -> tuple[Any, ...]:
                build, image = _builder(name, device), _image(side, device)
                return build, image, facts(build, image)

            for counter in counters:
                where = ("cpu", small) if counter.needs_values else ("meta", side)
                row, its_layers = compare(name, counter, *known_at(*where))
                rows.append(row)
                layers += its_layers
                reporter.advance(f"{name}, {counter.name}")
    # Objects: whole numbers stay whole beside empty cells.
    return (
        pd.DataFrame(rows, columns=_COLUMNS, dtype=object),
        pd.DataFrame(layers, columns=_LAYER_COLUMNS, dtype=object),
    )


def write(out: Path, names: Sequence[str] = MODELS, size: int = SIZE) -> pd.DataFrame:
    """Cross-checks models and writes ``crosscheck.csv`` and ``crosscheck-layers.csv``, all or
    nothing; gives the former.

    Raises:
        BenchError: as :func:`crosscheck`, or if ``out`` cannot be written to.
    """
    table, layers = crosscheck(names, size)
    with staged_folder(out) as stage:
        write_text(stage / LAYERS, layers.to_csv(index=False))
        write_text(stage / SUMMARY, table.to_csv(index=False))
        provenance.write_record(
            stage / SUMMARY, settings={"models": list(names), "size": size}, seed=SEED, device="cpu"
        )
    return table


def markdown(table: pd.DataFrame) -> str:
    """The summary as a short Markdown table."""
    shown = pd.DataFrame(
        {
            "model": table["model"],
            "counter": table["counter"],
            "size": table["size"],
            "GMACs": [_number(v, 1e9, 4) for v in table["macs"]],
            "ours": [_number(v, 1e9, 4) for v in table["macs_ours"]],
            "ratio": [_number(v, 1, 6) for v in table["ratio"]],
            "unexplained": [_share(r) for _, r in table.iterrows()],
            "parameters": [_number(v, 1, 0) for v in table["parameters"]],
            "status": table["status"],
        }
    )
    return shown.to_markdown(index=False, disable_numparse=True)


def _number(value: float | None, unit: float, digits: int) -> str:
    return "" if value is None or pd.isna(value) else f"{value / unit:,.{digits}f}"


def _share(row: pd.Series) -> str:
    """The unexplained part, as a share of our count."""
    if row["unexplained"] is None or pd.isna(row["unexplained"]):
        return ""
    return f"{row['unexplained'] / row['macs_ours']:.2%}" if row["unexplained"] else "none"
