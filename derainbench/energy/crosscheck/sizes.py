"""What other counters report of networks at several sizes of image.

Published savings in FLOPs seldom say which counter gave them, nor whether both networks were given
images of one size: :mod:`derainbench.audit.claim_tests.against` tries all of these counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from torch import nn

from derainbench.catalog.model_cards import model_card
from derainbench.energy.crosscheck.other_counters import COUNTERS
from derainbench.energy.crosscheck.reading import OtherCounter, Reading, reading_key
from derainbench.energy.crosscheck.subjects import builder, input_image, version
from derainbench.energy.known_shapes import KnownShapes
from derainbench.models.construction import size_multiple_of

SIDES = (128, 256)  # pixels: what profilers of this literature take by default, and what is stated
COLUMNS = ["model", "counter", "version", "size", "macs", "parameters"]


def count_at_sizes(
    names: Sequence[str],
    counters: Sequence[OtherCounter] = COUNTERS,
    sides: Sequence[int] = SIDES,
    known: Mapping[tuple[str, str, int], Reading | None] | None = None,
) -> pd.DataFrame:
    """MACs and parameters of models at several sizes, by the counters that need no values.

    Args:
        names: of models; sizes that a model does not take are left out.
        counters: of others.
        sides: of square images, pixels.
        known: what counters gave before, on meta tensors: not asked for again; see
            :meth:`~derainbench.energy.crosscheck.reading.OtherCounter.noting`.

    Returns:
        One row per model, counter and size: :data:`COLUMNS`; counters that fail have no row.
    """
    rows: list[dict[str, Any]] = []
    known = known or {}
    for name in names:
        fresh = builder(name, "meta")
        multiple = size_multiple_of(fresh(), model_card(name))
        for counter in counters:
            if counter.needs_values:
                continue
            for side in sides:
                if side % multiple:
                    continue
                key = reading_key(name, counter, side)
                reading = known[key] if key in known else _read(counter, fresh(), side)
                if reading is None:  # the cross-check at one size says what a counter fails with
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


def _read(counter: OtherCounter, model: nn.Module, side: int) -> Reading | None:
    """What a counter gives of a model on meta tensors; None if it fails."""
    try:
        with torch.no_grad(), KnownShapes():
            return counter.read(model, input_image(side, "meta"))
    except Exception:
        return None
