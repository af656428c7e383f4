"""What is published: of the paper's own tables the few cells that are known, of others the scores."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import resources

import pandas as pd
from pydantic import BaseModel, ConfigDict

from derainbench import cards, published
from derainbench.audit import ledger
from derainbench.audit.ledger import Claim
from derainbench.config import Config
from derainbench.report.cells import Table, captioned
from derainbench.report.collect import Entry
from derainbench.settings import check, read_yaml
from derainbench.sources import known_model

UNKNOWN = "unknown"  # a protocol that the source does not state
THIRD_PARTY = "third-party retrain"
# What a configuration's own numbers are called: in columns for programs, and in headings.
OURS = {"smoke": "smoke", "study": "study", "paper": "reproduced"}
HEADINGS = {
    "smoke": "Smoke, not comparable",
    "study": "Reproduced (official weights, or scaled-down)",
    "paper": "Reproduced",
}
SHORT_KINDS = {"user": "user report", "abstract": "abstract", "paper": "paper"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cell(_Strict):
    """A known cell of a table of the paper.

    Attributes:
        artefact: the table.
        claim: id in the ledger; its published value is the cell's.
        ssim: where the cell is a score and the SSIM is known too.
        third_party: whether somebody else's training gave it.
    """

    artefact: str
    claim: str
    ssim: float | None = None
    third_party: bool = False


class Paper(_Strict):
    """The paper's tables and figures, ``catalog/paper.yaml``.

    Attributes:
        ledger: of its claims.
        method: as the tables call its network.
        sets: the paired test sets of its main table, in their order.
        real_rain: the set of its no-reference table.
        heavy: the set of its visual comparison.
        missing: why most cells are empty.
        titles: of every table and figure.
        cells: those that are known.
    """

    ledger: str
    method: str
    sets: tuple[str, ...]
    real_rain: str
    heavy: str
    missing: str
    titles: dict[str, str]
    cells: tuple[Cell, ...]


@cache
def paper() -> Paper:
    """The catalogue's entry.

    Raises:
        BenchError: for a mistake in it.
    """
    with resources.as_file(resources.files("derainbench.catalog") / "paper.yaml") as file:
        return check(Paper, read_yaml(file), file.name)


@cache
def book() -> ledger.Ledger:
    """The ledger of the paper's claims."""
    return ledger.load(paper().ledger)


def known(artefact: str) -> list[tuple[Cell, Claim]]:
    """The known cells of a table, with the claims that state them."""
    claims = {claim.id: claim for claim in book().all()}
    return [(c, claims[c.claim]) for c in paper().cells if c.artefact == artefact]


def told(claim: Claim) -> str:
    """Kind and source of a claim: ``user report: issue 4 of ...``."""
    kind = SHORT_KINDS.get(claim.kind, claim.kind)
    return claim.source if claim.source.startswith(kind) else f"{kind}: {claim.source}"


@cache
def scores() -> pd.DataFrame:
    """Published scores of all methods, those of the paper's own network first; read only.

    Columns of ``catalog/published/`` and ``third_party``: somebody else's training, which is no
    published cell of the method.
    """
    own = [
        {
            "method": paper().method,
            "dataset": claim.dataset,
            "protocol": UNKNOWN,
            "psnr": claim.published,
            "ssim": cell.ssim,
            "kind": THIRD_PARTY if cell.third_party else SHORT_KINDS.get(claim.kind, claim.kind),
            "source": f"{claim.source}: {claim.wording}",
        }
        for cell, claim in known("table-1")
    ]
    table = pd.concat(
        [pd.DataFrame(own).astype({"ssim": float}), published.scores()], ignore_index=True
    )
    return table.assign(third_party=table["kind"] == THIRD_PARTY)


def method_of(entry: Entry) -> str | None:
    """The published method that a run stands for; none if it is a variant of its own.

    A run bears the name of its model, or that under which its scores were published, only if it is
    that network: small ones are called otherwise.
    """
    if known_model(entry.spec.model) == book().model:
        return paper().method if entry.title == paper().method else None
    card = cards.facts().get(known_model(entry.spec.model))
    if card and entry.title in (card.title, card.published_as):
        return card.published_as
    return None


def set_name(config: Config, dataset: str) -> str:
    """The catalogue's name of a configuration's data set, or its own."""
    return config.catalogue_name(dataset) or dataset


def because(reasons: dict[str, str]) -> str:
    """Why cells of a row are empty: ``published: ...; reproduced: ...``."""
    return "; ".join(f"{cell}: {reason}" for cell, reason in reasons.items() if reason)


def paper_table(
    config: Config,
    name: str,
    text: str,
    frame: pd.DataFrame,
    view: Iterable[dict[str, str]],
) -> Table:
    """A table of the paper; its caption says which one, and if its numbers are of smoke."""
    title = f"{paper().titles[name]} (the paper's {name.replace('-', ' ').capitalize()}). "
    return Table(name, captioned(config, title + text), frame, pd.DataFrame(view))
