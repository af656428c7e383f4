"""Which runs stand for a published method, and which networks."""

from __future__ import annotations

from derainbench.audit.case import as_published
from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.format import PrintedCell, variant_parts
from derainbench.catalog.model_cards import all_cards, model_card
from derainbench.config.schema import Config
from derainbench.results.runs import RunVariant, run_variants


def runs_standing_for(config: Config, paper: AuditedPaper, cell: PrintedCell) -> list[RunVariant]:
    """The runs that a printed cell speaks of, one per set of weights.

    Those of the network as published, after its own training: of another method if the run bears
    its name as well. Of a cell of ablations those that change that part, and nothing else, of such a
    network; a cell without a label speaks of a part that one run alone changes.

    Raises:
        BenchError: if a run sets arguments and the structure has not been counted.
    """
    if cell.method == paper.method or paper.artefacts[cell.table].kind != "ablation":
        entries = [e for e in run_variants(config) if _bears(e, paper, cell.method)]
        others = cell.method != paper.method  # whose released weights say what arguments they take
        return [e for e in entries if (others and not e.spec.train) or as_published(config, e.spec)]
    part, label = variant_parts(cell.method)
    changed = [
        entry
        for entry in run_variants(config, ablations=True)
        if entry.spec.network == paper.network
        and entry.spec.ablation
        and entry.spec.ablation.part == part
        and as_published(config, config.runs[entry.spec.ablation.of])
        and entry.spec.train
        and not entry.spec.train.set
    ]
    if label:
        return [entry for entry in changed if entry.title == label]
    return changed if len({entry.run for entry in changed}) == 1 else []


def _bears(entry: RunVariant, paper: AuditedPaper, method: str) -> bool:
    """Whether a run is of a method's network, and of another paper's network by name too."""
    if not entry.spec.network:
        return False
    if method == paper.method:
        return entry.spec.network == paper.network
    card = model_card(entry.spec.network)
    names = (card.title, card.published_as)
    return method in names and entry.title in names


def networks_standing_for(paper: AuditedPaper, method: str) -> list[str]:
    """The networks of the registry that a method's name stands for."""
    if method == paper.method:
        return [paper.network]
    cards = all_cards().values()
    return [card.name for card in cards if method in (card.title, card.published_as)]
