"""The verdict on every published mean score of a method that was scored here, to within a margin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from derainbench.audit.case import as_published
from derainbench.audit.method_comparisons import means_per_seed, score_cells
from derainbench.audit.score_samples import score_samples
from derainbench.audit.standing import runs_standing_for
from derainbench.audit.verdict_rule import Ruling, on_number
from derainbench.catalog import ledger, published
from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.claims import claim_of, read_judged_paper
from derainbench.catalog.cells.metrics import UNSTATED
from derainbench.catalog.papers import called
from derainbench.catalog.protocols import protocol_names
from derainbench.catalog.verdicts import Outcome
from derainbench.config.schema import Config
from derainbench.foundation.frames import records
from derainbench.metrics.infinite import finite
from derainbench.results.runs import run_variants
from derainbench.statistics.effects import spread
from derainbench.statistics.equivalence import equivalence

# Two PSNRs closer than this count as equal. Methods that follow each other at the top of the
# published tables lie about this far apart (Rain200H: 32.00, 32.10, 32.17 dB), so a wider margin
# would call them equal; a much narrower one would ask for more than a protocol that is not fully
# described can promise (rounding Y to 8 bits costs PReNet's family 0.05 to 0.07 dB on Rain100L).
MARGIN_DB = 0.1
NO_SCORE = Ruling(Outcome.UNDECIDED, "every image was restored perfectly: no mean")


@dataclass(frozen=True)
class PublishedScore:
    """A published mean PSNR, and of whose scores here it speaks.

    Attributes:
        column, names: the scores whose ``title`` or ``run`` is one of the names.
        margin: in dB, to within which scores agree with it.
        kind, source: where it is from.
    """

    dataset: str
    protocol: str
    psnr: float
    margin: float
    kind: str
    source: str
    column: str
    names: tuple[str, ...]


def against_published(scores: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Mean PSNR of every method against what was published of it, to within a margin.

    The verdict is that of :mod:`derainbench.audit.verdict_rule`. ``basis`` says what it generalises
    from: ``seeds`` of a run that was trained here; ``images`` where a part of the published test
    set was scored (as if drawn from an endless supply, so the interval is rather too wide); both;
    or ``all images``: official weights, or images of others, on the whole set, where nothing is
    left to chance and the difference alone decides.

    Scores of the ledgers are held against the paper's network after its training alone, under every
    protocol, because their sources state none, and to within their own tolerance.

    Returns:
        One row per published PSNR whose method, data set and protocol were scored here: basis,
        images, published and mean PSNR; ``n`` seeds, or images where nothing was trained, with
        ``difference``, ``low``, ``high`` and ``p`` of
        :class:`~derainbench.statistics.equivalence.Equivalence`; ``verdict`` and its ``reason``;
        and where the number is from.
    """
    cells = {(config.catalogue_name(d) or d, p): cell for d, p, cell in score_cells(scores)}
    rows = []
    for known in _published(config):
        cell = cells.get((known.dataset, known.protocol))
        if cell is None:
            continue
        for run, of_run in cell[cell[known.column].isin(known.names)].groupby("run", sort=False):
            dataset = str(of_run["dataset"].iloc[0])
            rows.append(
                {
                    "dataset": dataset,
                    "run": run,
                    "method": of_run["title"].iloc[0],
                    "weights": of_run["weights"].iloc[0],
                    "protocol": known.protocol,
                    "published_psnr": known.psnr,
                    **_agreement(config, dataset, of_run, known),
                    "margin_db": known.margin,
                    "kind": known.kind,
                    "source": known.source,
                }
            )
    columns = ["dataset", "run", "method", "weights", "protocol", "published_psnr", "basis"]
    columns += ["images", "psnr", "n", "difference", "low", "high", "p", "verdict", "reason"]
    columns += ["margin_db", "kind", "source"]
    return pd.DataFrame(rows, columns=columns)


def _published(config: Config) -> Iterator[PublishedScore]:
    """The published scores of all methods, then those that ledgers name."""
    for row in records(published.scores().dropna(subset="psnr")):
        names = (row["method"],)
        facts = {c: row[c] for c in ("dataset", "protocol", "psnr", "kind", "source")}
        yield PublishedScore(**facts, margin=MARGIN_DB, column="title", names=names)
    for paper in map(read_judged_paper, config.paper_names):
        yield from _printed(config, paper)
        full_size = {
            entry.run
            for entry in run_variants(config)
            if entry.spec.network == paper.network and as_published(config, entry.spec)
        }
        for claim in paper.ledger.all():
            if claim.test != "score" or claim.dataset is None:
                continue
            for protocol in protocol_names():
                yield PublishedScore(
                    dataset=claim.dataset,
                    protocol=protocol,
                    psnr=claim.number,
                    margin=claim.tolerance,
                    kind=f"protocol not stated; {ledger.KINDS[claim.kind]}",
                    source=claim.source,
                    column="run",
                    names=tuple(full_size),
                )


def _printed(config: Config, paper: AuditedPaper) -> Iterator[PublishedScore]:
    """The PSNRs that were transcribed from a paper's tables, ablations apart."""
    for cell in paper.transcribed:
        ablation = paper.artefacts[cell.table].kind == "ablation"
        if cell.metric != "psnr" or (ablation and cell.method != paper.method):
            continue
        claim = claim_of(cell)
        runs = tuple({entry.run for entry in runs_standing_for(config, paper, cell)})
        unstated = cell.protocol == UNSTATED
        for protocol in protocol_names() if unstated else (claim.protocol,):
            yield PublishedScore(
                dataset=cell.dataset,
                protocol=protocol,
                psnr=claim.number,
                margin=claim.tolerance,
                kind="protocol not stated; " * unstated + ledger.KINDS[claim.kind],
                source=f"{called(cell.table)}: {cell.source}",
                column="run",
                names=runs,
            )


def _agreement(
    config: Config, dataset: str, of_run: pd.DataFrame, known: PublishedScore
) -> dict[str, Any]:
    """Basis, images, mean PSNR, the tests' outcome and the verdict, of one run on one set."""
    samples = score_samples(config, dataset, of_run)
    seeds = means_per_seed(of_run, "psnr").tolist()
    values = seeds or finite(of_run)["psnr"].tolist()
    mean = spread(values).mean
    tested = asdict(equivalence(values, known.psnr, known.margin))
    if not samples:  # of all images, by weights that are given: nothing was drawn
        tested |= dict.fromkeys(("low", "high", "p"), np.nan)
    ruling = on_number(samples, known.psnr, known.margin, value=mean) if tested["n"] else NO_SCORE
    return {
        "basis": " and ".join(f"{sample.unit}s" for sample in samples) or "all images",
        "images": of_run["image"].nunique(),
        "psnr": mean,
        **{name: tested[name] for name in ("n", "difference", "low", "high", "p")},
        "verdict": str(ruling.outcome),
        "reason": ruling.reason,
    }
