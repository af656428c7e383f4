"""Papers with their claims: what audit, tables and figures hold results against."""

from __future__ import annotations

from pydantic import model_validator

from derainbench.catalog.cells.format import PrintedCell
from derainbench.catalog.files import read_yaml
from derainbench.catalog.ledger import Claim, Ledger
from derainbench.catalog.papers import Cell, Paper, described
from derainbench.foundation.settings import check
from derainbench.foundation.suggestions import did_you_mean

CATALOG_FILES = ("papers/*/claims.yaml",)


class AuditedPaper(Paper):
    """A paper and what it claims.

    Attributes:
        ledger: its claims, and findings about its code.
        transcribed: the cells of its tables that somebody read off them;
            :func:`derainbench.catalog.cells.claims.read_judged_paper` gives them, each a claim too.
    """

    ledger: Ledger
    transcribed: tuple[PrintedCell, ...] = ()

    @model_validator(mode="after")
    def _claims_agree(self) -> AuditedPaper:
        claims = {claim.id for claim in self.ledger.all()}
        for cell in self.cells:
            if cell.claim not in claims:
                raise ValueError(
                    f"cells: no claim '{cell.claim}'{did_you_mean(cell.claim, claims)}"
                )
        for claim in self.ledger.all():
            if claim.test == "analog-ratio" and not self.counterpart:
                raise ValueError(f"claim '{claim.id}': test 'analog-ratio' needs 'counterpart'")
        return self

    @property
    def claimed_saving(self) -> float | None:
        """The share of energy that the paper claims to save, if it claims one."""
        savings = (c.published for c in self.ledger.claims if c.test == "energy-saving")
        return next(savings, None)

    def known_cells(self, artefact: str) -> list[tuple[Cell, Claim]]:
        """The known cells of a table, with the claims that state them."""
        claims = {claim.id: claim for claim in self.ledger.all()}
        return [(c, claims[c.claim]) for c in self.cells if c.artefact == artefact]


def read_audited_paper(name: str) -> AuditedPaper:
    """A paper and its claims by the name of its folder.

    Raises:
        BenchError: for an unknown paper, or a mistake in its files, in one line.
    """
    values = described(name)
    values["ledger"] = check(Ledger, read_yaml(f"papers/{name}/claims.yaml"), f"{name}/claims.yaml")
    return check(AuditedPaper, values, f"{name}/paper.yaml")
