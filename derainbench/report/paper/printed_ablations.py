"""What a paper prints in its tables of ablations, beside what was found here and on its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from derainbench.catalog.audited_papers import AuditedPaper
from derainbench.catalog.cells.format import PrintedCell, variant_parts
from derainbench.catalog.cells.metrics import UNSTATED
from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty

EMPTY = float("nan")


def cells_row(cells: list[PrintedCell]) -> dict[str, Any]:
    """What transcribed cells of one variant and data set say."""
    scores = {f"published_{metric}": EMPTY for metric in ("psnr", "ssim")}
    scores |= {f"published_{cell.metric}": cell.value for cell in cells}
    keys = [cell.key for cell in cells]
    return {**scores, "published_reason": "", "stated": cells[0].protocol, "cells": keys}


def rows_of_cells(
    config: Config, paper: AuditedPaper, cells: list[PrintedCell], columns: list[str]
) -> Iterator[dict[str, Any]]:
    """Rows of printed variants for which no run stands: nothing here is held against them."""
    for dataset, method in dict.fromkeys((cell.dataset, cell.method) for cell in cells):
        part, label = variant_parts(method)
        of_variant = [c for c in cells if (c.dataset, c.method) == (dataset, method)]
        printed = cells_row(of_variant)
        yield {
            **dict.fromkeys(columns, EMPTY),
            "configuration": config.name,
            "label": config.label,
            "dataset": dataset,
            "part": "unchanged" if part == paper.method else part,
            "variant": f"{label or part} (as printed)",
            "of": "",
            "protocol": "",
            "seeds": pd.NA,
            **{key: printed[key] for key in ("published_psnr", "published_ssim")},
            "published_reason": "",
            "difference_reason": "no run of this configuration stands for it",
        }


def difference(config: Config, printed: float, found: float, stated: str) -> dict[str, Any]:
    """Found less printed, where the paper states the protocol that is shown; else why not."""
    if is_empty(printed):
        return {"difference_psnr": EMPTY, "difference_reason": ""}
    if not config.comparable:
        return {"difference_psnr": EMPTY, "difference_reason": config.label}
    if stated != config.figures.protocol:
        of = "not stated" if stated == UNSTATED else stated
        return {
            "difference_psnr": EMPTY,
            "difference_reason": f"the published score's protocol is {of}",
        }
    return {"difference_psnr": found - printed, "difference_reason": ""}


def printed_text(psnr: float, ssim: float) -> str:
    """``29 / 0.91``, ``29 / not stated``, or nothing."""
    if is_empty(psnr) and is_empty(ssim):
        return ""
    return " / ".join("not stated" if is_empty(v) else f"{v:g}" for v in (psnr, ssim))
