"""What other counters report of networks at several sizes of image.

Published savings in FLOPs seldom say which counter gave them, nor whether both networks were given
images of one size: :mod:`derainbench.audit.claim_tests.against` tries all of these counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import torch

from derainbench.catalog.model_cards import model_card
from derainbench.energy.crosscheck.other_counters import COUNTERS, OtherCounter
from derainbench.energy.crosscheck.subjects import builder, input_image, version
from derainbench.energy.known_shapes import KnownShapes
from derainbench.models.construction import size_multiple_of

SIDES = (128, 256)  # pixels: what profilers of this literature take by default, and what is stated
COLUMNS = ["model", "counter", "version", "size", "macs", "parameters"]


def count_at_sizes(
    names: Sequence[str],
    counters: Sequence[OtherCounter] = COUNTERS,
    sides: Sequence[int] = SIDES,
) -> pd.DataFrame:
    """MACs and parameters of models at several sizes, by the counters that need no values.

    Args:
        names: of models; sizes that a model does not take are left out.
        counters: of others.
        sides: of square images, pixels.

    Returns:
        One row per model, counter and size: :data:`COLUMNS`; counters that fail have no row.
    """
    rows: list[dict[str, Any]] = []
    for name in names:
        fresh = builder(name, "meta")
        multiple = size_multiple_of(fresh(), model_card(name))
        for counter in counters:
            if counter.needs_values:
                continue
            for side in sides:
                if side % multiple:
                    continue
                try:
                    with torch.no_grad(), KnownShapes():
                        reading = counter.read(fresh(), input_image(side, "meta"))
                except Exception:  # the cross-check at one size says what a counter fails with
                    continue
                rows.append(
                    {
                        "model": name,
                        "counter": counter.name,
                        "version": version(counter.package),
                        "size": f"{side}x{side}",
                        "macs": reading.macs,
                        "parameters": reading.parameters,
                    }
                )
    return pd.DataFrame(rows, columns=COLUMNS).astype({"parameters": "Int64"})
