"""The headline of the page: energy at equal quality, both qualities beside it."""

from __future__ import annotations

from typing import Any

from derainbench.audit.quality_energy import headline
from derainbench.catalog.costs import DEFAULT_COSTS
from derainbench.config.schema import Config
from derainbench.report.tables.equal_quality import headline_sentences, rule_text
from derainbench.report.tables.qualities import psnr_text


def headlines(config: Config) -> dict[str, Any]:
    """What every spiking run takes of the energy of the cheapest ANN that is its equal.

    Returns:
        ``rule``, what an equal is; ``costs``, the cost table; ``runs``: each with ``title``,
        ``about`` (its PSNR, protocol and set) and ``sentences``.

    Raises:
        BenchError: if ``scenarios/*.csv`` is missing.
    """
    rows = headline(config, plain=True)
    runs = [
        {
            "title": of_run["title"].iloc[0],
            "about": f"{psnr_text(of_run['psnr'].iloc[0])} dB, {of_run['protocol'].iloc[0]}, "
            f"{dataset} test",
            "sentences": headline_sentences(of_run),
        }
        for (_, dataset), of_run in rows.groupby(["run", "dataset"], sort=False)
    ]
    return {"rule": rule_text(), "costs": DEFAULT_COSTS, "runs": runs}
