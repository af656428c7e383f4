"""What is counted: the scenarios of ``catalog/scenarios.yaml``."""

from __future__ import annotations

from dataclasses import dataclass

from derainbench.catalog.files import read_yaml
from derainbench.foundation.reads import cache

CATALOG_FILES = ("scenarios.yaml",)


@dataclass(frozen=True)
class Scenario:
    """What is counted.

    Attributes:
        name: short enough for a legend, and the same everywhere.
        title, text: in a few words, and in full.
        analog: what an operation of a spiking network on analog input is priced as: "mac", or
            "ac" times the mean firing rate.
        others: whether attention and all other operators are counted too.
        memory: whether memory traffic is.
    """

    name: str
    title: str
    text: str
    analog: str
    others: bool = False
    memory: bool = False

    @property
    def label(self) -> str:
        """Name and title, for captions."""
        return f"{self.name}, {self.title}"


@cache
def scenarios() -> dict[str, Scenario]:
    """The scenarios of ``catalog/scenarios.yaml`` by letter."""
    return {name: Scenario(**values) for name, values in read_yaml("scenarios.yaml").items()}
