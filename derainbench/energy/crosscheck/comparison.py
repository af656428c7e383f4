"""Our operation counts beside those of other counters, every difference with its reason."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, MutableMapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import nn

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.papers import paper_names, read_paper
from derainbench.energy.crosscheck.differences import (
    NetworkFacts,
    Reason,
    explain_difference,
    network_facts,
    type_name,
)
from derainbench.energy.crosscheck.other_counters import COUNTERS
from derainbench.energy.crosscheck.reading import OtherCounter, Reading
from derainbench.energy.crosscheck.sizes import count_at_sizes
from derainbench.energy.crosscheck.subjects import SEED, builder, input_image, version
from derainbench.energy.known_shapes import known_shapes_for
from derainbench.foundation import provenance
from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_text
from derainbench.foundation.outputs import staged_folder
from derainbench.foundation.progress import Reporter

SIZE = 256  # complexity is stated for one 256x256 image, as the literature does
SMALL = 32  # for counters that look at values: the network really computes
SUMMARY, LAYERS, SIZES = "crosscheck.csv", "crosscheck-layers.csv", "crosscheck-sizes.csv"

COLUMNS = [
    *("model", "counter", "version", "size", "status"),
    *("macs", "macs_ours", "ratio", "difference", "unexplained"),
    *("parameters", "parameters_ours", "explanation"),
]
LAYER_COLUMNS = [
    *("model", "counter", "layer", "type"),
    *("macs_ours", "macs", "difference", "unexplained"),
    *("parameters_ours", "parameters", "parameters_unseen", "reason"),
]


def compare(
    name: str,
    counter: OtherCounter,
    build: Callable[[], nn.Module],
    image: torch.Tensor,
    facts: NetworkFacts,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One counter on one network.

    Args:
        name: the network, for the rows.
        counter: what to compare with.
        build: gives a fresh network in eval mode, on the image's device: counters leave marks.
        image: [1,3,H,W], a meta tensor unless the counter needs values.
        facts: of the same network and image.

    Returns:
        The row of ``crosscheck.csv`` and those of ``crosscheck-layers.csv``.
    """
    macs_ours = sum(facts.macs.values())
    row: dict[str, Any] = {
        "model": name,
        "counter": counter.name,
        "version": version(counter.package),
        "size": "x".join(map(str, image.shape[2:])),
        "status": "ok",
        "macs": None,
        "macs_ours": macs_ours,
        "parameters_ours": sum(facts.parameters.values()),
    }
    try:
        with torch.no_grad(), known_shapes_for(image):
            reading = counter.read(build(), image)
    except Exception as error:  # whatever a foreign counter fails with is its result
        row["status"] = f"cannot run: {_first_line(error)}"
        return row, []
    layers, reasons = _layer_rows(row, counter, reading, facts)
    difference = reading.macs - macs_ours
    return row | {
        "macs": _plain(reading.macs),
        "ratio": float(f"{reading.macs / macs_ours:.9g}") if macs_ours else None,
        "difference": _plain(difference),
        "unexplained": _plain(difference - sum(reason.macs for reason in reasons)),
        "parameters": reading.parameters,
        "explanation": _explanation(reasons),
    }, layers


def _layer_rows(
    row: dict[str, Any], counter: OtherCounter, reading: Reading, facts: NetworkFacts
) -> tuple[list[dict[str, Any]], list[Reason]]:
    macs = Counter({path: sum(counted.values()) for path, counted in reading.parts.items()})
    rows, all_reasons = [], []
    for path, module in facts.places.items():
        reasons = explain_difference(counter, reading, facts, path)
        our_macs, parameters = facts.macs.get(path, 0), facts.parameters.get(path, 0)
        if not (reasons or our_macs or parameters or macs[path]):
            continue
        all_reasons += reasons
        seen = reading.seen.get(path, 0) if reading.seen is not None else None
        rows.append(
            {
                "model": row["model"],
                "counter": row["counter"],
                "layer": path,
                "type": type_name(type(module)),
                "macs_ours": our_macs,
                "macs": _plain(macs[path]),
                "difference": _plain(macs[path] - our_macs),
                "unexplained": _plain(
                    macs[path] - our_macs - sum(reason.macs for reason in reasons)
                ),
                "parameters_ours": parameters,
                "parameters": seen,
                "parameters_unseen": None if seen is None else parameters - seen,
                "reason": "; ".join(reason.text for reason in reasons),
            }
        )
    return rows, all_reasons


def _explanation(reasons: Sequence[Reason]) -> str:
    """Equal reasons summed, the largest first."""
    groups: dict[str, list[Reason]] = defaultdict(list)
    for reason in reasons:
        groups[reason.text].append(reason)
    lines = []
    for text, group in groups.items():
        macs, parameters = sum(r.macs for r in group), sum(r.parameters for r in group)
        amounts = [f"{_plain(macs):+,} MACs"] if macs else []
        amounts += [f"{parameters:+,} parameters"] if parameters else []
        line = f"{', '.join(amounts)}: {text} ({len(group)} modules)"
        lines.append((-abs(macs), -abs(parameters), line))
    return "; ".join(line for *_, line in sorted(lines))


def _plain(number: float) -> int | float:
    """A whole number as such; half a FLOP of a counter that counts FLOPs stays a half."""
    return int(number) if number == int(number) else number


def _first_line(error: Exception) -> str:
    # The path in brackets that ends an ImportError differs from machine to machine.
    text = (str(error).splitlines() or [""])[0].partition(" (/")[0]
    return f"{type(error).__name__}: {text}"


def default_models() -> list[str]:
    """The papers' networks and their ANN counterparts."""
    papers = map(read_paper, paper_names())
    return [name for paper in papers for name in (paper.network, paper.counterpart) if name]


def _sides(model: str, size: int) -> tuple[int, int]:
    """The side that complexity is stated at, and that at which values are computed."""
    card = model_card(model)
    if card.network.fixed_size:
        return card.network.fixed_size, card.network.fixed_size
    if size % card.network.size_multiple:
        raise BenchError(
            f"model '{card.name}' takes sides that are multiples of {card.network.size_multiple}, "
            f"not {size}"
        )
    return size, min(size, -(-SMALL // card.network.size_multiple) * card.network.size_multiple)


def crosscheck(
    names: Sequence[str],
    size: int = SIZE,
    counters: Sequence[OtherCounter] = COUNTERS,
    notes: MutableMapping[tuple[str, str, int], Reading | None] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every counter on every model, at full size with freshly drawn weights.

    Args:
        names: of models; see :func:`~derainbench.catalog.model_cards.model_names`.
        size: image side, pixels. Counters that look at values get a side of 32, or the next that
            the model takes.
        counters: what to compare with.
        notes: filled with what the counters gave on meta tensors, for :func:`count_at_sizes`.

    Returns:
        The tables of ``crosscheck.csv`` and ``crosscheck-layers.csv``.

    Raises:
        BenchError: for an unknown model, or a size that it does not take.
    """
    plans = [(model_card(name).name, *_sides(name, size)) for name in names]
    rows, layers = [], []
    with Reporter("cross-check", len(plans) * len(counters)) as reporter:
        for name, side, small in plans:

            @cache
            def facts_at(device: str, side: int, name: str = name) -> tuple[Any, ...]:
                build, image = builder(name, device), input_image(side, device)
                return build, image, network_facts(build, image)

            for counter in counters:
                where = ("cpu", small) if counter.needs_values else ("meta", side)
                if notes is not None and not counter.needs_values:
                    counter = counter.noting(name, notes)
                row, its_layers = compare(name, counter, *facts_at(*where))
                rows.append(row)
                layers += its_layers
                reporter.advance(f"{name}, {counter.name}")
    # Objects: whole numbers stay whole beside empty cells.
    return (
        pd.DataFrame(rows, columns=COLUMNS, dtype=object),
        pd.DataFrame(layers, columns=LAYER_COLUMNS, dtype=object),
    )


def write_crosscheck(out: Path, names: Sequence[str], size: int = SIZE) -> pd.DataFrame:
    """Cross-checks models and writes ``crosscheck.csv``, ``crosscheck-layers.csv`` and
    ``crosscheck-sizes.csv`` (:func:`count_at_sizes`, spiking networks), all or nothing; gives the
    first.

    Raises:
        BenchError: as :func:`crosscheck`, or if ``out`` cannot be written to.
    """
    notes: dict[tuple[str, str, int], Reading | None] = {}
    table, layers = crosscheck(names, size, notes=notes)
    with staged_folder(out) as stage:
        write_text(stage / LAYERS, layers.to_csv(index=False))
        spiking = [name for name in names if model_card(name).spiking]
        write_text(stage / SIZES, count_at_sizes(spiking, known=notes).to_csv(index=False))
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
