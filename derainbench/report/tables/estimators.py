"""spikingjelly's energy estimators beside our account."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from derainbench.config.schema import Config
from derainbench.foundation.frames import records
from derainbench.report.tables.qualities import mean_psnr, psnr_heading, psnr_text
from derainbench.report.tables.table import Table, captioned, number
from derainbench.results.reading import read_table
from derainbench.results.runs import run_variants


def estimators(config: Config) -> Table:
    """spikingjelly's energy estimators on spiking runs and ANN counterparts, mean over images."""
    tables = []
    for entry in run_variants(config):
        file = Path(config.results) / "estimators" / entry.run / f"{entry.variant}.csv"
        if file.is_file():
            named = {"run": entry.run, "title": entry.title, "variant": entry.variant}
            tables.append(read_table(file).assign(**named))
    keys = ["title", "run", "variant", "model", "size", "estimator", "strict", "scenario", "status"]
    numbers = ["energy_mj", "compute_mj", "memory_mj", "energy_ours_mj", "ratio"]
    if tables:
        every = pd.concat(tables)
        alike = every.groupby(keys, sort=False, dropna=False)
        frame = alike[numbers].mean().assign(images=alike.size()).reset_index()
    else:
        frame = pd.DataFrame(columns=[*keys, *numbers, "images"])
    frame.insert(0, "configuration", config.name)
    tested, psnr = {e.run: e.spec.test[0] for e in run_variants(config)}, mean_psnr(config)
    frame["protocol"] = config.figures.protocol
    frame["psnr"] = [psnr.get((run, tested[run]), float("nan")) for run in frame["run"]]
    caption = captioned(
        config,
        "energy per image by spikingjelly's estimators, with their own hardware models, beside our "
        "account of the same images under the nearest scenario. Only networks under the same "
        "estimator are comparable, and those of equal PSNR alone: that of the run on its first test "
        "set, mean over images and seeds. An estimator that refuses a network says why; omissions: what it "
        "does not model is left out. What distorts each is in estimators/*.csv, column note.",
    )
    if frame.empty:
        caption += " Empty: this configuration runs no spiking network."
    view = [
        {
            "Network": row["title"],
            psnr_heading(config): psnr_text(row["psnr"]),
            "Size": f"{row['size']}x{row['size']}",
            "Images": number(row["images"]),
            "Estimator": row["estimator"] + (", omissions" if row["strict"] is False else ""),
            "Energy (mJ)": number(row["energy_mj"], 3),
            "Compute (mJ)": number(row["compute_mj"], 3),
            "Memory (mJ)": number(row["memory_mj"], 3),
            "Ours (mJ)": f"{number(row['energy_ours_mj'], 3)} ({row['scenario']})",
            "Ratio": number(row["ratio"], 2),
            "Status": row["status"],
        }
        for row in records(frame)
    ]
    return Table("estimators", caption, frame, pd.DataFrame(view))
