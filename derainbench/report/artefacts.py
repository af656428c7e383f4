"""The paper's tables and figures on the page, read from the files of ``results/<name>/paper``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.config import Config
from derainbench.report import collect, pictures
from derainbench.report.origins import origin


def paper(config: Config, assets: Path) -> list[dict[str, Any]]:
    """Every table and figure of the paper: title, caption, its content or why it is missing.

    Args:
        config: whose ``paper/paper.json`` names them with their files or the reason.
        assets: folder to copy figures to.

    Raises:
        BenchError: if ``paper/paper.json`` or a table that it names is missing.
    """
    folder = Path(config.results) / "paper"
    content = collect.read_json(folder / "paper.json")
    return [_artefact(folder, name, of, assets) for name, of in content["artefacts"].items()]


def _artefact(folder: Path, name: str, of: dict[str, Any], assets: Path) -> dict[str, Any]:
    files = [folder / file for file in of["files"]]
    tables = [file for file in files if file.suffix == ".md"]
    records = [made for made in map(origin, files) if made.record]
    return {
        "name": name,
        "title": f"{name.replace('-', ' ').capitalize()}: {of['title']}",
        "caption": of.get("caption", ""),
        "reason": of.get("reason", ""),
        "files": files,
        "table": read_markdown(tables[0]) if tables else None,
        "picture": pictures.show_figure(folder / name, assets) if files and not tables else None,
        "origin": records[0] if records else None,
    }


def read_markdown(file: Path) -> pd.DataFrame:
    """The cells of a table that was written as Markdown, as text."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    rows = [[c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", r)[1:-1]] for r in lines]
    return pd.DataFrame(rows[2:], columns=rows[0]) if rows else pd.DataFrame()
