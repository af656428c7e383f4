"""Whether an ANN counterpart computes with the layers of its spiking network, steps folded out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import nn

from derainbench.energy.forward_pass import count_structure
from derainbench.energy.networks import is_spiking
from derainbench.energy.records import LAYER, LayerCount


@dataclass(frozen=True)
class Place:
    """A convolution or matrix product, whatever its input is and however often it runs.

    Attributes:
        layer: dotted module path.
        operation: "convolution" or "matmul".
        weight: shape of the module's weight; their number where it has none of that name.
        output: shape of what it puts out at one time step.
    """

    layer: str
    operation: str
    weight: tuple[int, ...]
    output: tuple[int, ...]

    def __str__(self) -> str:
        shape, output = ("x".join(map(str, sides)) for sides in (self.weight, self.output))
        return f"{self.layer} (weight {shape}, output {output})"


@dataclass(frozen=True)
class Topology:
    """The layers of a network on one image.

    Attributes:
        steps: time steps.
        layers: how often each runs, in the order of their first runs; attention apart.
        attention: likewise, everything that the counter calls attention.
    """

    steps: int
    layers: Counter[Place]
    attention: Counter[Place]


def topology(model: nn.Module, side: int) -> Topology:
    """The layers of a network on a square image; the model is moved to the meta device."""
    counts, _ = count_structure(model, side, side)
    places = [(_place(model, count), count.role == LAYER) for count in counts]
    return Topology(
        steps=getattr(model, "T", 1) if is_spiking(model) else 1,
        layers=Counter(place for place, is_layer in places if is_layer),
        attention=Counter(place for place, is_layer in places if not is_layer),
    )


def _place(model: nn.Module, count: LayerCount) -> Place:
    weight = getattr(model.get_submodule(count.layer), "weight", None)
    shape = (count.weights,) if weight is None else tuple(weight.shape)
    first, *others = count.output_shape
    return Place(count.layer, count.operation, shape, (first // count.steps, *others))


def differences(spiking: Topology, counterpart: Topology) -> list[str]:
    """What keeps a network from being the counterpart of a spiking one; empty if nothing does.

    Layers must be the same ones in the same order, but that a side which counts time steps may be
    that many times shorter. Attention may be missing from the counterpart: what weighs time steps has
    nothing to do at one of them. It must not have more of it.
    """
    spiking = _folded(spiking, counterpart)
    found = [
        *(
            f"only the spiking network has {p}"
            for p in spiking.layers
            if p not in counterpart.layers
        ),
        *(f"only the counterpart has {p}" for p in counterpart.layers if p not in spiking.layers),
        *(
            f"only the counterpart has {p}"
            for p in counterpart.attention
            if p not in spiking.attention
        ),
    ]
    if found:
        return found
    for first, second in zip(spiking.layers, counterpart.layers, strict=True):
        if first != second:
            return [f"{second.layer} runs where the spiking network runs {first.layer}"]
    # A network that is stepped in a loop runs its layers once for every step.
    return [
        f"{place.layer} runs {runs} times, in the spiking network {spiking.layers[place]} times"
        for place, runs in counterpart.layers.items()
        if spiking.layers[place] not in (runs, runs * spiking.steps)
    ]


def _folded(spiking: Topology, counterpart: Topology) -> Topology:
    """The spiking network with those sides that count time steps as short as the counterpart's."""

    def folded(places: Counter[Place], others: Counter[Place]) -> Counter[Place]:
        short: Counter[Place] = Counter()
        for place, runs in places.items():
            alike = (other for other in others if _is_folded(place, other, spiking.steps))
            short[next(alike, place)] += runs
        return short

    return replace(
        spiking,
        layers=folded(spiking.layers, counterpart.layers),
        attention=folded(spiking.attention, counterpart.attention),
    )


def _is_folded(place: Place, other: Place, steps: int) -> bool:
    """Whether another place is the same one, or that with all its time steps in one."""
    if (place.layer, place.operation) != (other.layer, other.operation):
        return False
    sides = (*place.weight, *place.output), (*other.weight, *other.output)
    return len(sides[0]) == len(sides[1]) and all(
        side in (short, short * steps) for side, short in zip(*sides, strict=True)
    )


def absent(spiking: Topology, counterpart: Topology) -> Sequence[Place]:
    """The spiking network's attention that its counterpart lacks."""
    spiking = _folded(spiking, counterpart)
    return [place for place in spiking.attention if place not in counterpart.attention]
