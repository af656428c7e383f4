"""Every registered model at full size."""

from __future__ import annotations

import pandas as pd

from derainbench.catalog.model_cards import model_card
from derainbench.config.schema import Config
from derainbench.energy.records import TABLE_SIZE
from derainbench.foundation.frames import records
from derainbench.report.tables.table import (
    Table,
    number,
)
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_table


def structure(config: Config) -> Table:
    """Every registered model at full size: what needs no training to be known."""
    frame = read_table(layout_of(config).models)
    frame.insert(0, "configuration", config.name)
    caption = (
        "All registered models at their papers' size, for one 256x256 image, "
        "counted from the structure alone; a spiking network's T time steps count T times."
    )
    for name in frame["model"]:
        card = model_card(name)
        side = card.network.fixed_size
        if side:
            tiles = (TABLE_SIZE // side) ** 2
            caption += f" {card.title} takes {side}x{side} images only: {tiles} of them."
    view = [
        {
            "Method": row["title"],
            "Parameters": number(row["parameters"]),
            "GMACs": number(row["gmacs"], 2),
            "Spiking": "yes" if row["spiking"] else "no",
            "Paper": row["paper"],
            "Official weights": row["official weights"],
        }
        for row in records(frame)
    ]
    return Table("structure", caption, frame, pd.DataFrame(view))
