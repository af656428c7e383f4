"""Energy drawn by present hardware."""

from __future__ import annotations

import pandas as pd

from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.report.tables.qualities import mean_psnr, psnr_heading, psnr_text
from derainbench.report.tables.table import Table, captioned
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json
from derainbench.results.runs import run_variants


def joules(config: Config) -> Table:
    """Energy really drawn, where it was measured."""
    rows = []
    psnr = mean_psnr(config)
    for entry in run_variants(config):
        file = layout_of(config).joules(entry.run, entry.variant)
        if not file.is_file():
            continue
        measured = read_json(file)
        row = {
            "configuration": config.name,
            "method": entry.title,
            "variant": entry.variant,
            "dataset": entry.spec.test[0],
            "protocol": config.figures.protocol,
            "psnr": psnr.get((entry.run, entry.spec.test[0]), float("nan")),
            "device": measured["device"],
            "size": "x".join(map(str, measured["size"])),
            "status": measured["status"],
            "reason": measured.get("reason", ""),
        }
        for part, drawn in measured.get("parts", {}).items():
            row |= {
                f"joules_{part}": drawn["joules_per_image"],
                f"lowest_{part}": drawn["lowest"],
                f"highest_{part}": drawn["highest"],
            }
        rows.append(row)
    frame = pd.DataFrame(rows)
    caption = captioned(
        config,
        "energy drawn per image above idle by present hardware (NVML, RAPL): median of several "
        "repetitions, lowest and highest. PSNR: of the run on its first test set, mean over images and "
        "seeds. The energy says nothing about neuromorphic hardware and is not "
        "comparable with the account above.",
    )
    if frame.empty:
        caption += " Not measured: `snakemake --cores all all_joules` does it, after all else."
    parts = [c.removeprefix("joules_") for c in frame.columns if c.startswith("joules_")]
    view = [
        {
            "Method": row["method"],
            psnr_heading(config): psnr_text(row["psnr"]),
            "Device": row["device"],
            "Size": row["size"],
            **{
                f"{part} (J)": ""
                if is_empty(row[f"joules_{part}"])
                else f"{row[f'joules_{part}']:.3g} [{row[f'lowest_{part}']:.3g}, "
                f"{row[f'highest_{part}']:.3g}]"
                for part in parts
            },
            "Status": f"{row['status']}: {row['reason']}" if row["reason"] else row["status"],
        }
        for row in records(frame)
    ]
    return Table("joules", caption, frame, pd.DataFrame(view))
