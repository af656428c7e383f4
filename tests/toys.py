"""A network that keeps the contract of every model, and others that break it in one way each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, neuron
from torch import nn


class Toy(nn.Module):
    """Keeps the contract."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x) + x


class Function(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class WithoutDefault(Toy):
    def __init__(self, width: int) -> None:
        super().__init__()


class DrawnElsewhere(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.from_numpy(np.random.default_rng().random(3)))


class Spiking(Toy):
    T: int | None = 2

    def __init__(self) -> None:
        super().__init__()
        self.neuron = neuron.LIFNode(step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self)
        spikes = self.neuron(self.conv(x).expand(2, *x.shape))
        functional.reset_net(self)
        return spikes.mean(0) + x


class HandWritten(Toy):
    """Integrates and fires without any module that says so."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        current, v, restored = 4 * self.conv(x), torch.zeros_like(x), x
        for _ in range(2):
            v = v + (current - v) / 2
            spikes = (v >= 1).to(x.dtype)
            v = v * (1 - spikes)
            restored = restored + self.last(spikes) / 2
        return restored


class SummedSpikes(Spiking):
    """Adds the spikes of two layers of neurons: 0, 1 and 2 go into a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Conv2d(3, 3, 3, padding=1)
        self.other = neuron.LIFNode(step_mode="m")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self)
        current = 8 * (self.conv(x) + x).expand(2, *x.shape)
        spikes = self.neuron(current) + self.other(current / 2)
        functional.reset_net(self)
        return self.last(spikes.flatten(0, 1)).reshape(spikes.shape).mean(0) + x


class ResetBefore(Spiking):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self)
        return self.neuron(self.conv(x).expand(2, *x.shape)).mean(0) + x


class WithoutSteps(Spiking):
    T = None


class Half(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[..., ::2]


class Several(Toy):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (super().forward(x),)


class Double(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).double()


class AfraidOfTheDark(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x / x.amax())


class SingleImages(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x[:1])


class Clamped(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(4 * x).clamp(0, 1)


class Writing(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.mul_(0.5))


class EvenSizes(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.pixel_shuffle(F.pixel_unshuffle(super().forward(x), 2), 2)


class OfAnotherMultiple(Toy):
    size_multiple = 2


class Remembering(Toy):
    last: torch.Tensor | float = 0.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        restored = super().forward(x) + self.last
        self.last = x.mean()
        return restored


class Unreset(Spiking):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.neuron(self.conv(x).expand(2, *x.shape)).mean(0) + x


class OneMemory(Remembering):
    """Gives the same tensor every time."""

    memory = torch.zeros(1, 3, 32, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        restored = super().forward(x)
        if restored.shape != self.memory.shape:
            return restored
        return self.memory.copy_(restored)


class Counting(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().forward(x)


class Random(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(super().forward(x), 0.5, training=True)


class HalfSaved(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.rand(3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * self.gain.to(x)


class Unaccounted(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.special.bessel_j0(x))


class Watched(Toy):
    """Knows when it is counted."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) + len(self.conv._forward_hooks)


class OtherWithoutValues(Toy):
    """Leaves its layer out where there are shapes only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.is_meta else super().forward(x)


class NeedsValues(Toy):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) if x.mean().item() > -1 else x
