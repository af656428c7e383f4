"""How a baseline makes itself known: a module of this package with a list ``CARDS``."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class ModelCard:
    """What the harness must know of a network besides its code.

    Attributes:
        name: key in the registry, lower case.
        title: the name as the paper writes it, for tables and figures.
        build: constructor; keyword arguments only, all with defaults.
        paper: citation of the paper the network is from.
        repository: the official code, for provenance.
        size_multiple: height and width must be multiples of this.
        inference: "tiled" or "whole": how the official evaluation feeds images.
        quantise: "round" or "truncate": how the official evaluation makes 8-bit images.
        spiking: whether the network computes with spikes.
        weights: where official weights are found and under which licence, if anywhere.
    """

    name: str
    title: str
    build: Callable[..., nn.Module]
    paper: str
    repository: str
    size_multiple: int = 1
    inference: str = "whole"
    quantise: str = "round"
    spiking: bool = False
    weights: str = "none"


def discover() -> dict[str, ModelCard]:
    """The cards of every module in this package, by name."""
    import baselines

    cards: dict[str, ModelCard] = {}
    for info in pkgutil.iter_modules(baselines.__path__):
        module = importlib.import_module(f"baselines.{info.name}")
        for card in getattr(module, "CARDS", ()):
            if card.name in cards:
                raise ValueError(f"two baselines are named {card.name}")
            cards[card.name] = card
    return cards
