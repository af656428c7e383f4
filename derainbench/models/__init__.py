"""Every model of the benchmark by name. Importing this package imports no network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def build(name: str, **kwargs: Any) -> nn.Module:
    """A freshly initialised model; see :func:`derainbench.models.construction.build`."""
    from derainbench.models.construction import build

    return build(name, **kwargs)
