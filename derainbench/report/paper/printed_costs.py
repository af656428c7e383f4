"""What is published of the costs of networks, for a paper's table of costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.format import PrintedCell
from derainbench.catalog.cells.printed import base_value
from derainbench.catalog.model_cards import model_card
from derainbench.report.paper.published import printed_cell

# Columns of what is printed, by metric.
PRINTED = {
    "parameters": "published_parameters",
    "operations": "published_operations",
    "energy": "published_energy_mj",
}


@dataclass(frozen=True)
class PublishedCosts:
    """What is known of a paper's table of costs; None where it is not.

    Attributes:
        paper: whose table.
        parameters: of its network, as others report it.
        saving: the share of energy saved.
        cells: those that were transcribed, of every method.
    """

    paper: AuditedPaper
    parameters: float | None
    saving: float | None
    cells: list[PrintedCell]

    def of(self, model: str) -> dict[str, Any]:
        """What was transcribed of a network, by column; empty for nothing."""
        card = model_card(model)
        names = (card.published_as, card.title)
        method = self.paper.method if model == self.paper.network else None
        methods = [name for name in (method, *names) if name]
        found: dict[str, Any] = {}
        for metric in ("parameters", "operations", "energy"):
            cells = [printed_cell(self.cells, name, metric) for name in methods]
            cell = next(filter(None, cells), None)
            if cell is not None:
                found[PRINTED[metric]] = base_value(cell)
                found["printed_in"] = cell.source
            if cell is not None and metric == "operations":
                found["published_operations_unit"] = cell.unit
        return found
