"""What every registered model is, at full size and without any weights."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from derainbench import models
from derainbench.energy.account import structure
from derainbench.sources import model_names


def model_table(names: Sequence[str] | None = None, size: int = 256) -> pd.DataFrame:
    """Parameters, dense GMACs of one image and origin of models at their default size.

    Args:
        names: models, or None for all.
        size: image side in pixels; rounded up to the model's size multiple.

    Raises:
        BenchError: for an unknown model.
    """
    rows = []
    for name in names or model_names():
        card = models.card(name)
        side = -(-size // card.size_multiple) * card.size_multiple
        facts = structure(card.name, {}, side)
        rows.append(
            {
                "model": card.name,
                "title": card.title,
                "parameters": facts["parameters"],
                "size": f"{side}x{side}",
                "gmacs": facts["macs_dense"] / 1e9,
                "spiking": card.spiking,
                "paper": card.paper,
                "official weights": card.weights,
            }
        )
    return pd.DataFrame(rows)
