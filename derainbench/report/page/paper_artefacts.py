"""The tables and figures of papers on the page, read from ``results/<name>/papers/<paper>``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.catalog.papers import Paper, called
from derainbench.config.schema import Config
from derainbench.foundation.documents import document_text
from derainbench.foundation.frames import written_in_markdown
from derainbench.report.page import pictures
from derainbench.report.page.origins import Origin, origin
from derainbench.report.page.pictures import Picture
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json


@dataclass(frozen=True)
class ShownArtefact:
    """A table or figure of a paper.

    Attributes:
        name: anchor.
        title: what the paper calls it, and what it shows.
        caption: of what was made; empty where nothing was.
        reason: why nothing was made; empty where something was.
        files: of it.
        table: its cells, of a table.
        picture: its copy, of a figure.
        origin: how it was made.
    """

    name: str
    title: str
    caption: str
    reason: str
    files: list[Path]
    table: pd.DataFrame | None
    picture: Picture | None
    origin: Origin | None


def artefacts(config: Config, paper: Paper, assets: Path) -> list[ShownArtefact]:
    """Every table and figure of a paper, its content or why it is missing.

    Args:
        config: whose ``papers/<paper>/paper.json`` names them with their files or the reason.
        paper: whose.
        assets: folder to copy figures to.

    Raises:
        BenchError: if ``paper.json`` or a table that it names is missing.
    """
    content = read_json(layout_of(config).paper_index(paper.name))
    folder = layout_of(config).paper(paper.name)
    return [_artefact(folder, name, facts, assets) for name, facts in content["artefacts"].items()]


def _artefact(folder: Path, name: str, facts: dict[str, Any], assets: Path) -> ShownArtefact:
    files = [folder / file for file in facts["files"]]
    tables = [file for file in files if file.suffix == ".md"]
    records = [made for made in map(origin, files) if made.record]
    shown = f"{folder.name}-{name}"
    return ShownArtefact(
        name=shown,
        title=f"{called(name)}: {facts['title']}",
        caption=facts.get("caption", ""),
        reason=facts.get("reason", ""),
        files=files,
        table=read_markdown(tables[0]) if tables else None,
        picture=pictures.show_figure(folder / name, assets, shown)
        if files and not tables
        else None,
        origin=records[0] if records else None,
    )


def read_markdown(file: Path) -> pd.DataFrame:
    """The cells of a table that was written as Markdown, as text."""
    lines = [line for line in document_text(file).splitlines() if line[:1] == "|"]
    rows = [
        [written_in_markdown(c.strip()) for c in re.split(r"(?<!\\)\|", r)[1:-1]] for r in lines
    ]
    return pd.DataFrame(rows[2:], columns=rows[0]) if rows else pd.DataFrame()
