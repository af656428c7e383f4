"""Energy by block of a network."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from derainbench.catalog.costs import DEFAULT_COSTS, cost_tables
from derainbench.catalog.scenarios import scenarios
from derainbench.energy.pricing import price
from derainbench.energy.records import ATTENTION, MEMBRANE
from derainbench.energy.work import Work, neurons_seen, work
from derainbench.results.accounts import read_account

PARTS = ("MACs, analog input", "SOPs, spikes", "attention", "membrane", "other")
SCENARIO = "c"  # all that is computed; memory traffic belongs to no block alone
VISIBLE_SHARE = 0.001  # of the whole energy; less cannot be seen in a figure


def block_of(layer: str) -> str:
    """The part of a network that a module belongs to: ``encoder_level1.0``, ``down1_2``."""
    first, *deeper = layer.split(".")
    if len(deeper) > 1 and deeper[0].isdigit():
        return f"{first}.{deeper[0]}"
    return first or "network"


def block_energies(folder: Path) -> pd.DataFrame:
    """Energy of every block in mJ (scenario c, default costs), by :data:`PARTS`; mean over images.

    Args:
        folder: of an account.

    Returns:
        A row per block, in the order of computation. All cells together are the network's energy;
        what membranes cost is empty where the neurons of a spiking network were not seen.

    Raises:
        BenchError: if a file of the account is missing.
    """
    facts, layers, others = read_account(folder)
    costs, scenario = cost_tables()[DEFAULT_COSTS], scenarios()[SCENARIO]
    images = max(facts["images"], 1)
    amounts = ["elements", "adds", "multiplies", "specials"]
    others[amounts] *= images  # counted once, for they are the same in every image
    layer_blocks, operator_blocks = layers["layer"].map(block_of), others["layer"].map(block_of)
    rows = {}
    for block in dict.fromkeys([*layer_blocks, *operator_blocks]):
        parts = part_works(
            layers[layer_blocks == block],
            others[operator_blocks == block],
            spiking=facts["spiking"],
        )
        rows[block] = [price(part, costs, scenario).energy / images for part in parts]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(PARTS))
    if facts["spiking"] and not neurons_seen(others):
        table["membrane"] = math.nan
    return table


def part_works(layers: pd.DataFrame, others: pd.DataFrame, *, spiking: bool) -> list[Work]:
    """The work of some layers and operators split into :data:`PARTS`, memory traffic left out.

    Args:
        layers, others, spiking: see :func:`~derainbench.energy.work.work`.
    """
    products = work(layers, others.iloc[:0], spiking=spiking, reuse=False)

    def operators(chosen: pd.Series) -> Work:
        total = work(layers.iloc[:0], others[chosen], spiking=spiking, reuse=False)
        return replace(total, membrane_values=0.0, traffic=())

    attention, membrane = others["category"] == ATTENTION, others["category"] == MEMBRANE
    return [
        Work(
            spiking=spiking,
            analog_macs=products.analog_macs,
            effective_macs=products.effective_macs,
        ),
        Work(
            spiking=spiking,
            spike_reach=products.spike_reach,
            sops=products.sops,
            possible_spikes=products.possible_spikes,
            spikes=products.spikes,
        ),
        replace(
            operators(attention),
            attention_macs=products.attention_macs,
            attention_effective_macs=products.attention_effective_macs,
        ),
        operators(membrane),
        operators(~membrane & ~attention),
    ]


def energy_by_block(folder: Path) -> pd.DataFrame:
    """The blocks of :func:`block_energies` that a figure can show.

    Blocks of less than a thousandth of the whole are left out.

    Args:
        folder: of an account.
    """
    table = block_energies(folder)
    return table[table.sum(axis=1) > VISIBLE_SHARE * np.nansum(table.to_numpy())]
