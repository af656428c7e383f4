"""Tests of what the cells of a paper's tables claim of scores: one verdict per run and protocol.

Costs: :mod:`derainbench.audit.claim_tests.printed_costs`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.claim_tests.scores import NO_MEAN, called, every_protocol
from derainbench.audit.score_samples import published_images, score_samples
from derainbench.audit.standing import runs_standing_for
from derainbench.audit.verdict_rule import Sample, numbered, on_number
from derainbench.catalog.cells.format import PrintedCell
from derainbench.catalog.cells.metrics import UNSTATED
from derainbench.catalog.protocols import protocol_names
from derainbench.catalog.verdicts import Outcome
from derainbench.metrics.infinite import finite
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table
from derainbench.results.runs import RunVariant
from derainbench.statistics.effects import spread


def printed_cell(case: Case) -> PrintedCell:
    """The cell that a case is about.

    Raises:
        Missing: if the claim is of no cell.
    """
    if case.claim.cell is None:
        raise Missing("the claim is of no cell of a table")
    return case.claim.cell


def printed_score(case: Case) -> Iterator[Verdict]:
    """PSNR (dB) or SSIM of the method that the cell names.

    Where the paper states no protocol there is a verdict under every one of the benchmark.
    """
    cell = printed_cell(case)
    protocols = protocol_names() if cell.protocol == UNSTATED else (case.claim.protocol,)
    tested = False
    for dataset, entries in _tested(case, cell).items():
        ablations = any(entry.spec.ablation for entry in entries)
        scores = every_protocol(case, dataset, ablations=ablations)
        for entry in {e.run: e for e in entries}.values():
            of_run = scores[scores["run"] == entry.run]
            for protocol in protocols:
                tested = True
                under = of_run[of_run["protocol"] == protocol]
                yield _against_printed(case, entry, dataset, protocol, under)
    if not tested:
        raise Missing(_nothing(case, cell))


def _tested(case: Case, cell: PrintedCell) -> dict[str, list[RunVariant]]:
    """Runs that stand for the cell's method, by data set of the configuration that is the cell's."""
    names = [
        d for d in case.config.datasets if (case.config.catalogue_name(d) or d) == cell.dataset
    ]
    entries = runs_standing_for(case.config, case.paper, cell)
    found = {name: [e for e in entries if name in e.spec.test] for name in names}
    return {name: of_set for name, of_set in found.items() if of_set}


def _nothing(case: Case, cell: PrintedCell) -> str:
    return f"no run of {cell.method} as published is tested on {cell.dataset}"


def _against_printed(
    case: Case, entry: RunVariant, dataset: str, protocol: str, scores: pd.DataFrame
) -> Verdict:
    """The mean over seeds or images against the printed one, by the one rule for verdicts."""
    cell = printed_cell(case)
    reading = f"{called(entry)} ({entry.run}) on {dataset}, protocol {protocol}"
    reading += " (the paper states none)" if cell.protocol == UNSTATED else ""
    means = finite(scores).groupby("variant")[cell.metric].mean()
    over_seeds = spread(means.tolist())
    if not over_seeds.n:
        return case.verdict(Outcome.UNDECIDED, NO_MEAN, reading=reading)
    digits, unit = 4 if cell.metric == "ssim" else 2, f" {cell.unit}" if cell.unit else ""
    samples = score_samples(case.config, dataset, scores, cell.metric)
    ruling = on_number(
        samples,
        case.claim.number,
        case.claim.allowed,
        value=over_seeds.mean,
        show=f"{{:.{digits}f}}".format,
    )
    whole = published_images(case.config, dataset) or "a set of unknown size"
    weights = numbered(len(means), "seed") if entry.spec.train else entry.origin_on(dataset)
    return case.verdict(
        ruling.outcome,
        f"{over_seeds.mean:.{digits}f}{unit} in protocol {protocol} ({weights}; "
        f"{numbered(scores['image'].nunique(), 'image')} of {whole}); {ruling.reason}",
        reading=reading,
        measured=over_seeds.mean,
        low=over_seeds.low if entry.spec.train or not samples else samples[0].shown[0],
        high=over_seeds.high if entry.spec.train or not samples else samples[0].shown[1],
        more_seeds=ruling.more_seeds,
        evidence=("tables/quality.csv", "tables/equivalence.csv"),
    )


def no_reference(case: Case) -> Iterator[Verdict]:
    """NIQE, BRISQUE or PIQE of the images that the cell's method restored, over the photographs."""
    cell = printed_cell(case)
    tested = False
    for dataset, entries in _tested(case, cell).items():
        for entry in entries:
            file = layout_of(case.config).no_reference(entry.run, entry.variant, dataset)
            if not file.is_file():
                continue
            scores = read_table(file)
            values = scores.loc[scores["metric"] == cell.metric, "score"].dropna().tolist()
            if not values:
                continue
            tested = True
            sample = Sample.over("image", values)
            ruling = on_number([sample], case.claim.number, case.claim.allowed, value=sample.value)
            yield case.verdict(
                ruling.outcome,
                f"{sample.value:.2f}, mean over {len(values)} photographs (pyiqa): "
                f"{ruling.reason}; which implementation the paper used is not stated",
                reading=f"{called(entry)} ({entry.run}, {entry.variant}) on {dataset}",
                measured=sample.value,
                low=sample.shown[0],
                high=sample.shown[1],
                evidence=(str(file.relative_to(case.results)),),
            )
    if not tested:
        raise Missing(_nothing(case, cell))
