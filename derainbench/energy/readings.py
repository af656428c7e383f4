"""Layers as a reading prices them: graded spikes and inputs that were never seen to be anything.

Ordinary networks have no readings: what their layers take are values.
"""

from __future__ import annotations

import pandas as pd

from derainbench.catalog.readings import DEFAULT_READING, Reading, readings
from derainbench.energy.records import ANALOG, GRADED, LAYER, SILENT, SPIKES


def as_read(layers: pd.DataFrame, reading: Reading, *, spiking: bool) -> pd.DataFrame:
    """Layers whose inputs are "spikes" or values, as they are priced.

    A graded spike as several unit spikes reaches as many outputs as these do: ``reach`` is that of
    inputs on the highest level throughout, ``effective_operations`` counts unit spikes,
    ``input_elements`` has a bit for each unit spike that could be, and ``activation_density`` is the
    share of unit spikes that come, weighed by what they reach.

    Args:
        layers: columns of :class:`~derainbench.energy.records.LayerCount`.
        reading: what they are priced as.
        spiking: whether the network has spiking neurons; without, graded and silent are values.
    """
    if not spiking:
        return layers
    silent, graded = layers["input"] == SILENT, layers["input"] == GRADED
    if silent.any():
        seen_as = SPIKES if reading.silent == "spikes" else ANALOG
        layers = layers.assign(input=layers["input"].mask(silent, seen_as))
    if graded.any() and reading.graded == "accumulates":
        units = layers["unit_spikes"].where(graded, 1)
        layers = layers.assign(
            input=layers["input"].mask(graded, SPIKES),
            reach=layers["reach"] * units,
            input_elements=layers["input_elements"] * units,
            effective_operations=layers["unit_operations"].where(
                graded, layers["effective_operations"]
            ),
            activation_density=(layers["unit_operations"] / (layers["reach"] * units)).where(
                graded, layers["activation_density"]
            ),
        )
    return layers


def readings_of(layers: pd.DataFrame, *, spiking: bool) -> list[str]:
    """The readings that a network's layers tell apart, the default first: often it alone.

    Args:
        layers, spiking: see :func:`as_read`.
    """
    products = layers[layers["role"] == LAYER] if spiking else layers.iloc[:0]
    silent, graded = ((products["input"] == kind).any() for kind in (SILENT, GRADED))
    default = readings()[DEFAULT_READING]
    return [
        name
        for name, reading in readings().items()
        if (silent or reading.silent == default.silent)
        and (graded or reading.graded == default.graded)
    ]


def undetermined(layers: pd.DataFrame, *, spiking: bool) -> list[str]:
    """Names of a spiking network's layers whose input was zero whenever anybody looked."""
    silent = (layers["input"] == SILENT) & (layers["role"] == LAYER) & spiking
    return [name or "the model" for name in dict.fromkeys(layers.loc[silent, "layer"])]


def graded_layers(layers: pd.DataFrame, *, spiking: bool) -> dict[str, dict[str, float]]:
    """Number of levels and their distance of a spiking network's layers on graded spikes."""
    rows = layers[(layers["input"] == GRADED) & (layers["role"] == LAYER) & spiking]
    return {
        str(row["layer"]) or "the model": {
            "levels": int(row["levels"]),
            "level_step": float(row["level_step"]),
        }
        for _, row in rows.drop_duplicates("layer").iterrows()
    }
