"""Verbs about the cells of the papers' tables, for whoever has the paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from derainbench.cli.options import OutFile, UsageError

app = typer.Typer(help="Cells of the papers' tables.", no_args_is_help=True)
PaperName = Annotated[
    str | None,
    typer.Option("--paper", help="Paper; needed where the catalogue has several."),
]


@app.command()
def template(out: OutFile, paper: PaperName = None) -> None:
    """Writes a CSV with every cell that a paper's tables are expected to have, values empty."""
    from derainbench.catalog.cells.claims import read_judged_paper
    from derainbench.catalog.cells.template import template as text_of
    from derainbench.foundation.files import write_text

    text = text_of(read_judged_paper(_chosen(paper)))
    write_text(out, text)
    typer.echo(f"{out}: {text.count(chr(10)) - 1} cells; leave empty what the paper does not print")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="Template, filled in.")],
    source: Annotated[
        str,
        typer.Option(help='Where the cells are printed: "IJCAI 2024, p. 1259, Table 1".'),
    ],
    paper: PaperName = None,
    protocol: Annotated[
        str,
        typer.Option(help="For rows that state none: one of the benchmark's, or unstated."),
    ] = "",
    new_method: Annotated[
        list[str] | None,
        typer.Option(help="A method that the catalogue does not know yet; repeatable."),
    ] = None,
) -> None:
    """Checks cells and adds them to the catalogue of this checkout; each is a claim from then on."""
    from derainbench.catalog.cells.claims import read_judged_paper
    from derainbench.catalog.cells.intake import check_cells, read_filled
    from derainbench.catalog.cells.joining import add_cells, check_place

    root = check_place()
    known = read_judged_paper(_chosen(paper))
    cells = check_cells(
        known,
        file,
        read_filled(file),
        source=source,
        protocol=protocol,
        new_methods=new_method or (),
    )
    place = add_cells(known.name, cells)
    typer.echo(f"{place}: {len(cells)} cells added, {len(known.transcribed) + len(cells)} in all")
    typer.echo(
        f"each is a claim now; to keep them: git add {place.relative_to(root)} && git commit"
    )


def _chosen(paper: str | None) -> str:
    """The paper that is named, or the only one."""
    from derainbench.catalog.papers import paper_names

    names = paper_names()
    if paper is None and len(names) != 1:
        raise UsageError(f"name a --paper; there is: {', '.join(names)}")
    return paper or names[0]
