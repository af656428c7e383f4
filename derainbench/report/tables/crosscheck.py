"""Our operation counts beside those of other counters."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from derainbench.config.schema import Config
from derainbench.foundation.frames import is_empty, records
from derainbench.report.tables.table import Table, number
from derainbench.results.reading import read_table


def crosscheck(config: Config) -> Table:
    """Our operation counts beside those of other counters."""
    frame = read_table(Path(config.results) / "crosscheck" / "crosscheck.csv")
    frame.insert(0, "configuration", config.name)
    caption = (
        "Operation counts of other counters beside ours, at full size on freshly drawn weights, at "
        "256x256 or, where a counter looks at values, 32x32. Every difference is explained layer by "
        "layer in crosscheck/crosscheck-layers.csv; unexplained: what is left. thop goes by "
        "exact layer types and does not see spikingjelly's, nor their parameters."
    )
    view = [
        {
            "Model": row["model"],
            "Counter": f"{row['counter']} {row['version']}"
            if row["version"] == row["version"]
            else row["counter"],
            "Size": row["size"],
            "GMACs": number(row["macs"] / 1e9, 3),
            "Ours": number(row["macs_ours"] / 1e9, 3),
            "Ratio": number(row["ratio"], 4),
            "Unexplained": ""
            if is_empty(row["unexplained"])
            else number(row["unexplained"])
            if row["unexplained"]
            else "none",
            "Parameters": number(row["parameters"]),
            "Status": row["status"],
        }
        for row in records(frame)
    ]
    return Table("crosscheck", caption, frame, pd.DataFrame(view))
