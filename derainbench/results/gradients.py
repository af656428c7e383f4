"""Whether the gradient of a loss reaches every layer of a paper's network: the record of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_json
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json

if TYPE_CHECKING:
    from derainbench.config.schema import Config


@dataclass(frozen=True)
class GradientReach:
    """How far one gradient gets in a network with random weights, and what its neurons take.

    Attributes:
        model: in the registry.
        kwargs: constructor arguments.
        neurons: layers of spiking neurons, through whose surrogates it goes.
        tensors: parameter tensors, those of attention gates apart.
        reached: how many of them have a gradient that is not 0.
        spikingjelly: its installed version.
        lif_arguments: what that version's LIF neuron takes.
    """

    model: str
    kwargs: dict[str, Any]
    neurons: int
    tensors: int
    reached: int
    spikingjelly: str
    lif_arguments: list[str]

    @property
    def share(self) -> float:
        """Share of the parameter tensors that are reached."""
        return self.reached / self.tensors


def write_gradients(found: GradientReach, file: Path) -> None:
    """Writes the record as JSON, whole or not at all."""
    write_json(file, asdict(found))


def read_gradients(config: Config, paper: str) -> GradientReach:
    """The record of a paper's network.

    Raises:
        BenchError: if it is missing or damaged.
    """
    file = layout_of(config).gradients(paper)
    try:
        return GradientReach(**read_json(file))
    except TypeError as error:
        raise BenchError(f"{file}: damaged; delete the file and run again") from error
