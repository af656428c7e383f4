"""A network as it is drawn: what its blocks are, what they take, give and cost.

The stage that looks at networks writes one JSON file per paper's network
(:func:`write_architecture`); the report draws from it (:func:`read_architecture`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import TypeAdapter, ValidationError

from derainbench.foundation.errors import BenchError
from derainbench.foundation.files import write_json
from derainbench.results.layout import layout_of
from derainbench.results.reading import read_json

if TYPE_CHECKING:
    from derainbench.config.schema import Config

# What blocks take beside each other's outputs, and what the whole network gives.
INPUT, RESULT = "input", "restored"


@dataclass(frozen=True)
class Inner:
    """A module inside a block.

    Attributes:
        path: below the block: ``conv1.0``.
        label: what it is, in a few characters: ``conv 3x3 48→96``, ``LIF 0.15``, ``tdBN``.
        kind: "convolution"; "neurons", which spike; "compound", of several modules; or "other".
        input: of a layer that multiplies, what its input is: "spikes", "analog" ...; else None.
    """

    path: str
    label: str
    kind: Literal["convolution", "neurons", "compound", "other"]
    input: str | None = None


@dataclass(frozen=True)
class Block:
    """A top-level module of a network, as one image goes through it.

    Attributes:
        name: its attribute in the network.
        kinds: classes of its equal parts, or of its only one's children: ("SRB",).
        count: how many equal parts follow each other.
        path: module path of the first part.
        formula: the first sentence of that part's own description.
        inside: for each child of that part, the modules in it.
        input_shape, output_shape: [T,N,C,H,W] or [N,C,H,W].
        parameters: their number.
        spike_macs, analog_macs: dense MACs of layers on spikes and on values (graded spikes are
            among these), all time steps; attention is in neither.
        sources: blocks, or :data:`INPUT`, whose outputs it takes.
        undetermined_macs: those of layers whose input was zero in every probing.
    """

    name: str
    kinds: tuple[str, ...]
    count: int
    path: str
    formula: str
    inside: dict[str, tuple[Inner, ...]]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    spike_macs: float
    analog_macs: float
    sources: tuple[str, ...]
    undetermined_macs: float = 0.0

    @property
    def side(self) -> int:
        """Width of its output, pixels."""
        return self.output_shape[-1]


@dataclass(frozen=True)
class Join:
    """Where the outputs of several blocks are put together.

    Attributes:
        sources: the blocks, in the order in which they are taken.
        operation: "cat", "add" or another function of torch.
    """

    sources: tuple[str, ...]
    operation: str


@dataclass(frozen=True)
class Architecture:
    """A network as it is drawn.

    Attributes:
        title: class and arguments.
        blocks: in the order of computation.
        result: what the network's output is put together from.
        parameters: their number, shared ones once.
        steps: time steps.
        size: side of the image, pixels.
        joins: one for every set of blocks whose outputs are put together.
    """

    title: str
    blocks: tuple[Block, ...]
    result: tuple[str, ...]
    parameters: int
    steps: int
    size: int
    joins: tuple[Join, ...]

    def operation(self, sources: tuple[str, ...]) -> str:
        """What puts the outputs of some blocks together; empty if nothing does."""
        return next((join.operation for join in self.joins if join.sources == sources), "")


_FORMAT = TypeAdapter(Architecture)


def write_architecture(found: Architecture, file: Path) -> None:
    """Writes a network as JSON, whole or not at all."""
    content = _FORMAT.dump_python(found, mode="json")
    for block in content["blocks"]:
        if not block["undetermined_macs"]:
            del block["undetermined_macs"]
    write_json(file, content)


def read_architecture(config: Config, model: str) -> Architecture:
    """A paper's network at full size, from ``structure/architecture/MODEL.json``.

    Raises:
        BenchError: if the structure has not been counted, or the file is damaged.
    """
    file = layout_of(config).architecture(model)
    try:
        return _FORMAT.validate_python(read_json(file))
    except ValidationError as error:
        raise BenchError(f"{file}: damaged; delete the file and run again") from error
