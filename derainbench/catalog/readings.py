"""What an input is priced as where its values leave a choice: ``catalog/readings.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from derainbench.catalog.files import read_yaml
from derainbench.foundation.reads import cache

CATALOG_FILES = ("readings.yaml",)
DEFAULT_READING = "as-values"


@dataclass(frozen=True)
class Reading:
    """What inputs of a spiking network's layers are priced as.

    Attributes:
        title: in a few words.
        graded: spikes of several levels.
        silent: inputs that are zero throughout, so that spikes and values look alike.
    """

    title: str
    graded: Literal["accumulates", "macs"]
    silent: Literal["spikes", "analog"]


@cache
def readings() -> dict[str, Reading]:
    """The readings of ``catalog/readings.yaml`` by name, the default first."""
    return {name: Reading(**values) for name, values in read_yaml("readings.yaml").items()}
