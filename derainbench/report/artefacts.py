"""The paper's tables and figures on the page, read from the files of ``results/<name>/paper``."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from derainbench.config import Config
from derainbench.report import collect, pictures
from derainbench.report.origins import origin

FIGURE_KINDS = (".svg", ".png")  # by preference
LARGEST_SVG = 600_000  # bytes; above, the PNG is smaller and quicker to show


def paper(config: Config, assets: Path) -> list[dict[str, Any]]:
    """Every table and figure of the paper: title, caption, its content or why it is missing.

    Raises:
        BenchError: if ``paper/paper.json`` is missing.
    """
    folder = Path(config.results) / "paper"
    content = collect.read_json(folder / "paper.json")
    items = content if isinstance(content, list) else _named(content)
    return [_artefact(folder, item, assets) for item in items]


def _named(content: dict[str, Any]) -> list[dict[str, Any]]:
    """``{"table-1": {...}}`` or ``{"tables": [...], "figures": [...]}`` as one list."""
    if {"tables", "figures"} & content.keys():
        return [
            item
            for kind in ("tables", "figures")
            for item in (
                content.get(kind, [])
                if isinstance(content.get(kind, []), list)
                else _named(content[kind])
            )
        ]
    return [{"name": name, **facts} for name, facts in content.items() if isinstance(facts, dict)]


def _artefact(folder: Path, item: dict[str, Any], assets: Path) -> dict[str, Any]:
    files = [folder / Path(file).name for file in item.get("files") or ()]
    files = [file for file in files if file.is_file()]
    shown = {
        "name": item["name"],
        "title": item.get("title") or item["name"].replace("-", " ").capitalize(),
        "caption": item.get("caption") or "",
        "note": item.get("reason") or item.get("missing") or "",
        "files": files,
        "table": None,
        "source": None,
        "origin": None,
    }
    main = next((f for f in files if f.suffix in (".md", *FIGURE_KINDS)), None)
    if main is None:
        shown["note"] = shown["note"] or "missing: no file of it"
        return shown
    if tables := [f for f in files if f.suffix == ".md"]:
        caption, shown["table"] = read_markdown(tables[0])
        shown["caption"] = shown["caption"] or caption
        record = [f for f in files if f.suffix == ".csv"]
    else:
        shown["source"] = show_figure(folder / main.stem, assets)
        record = files
    made = [origin(f) for f in record]
    shown["origin"] = next((m for m in made if m.record), origin(None, files))
    return shown


def show_figure(stem: Path, assets: Path) -> str | None:
    """Copies a figure's SVG, or its PNG where that is smaller to show; None if it has neither."""
    for kind in FIGURE_KINDS:
        file = stem.with_name(stem.name + kind)
        if not file.is_file() or (
            kind == ".svg"
            and file.stat().st_size > LARGEST_SVG
            and file.with_suffix(".png").is_file()
        ):
            continue
        if kind == ".png":
            path = assets / f"{stem.name}.webp"
            pictures.copy_sheet(file, path, width=1600)
        else:
            assets.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copy(file, assets / file.name))
        return f"{assets.name}/{path.name}"
    return None


def read_markdown(file: Path) -> tuple[str, pd.DataFrame]:
    """Caption and cells of a table that was written as Markdown."""
    text = file.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    caption = " ".join(line for line in text.splitlines() if line and not line.startswith("|"))
    rows = [[c.strip().replace("\\|", "|") for c in re.split(r"(?<!\\)\|", r)[1:-1]] for r in lines]
    if len(rows) < 2:
        return caption, pd.DataFrame()
    return caption, pd.DataFrame(rows[2:], columns=rows[0])
