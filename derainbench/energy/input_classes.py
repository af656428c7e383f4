"""What a layer's input is, put together from all that was seen of it.

One image need not show it: a neuron may be silent on it, or emit only some of its levels. Several
looks at one layer together tell more: images, calls in one pass, and probes of an untrained network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from derainbench.energy.levels import BINARY, Levels
from derainbench.energy.records import ANALOG, GRADED, INTEGER, LAYER, SILENT, SPIKES, UNMEASURED

UNITS = "unit_operations"
GRADED_COLUMNS = ["levels", "level_step", "unit_spikes", UNITS]
# Of a look: what an input is, as far as it is not of one image.
CLASS_COLUMNS = ["input", "constant", *GRADED_COLUMNS[:-1]]
_VALUES = (ANALOG, INTEGER)
_NO_LEVELS = {"levels": 0, "level_step": 0.0, "unit_spikes": 0}
_VALUE = {"input": ANALOG, "constant": False, **_NO_LEVELS}


def joined_probes(probes: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """What each row of a network's layers is, from several looks at the same rows.

    Values outdo spikes, spikes outdo silence, and levels add up. An input is constant over time
    steps if it was so whenever it was not silent; silence is not known to be.

    Args:
        probes: columns of :class:`~derainbench.energy.records.LayerCount`, rows alike.

    Returns:
        The first one, with the classes of all of them.
    """
    rows = [_joined(looks) for looks in zip(*map(_looks, probes), strict=True)]
    table = probes[0].copy()
    table[CLASS_COLUMNS] = pd.DataFrame(rows, columns=CLASS_COLUMNS, index=table.index)
    return table


def _looks(layers: pd.DataFrame) -> list[dict[str, Any]]:
    looks = layers.reindex(columns=CLASS_COLUMNS).fillna(dict.fromkeys(GRADED_COLUMNS, 0))
    return [
        {str(column): value for column, value in look.items()} for look in looks.to_dict("records")
    ]


def _joined(looks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    seen = [look for look in looks if look["input"] != SILENT]
    if not seen:
        return {"input": SILENT, "constant": False, **_NO_LEVELS}
    constant = all(look["constant"] for look in seen)
    kinds = {str(look["input"]) for look in seen}
    for kind in _VALUES:
        if kind in kinds:
            return {"input": kind, "constant": constant, **_NO_LEVELS}
    if GRADED not in kinds:
        return {"input": kinds.pop(), "constant": constant, **_NO_LEVELS}
    levels = _common(seen)
    if levels is None:
        return {"input": ANALOG, "constant": constant, **_NO_LEVELS}
    return {
        "input": GRADED,
        "constant": constant,
        "levels": levels.number,
        "level_step": 1 / levels.parts,
        "unit_spikes": levels.unit_spikes,
    }


def _common(looks: Sequence[dict[str, Any]]) -> Levels | None:
    """The levels of several looks at spikes, graded or not; None if their grid has too many."""

    common: Levels | None = BINARY
    for look in looks:
        common = common and common | _levels(look)
    return common


def _levels(look: dict[str, Any]) -> Levels:
    if look["input"] != GRADED:
        return BINARY
    units, others = int(look["unit_spikes"]), int(look["levels"]) - 1 - int(look["unit_spikes"])
    return Levels(round(1 / look["level_step"]), -others, units)


def settled(layers: pd.DataFrame, probed: pd.DataFrame | None = None) -> pd.DataFrame:
    """A spiking network's layers, each input's class from all that was seen of its layer.

    A silent input is what the same layer takes elsewhere, if that is one thing; else it stays
    silent. Graded spikes, and spikes of a layer that takes graded ones elsewhere, get one grid of
    levels; where the layer takes values elsewhere, levels were values by chance. Spikes and values
    stay what they were seen to be. Nothing hangs on it inside attention: that is left as it is.

    Args:
        layers: columns of :class:`~derainbench.energy.records.LayerCount`, rows of any images.
        probed: the same of the structure, if anybody looked.
    """
    to_settle = layers["input"].isin([SILENT, GRADED, SPIKES]) & (layers["role"] == LAYER)
    looks = layers if probed is None else pd.concat([layers, probed], ignore_index=True)
    looks = looks[(looks["role"] == LAYER) & ~looks["input"].isin([UNMEASURED])]
    doubtful = looks.loc[looks["input"].isin([SILENT, GRADED]), "layer"].unique()
    if not to_settle.any() or not len(doubtful):
        return layers
    layers = layers.reset_index(drop=True)
    to_settle = to_settle.reset_index(drop=True)
    table = layers.reindex(columns=[*layers.columns.union(GRADED_COLUMNS, sort=False)])
    table[GRADED_COLUMNS] = table[GRADED_COLUMNS].fillna(0.0)
    for name in doubtful:
        known = _class_of_all(_looks(looks[looks["layer"] == name]))
        rows = table.index[to_settle & (table["layer"] == name)]
        if known is None:  # several things
            rows = rows[table.loc[rows, "input"] == GRADED]
            known = _VALUE
        _settle(table, rows, known)
    return without_empty_levels(table)


def without_empty_levels(layers: pd.DataFrame) -> pd.DataFrame:
    """The same without the columns of graded spikes where no row has any."""
    if (layers["input"] == GRADED).any():
        return layers
    return layers.drop(columns=GRADED_COLUMNS, errors="ignore")


def _class_of_all(looks: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """What a layer takes; None if both spikes of 0 and 1 and values were seen."""
    kinds = {look["input"] for look in looks}
    return None if SPIKES in kinds and kinds & set(_VALUES) else _joined(looks)


def _settle(table: pd.DataFrame, rows: pd.Index, known: dict[str, Any]) -> None:
    """Gives rows of one layer its class, in place."""
    silent = rows[table.loc[rows, "input"] == SILENT]
    table.loc[silent, "constant"] = known["constant"]
    if known["input"] != GRADED:
        changed = rows[table.loc[rows, "input"] == GRADED].union(silent)
        table.loc[changed, ["input", *GRADED_COLUMNS]] = [known["input"], 0, 0.0, 0, 0.0]
        return
    # Unit spikes counted on a coarser grid are several on the common one; a spike of 0 and 1 too.
    graded = table.loc[rows, "input"] == GRADED
    counted = table.loc[rows, UNITS].where(graded, table.loc[rows, "effective_operations"])
    finer = table.loc[rows, "level_step"].where(graded, 1.0) / known["level_step"]
    table.loc[rows, UNITS] = (counted * finer).round()
    for column in ("input", *GRADED_COLUMNS[:-1]):
        table.loc[rows, column] = known[column]
