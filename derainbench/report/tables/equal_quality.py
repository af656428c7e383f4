"""The headline: a spiking network's energy over that of the cheapest ANN that is its equal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from derainbench.audit.quality_energy import COMPARED, headline
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.catalog.margins import margins
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.report.tables.break_even import scenario_text
from derainbench.report.tables.qualities import psnr_heading, psnr_text
from derainbench.report.tables.table import Table, captioned, interval_text, number
from derainbench.results.scenarios import plain_rows


def equal_quality(config: Config) -> Table:
    """One row per spiking run and scenario under the default costs; every account in the CSV."""
    frame = headline(config)
    view = [_shown(config, row) for row in records(plain_rows(frame))]
    frame.insert(0, "configuration", config.name)
    caption = captioned(
        config,
        "energy of every spiking network over that of the cheapest ANN, trained on the same data, "
        f"that is its equal: {rule_text()} PSNR on the same images of the test set, protocol "
        f"{config.figures.protocol}; where a run has several seeds, of an image's mean over them, so "
        "that intervals speak of images, not of further trainings. Energy per image at the measured "
        "firing rate, mean over the images counted and seeds; its ratio with the lowest and highest "
        f"bound of any seed's interval. Costs {DEFAULT_COSTS}; nothing reused, no zero skipped; the "
        "CSV has every cost table and option. Scores are those of 32-bit networks under every cost "
        "table. On the frontier: no network here is as good for less energy. "
        f"{scenario_text()}",
    )
    if not view:
        caption += " Empty: this configuration runs no spiking network beside another one."
    return Table("equal_quality", caption, frame, pd.DataFrame(view))


def rule_text() -> str:
    """What makes an ANN the equal of a spiking network, in two sentences."""
    allowed = margins()
    worse, equal = allowed.not_worse_margin_db.value, allowed.equal_quality_margin_db.value
    return (
        "not worse, which takes that the 95 % interval of the paired difference (spiking network "
        f"less ANN) ends at {worse:g} dB or below, and no more than {equal:g} dB apart."
    )


def _shown(config: Config, row: dict[str, Any]) -> dict[str, str]:
    heading = psnr_heading(config)
    return {
        "Spiking network": row["title"],
        "Scenario": f"({row['scenario']})",
        heading: psnr_text(row["psnr"]),
        "Energy (mJ)": number(row["mj"], 2),
        "Cheapest equal ANN": row["baseline_title"] if is_compared(row) else row["answer"],
        f"{heading}, ANN": number(row["psnr_baseline"], 2),
        "Difference (dB)": _difference(row),
        "Energy (mJ), ANN": number(row["mj_baseline"], 2),
        "Energy, times the ANN’s": ratio_text(row),
        "On the frontier": "" if is_empty(row["frontier"]) else "yes" if row["frontier"] else "no",
    }


def is_compared(row: Mapping[str, Any]) -> bool:
    """Whether the row of a spiking run has an ANN that is its equal."""
    return bool(row["answer"] == COMPARED)


def _difference(row: Mapping[str, Any]) -> str:
    if is_empty(row["difference"]):
        return ""
    interval = interval_text(row["difference_low"], row["difference_high"])
    return f"{row['difference']:+.2f} {interval}".rstrip()


def ratio_text(row: Mapping[str, Any]) -> str:
    """``1.22 [1.21, 1.23]``, or nothing."""
    if is_empty(row["ratio"]):
        return ""
    return f"{row['ratio']:.2f} {interval_text(row['low'], row['high'])}".rstrip()


def headline_sentences(rows: pd.DataFrame) -> list[str]:
    """The answers of one spiking run under every scenario, those alike together.

    ``0.14 (a), 1.22 (b) times the energy of ANN (21.26 dB against 21.58 dB, rgb)``: no energy
    without both qualities; for the head of the page and a terminal.

    Args:
        rows: of :func:`~derainbench.audit.quality_energy.headline`, of one run, set and cost table.
    """
    sentences = []
    for _, alike in rows.groupby(["answer", "baseline"], sort=False, dropna=False):
        first = records(alike)[0]
        letters = ", ".join(f"({s})" for s in alike["scenario"])
        if not is_compared(first):
            sentences.append(f"{letters}: {first['answer']}")
            continue
        times = ", ".join(f"{row['ratio']:.2f} ({row['scenario']})" for row in records(alike))
        beaten = ", ".join(f"({row['scenario']})" for row in records(alike) if not row["frontier"])
        sentences.append(
            f"{times} times the energy of {first['baseline_title']} ({first['psnr']:.2f} dB against "
            f"{first['psnr_baseline']:.2f} dB, {first['protocol']})"
            + (f"; off the frontier under {beaten}" if beaten else "")
        )
    return sentences
