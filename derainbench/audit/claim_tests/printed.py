"""Tests of what the cells of a paper's tables claim of scores: one verdict per run and protocol.

Costs: :mod:`derainbench.audit.claim_tests.printed_costs`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from derainbench.audit.case import Case, Missing, Verdict
from derainbench.audit.claim_tests.scores import called, every_protocol, seeds_text
from derainbench.audit.standing import runs_standing_for
from derainbench.catalog.cells.format import PrintedCell
from derainbench.catalog.cells.metrics import UNSTATED
from derainbench.catalog.dataset_entries import dataset_entries
from derainbench.catalog.verdicts import Outcome
from derainbench.metrics.infinite import finite
from derainbench.metrics.protocols import PROTOCOL_NAMES
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table
from derainbench.results.runs import RunVariant
from derainbench.statistics.effects import spread
from derainbench.statistics.equivalence import DIFFERENT, EQUIVALENT, equivalence

# Two seeds have a scatter, but their interval is 13 standard errors wide at either side.
LEAST_SEEDS = 3


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
    protocols = PROTOCOL_NAMES if cell.protocol == UNSTATED else (case.claim.protocol,)
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
    """The mean over seeds or images against the printed one, by two one-sided tests."""
    cell, metric = printed_cell(case), printed_cell(case).metric
    images, known = scores["image"].nunique(), finite(scores) if metric == "psnr" else scores
    unit = f" {cell.unit}" if cell.unit else ""
    if entry.spec.train:
        values = known.groupby("variant")[metric].mean().tolist()
        outcome, found = _over(case, values, "seed")
        basis = seeds_text(len(values))
        if len(values) < LEAST_SEEDS:
            outcome, basis = Outcome.UNDECIDED, f"{basis} of the {LEAST_SEEDS} that a verdict takes"
    else:
        values = known[metric].tolist()
        whole = dataset_entries()[cell.dataset].splits["test"].images
        outcome, found = _over(case, values, "image")
        basis = f"{images} of {whole} images" if whole else f"{images} images"
        if images == whole and values:  # nothing is left to chance
            close = case.claim.within(spread(values).mean)
            outcome = Outcome.REPRODUCED if close else Outcome.DEVIATES
    weights = "trained here" if entry.spec.train else entry.origin_on(dataset)
    measured, low, high = found
    return case.verdict(
        outcome,
        f"{measured:.{4 if metric == 'ssim' else 2}f}{unit} in protocol {protocol} ({weights}; {basis}), "
        f"to within {case.claim.tolerance:g}{unit}",
        reading=f"{called(entry)} ({entry.run}) on {dataset}, protocol {protocol}"
        + (" (the paper states none)" if cell.protocol == UNSTATED else ""),
        measured=measured,
        low=low,
        high=high,
        evidence=("tables/quality.csv", "tables/equivalence.csv"),
    )


def _over(case: Case, values: list[float], unit: str) -> tuple[Outcome, tuple[float, float, float]]:
    """The word, and the mean with the interval that the two one-sided tests look at (90 %)."""
    printed = case.claim.number
    tested = equivalence(values, printed, case.claim.tolerance, unit=unit)
    words = {EQUIVALENT: Outcome.REPRODUCED, DIFFERENT: Outcome.DEVIATES}
    outcome = words.get(tested.verdict, Outcome.UNDECIDED)
    return outcome, (printed + tested.difference, printed + tested.low, printed + tested.high)


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
            outcome, (mean, low, high) = _over(case, values, "image")
            yield case.verdict(
                outcome,
                f"{mean:.2f}, mean over {len(values)} photographs (pyiqa), to within "
                f"{case.claim.tolerance:g}; which implementation the paper used is not stated",
                reading=f"{called(entry)} ({entry.run}, {entry.variant}) on {dataset}",
                measured=mean,
                low=low,
                high=high,
                evidence=(str(file.relative_to(case.results)),),
            )
    if not tested:
        raise Missing(_nothing(case, cell))
