"""Settings of a configuration that are of the whole run: crops to count on, figures, threads."""

from __future__ import annotations

from pydantic import Field

from derainbench.catalog.protocols import ProtocolName, default_protocol
from derainbench.config.datasets import Name
from derainbench.foundation.settings import Strict


class Energy(Strict):
    """Where operations are counted: central crops of the first test images."""

    size: int = Field(256, ge=16)
    images: int = Field(8, ge=1)


class Spikes(Strict):
    """Where firing rates of rain and clean pixels are compared: central crops of test pairs.

    Attributes:
        images: of the first paired test set of a run; default: all.
        threshold: least change of a value in [0,1] that is rain.
    """

    size: int = Field(128, ge=16)
    images: int | None = Field(None, ge=1)
    threshold: float = Field(0.1, ge=0, le=1)


class Figures(Strict):
    """What the figures show."""

    dataset: Name
    protocol: ProtocolName = Field(default_factory=default_protocol)
    strip_images: int = Field(3, ge=1, le=8)


class Threads(Strict):
    """CPU threads per job."""

    train: int = Field(1, ge=1)
    infer: int = Field(1, ge=1)
