"""Memory that the training of a network takes. torch is not imported here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Footprint:
    """Memory that the training of a network takes, foreseen.

    Attributes:
        state: bytes of weights, their gradients and the optimiser's moments.
        per_pixel: bytes per pixel of a crop that the backward pass needs kept.
    """

    state: int
    per_pixel: float

    def bytes(self, crop: int, batch_size: int) -> float:
        """Bytes of one step, kernels' working space not counted."""
        return self.state + self.per_pixel * crop**2 * batch_size
