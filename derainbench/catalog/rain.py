"""Settings of the rain generator: ``catalog/rain.yaml``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from derainbench.catalog.files import read_yaml
from derainbench.foundation.reads import cache
from derainbench.foundation.settings import Strict

CATALOG_FILES = ("rain.yaml",)


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("the range's low end is above its high end")
    return bounds


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]


class RainSettings(Strict):
    """Parameters of the generator; their meaning stands in ``catalog/rain.yaml``."""

    layers: int = Field(ge=1, le=10)
    depth_scale: float = Field(gt=0, le=1)
    density: Range
    length: Range
    width: Range
    angle: Range
    angle_spread: float = Field(ge=0)
    brightness: Range
    reference: dict[str, str | float] = {}


@cache
def presets() -> dict[str, RainSettings]:
    """The named settings of the catalogue."""
    return {name: RainSettings(**values) for name, values in read_yaml("rain.yaml").items()}
