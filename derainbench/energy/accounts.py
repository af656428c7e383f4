"""The accounts that are compared: networks' work, measured on images or from their structure."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.readings import DEFAULT_READING
from derainbench.energy.readings import readings_of
from derainbench.energy.records import TABLE_SIZE
from derainbench.energy.unseen import time_steps
from derainbench.energy.work import Work, network_work
from derainbench.results.accounts import read_account, read_layers
from derainbench.results.layout import layout_of
from derainbench.results.runs import counted_variants

if TYPE_CHECKING:
    from derainbench.config.schema import Config


@dataclass(frozen=True)
class Account:
    """One network's work, image by image, or once from its structure.

    Attributes:
        source: "measured" or "structure".
        name: run and variant, or the model's name.
        model: its name in the registry.
        title: for tables and figures.
        dataset: what it was measured on; empty for the structure.
        spiking: whether it has spiking neurons.
        steps: time steps; None where the neurons of a spiking network were not seen.
        size: side of the images, pixels.
        images: their names; one empty name for the structure.
        works: work of each image, without and with reuse.
        bits: of its activations, if it is a quantised counterpart.
        readings: ``works`` under every other reading of its layers' inputs, by its name, where
            these leave a choice (:func:`~derainbench.energy.readings.readings_of`).
    """

    source: str
    name: str
    model: str
    title: str
    dataset: str
    spiking: bool
    steps: int | None
    size: int
    images: tuple[str, ...]
    works: dict[bool, list[Work]]
    bits: int | None = None
    readings: dict[str, dict[bool, list[Work]]] = field(default_factory=dict)


def _account_of_counts(
    layers: pd.DataFrame, others: pd.DataFrame, *, spiking: bool, **facts: Any
) -> Account:
    """Adds up counts image by image; ``facts`` are the other attributes of :class:`Account`."""
    by_image = list(layers.groupby("image", sort=False))

    def works(reuse: bool, reading: str) -> list[Work]:
        return [
            network_work(rows, others, spiking=spiking, reuse=reuse, reading=reading)
            for _, rows in by_image
        ]

    def both(reading: str) -> dict[bool, list[Work]]:
        as_it_is = works(False, reading)
        # Only what has time steps has something to reuse.
        return {False: as_it_is, True: works(True, reading) if spiking else as_it_is}

    by_reading = {reading: both(reading) for reading in readings_of(layers, spiking=spiking)}
    return Account(
        spiking=spiking,
        **facts,
        images=tuple(str(image) for image, _ in by_image),
        works=by_reading.pop(DEFAULT_READING),
        readings=by_reading,
    )


def measured_accounts(config: Config) -> list[Account]:
    """The account of every set of weights of a configuration.

    Raises:
        BenchError: if one is missing.
    """
    accounts = []
    for entry in counted_variants(config):
        facts, layers, others = read_account(layout_of(config).account(entry.run, entry.variant))
        accounts.append(
            _account_of_counts(
                layers,
                others,
                source="measured",
                name=f"{entry.run}/{entry.variant}",
                model=facts["model"],
                title=entry.title,
                dataset=entry.spec.test[0],
                spiking=facts["spiking"],
                steps=facts["time_steps"],
                size=facts["size"][0],
            )
        )
    return accounts


def structural_accounts(folder: Path, size: int = TABLE_SIZE) -> list[Account]:
    """The account of every registered model at full size, from ``layers.csv``, ``others.csv``.

    Args:
        folder: of both files.
        size: side of the images that they were counted for, pixels.
    """
    layers = read_layers(folder / "layers.csv").assign(image="")
    others = read_layers(folder / "others.csv")
    return [
        structural_account(str(name), rows, others[others["model"] == name], size)
        for name, rows in layers.groupby("model", sort=False)
    ]


def structural_account(
    model_name: str, layers: pd.DataFrame, others: pd.DataFrame, size: int
) -> Account:
    """The account of a model's structure.

    Args:
        model_name: in the registry.
        layers, others: its operation counts; the layers' column ``image`` is empty.
        size: side of the images that they were counted for, pixels.
    """
    card = model_card(model_name)
    return _account_of_counts(
        layers,
        others,
        source="structure",
        name=model_name,
        model=model_name,
        title=card.title,
        dataset="",
        spiking=card.spiking,
        steps=time_steps(layers, others, spiking=card.spiking),
        size=size,
    )
