"""A model under test."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from derainbench.catalog.model_cards import model_card
from derainbench.energy.forward_pass import count_structure
from derainbench.energy.records import LayerCount, OtherCount
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build, size_multiple_of


class Finding(Exception):
    """What breaks the contract, in one line."""


class DoesNotApply(Exception):
    """Why a check says nothing about this model, in one line."""


class Subject:
    """A model under test: untrained, in eval mode, and images for it.

    Args:
        name: of the model.
        kwargs: constructor arguments.
        size: image side, pixels; rounded up to what the model takes.
    """

    def __init__(self, name: str, kwargs: Mapping[str, Any], size: int) -> None:
        self.card = model_card(name)
        self.kwargs = dict(kwargs)
        self.size = size

    def build(self) -> nn.Module:
        """The model as it is drawn from seed 0, in training mode."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return build(self.card.name, **self.kwargs)

    @cached_property
    def untrained(self) -> nn.Module:
        """The network that is looked at."""
        return self.build()

    @cached_property
    def model(self) -> nn.Module:
        """The network in eval mode, its batch norms with the statistics of an image.

        Without them the neurons of an untrained spiking network are silent, and nothing is seen of
        what lies behind them.
        """
        model = self.untrained
        norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 1.0
        if norms:
            self.run(model, self.image(seed=1))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        return model.eval()

    @cached_property
    def multiple(self) -> int:
        """What height and width must be multiples of, pixels."""
        return size_multiple_of(self.untrained, self.card)

    @cached_property
    def side(self) -> int:
        """Side of the images, pixels."""
        return self.card.network.fixed_size or -(-self.size // self.multiple) * self.multiple

    def image(self, seed: int = 0, height: int = 0, width: int = 0) -> torch.Tensor:
        """Noise [1,3,H,W] within [0,1], its ends apart; by default a square."""
        noise = torch.rand(
            1,
            3,
            height or self.side,
            width or self.side,
            generator=torch.Generator().manual_seed(seed),
        )
        return 0.01 + 0.98 * noise

    @torch.no_grad()
    def run(self, model: nn.Module, image: torch.Tensor, seed: int = 0) -> torch.Tensor:
        """What a model gives for an image while random numbers are drawn from a seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            restored = model(image)
        # A model may give the same memory every time.
        return restored.clone() if isinstance(restored, torch.Tensor) else restored

    @cached_property
    def first_image(self) -> torch.Tensor:
        """The image that :attr:`restored` is of, as the model leaves it."""
        return self.image()

    @cached_property
    def restored(self) -> torch.Tensor:
        """What the model gives for its first image."""
        return self.run(self.model, self.first_image)

    @cached_property
    def structure(self) -> tuple[list[LayerCount], list[OtherCount]]:
        """Counts of an image from shapes alone."""
        with torch.device("meta"):
            model = build(self.card.name, **self.kwargs)
        return count_structure(model, self.side, self.side)


def one_line_of(error: Exception) -> str:
    """An exception in one line; its kind is named where the message was not made for users."""
    message = next((line for line in str(error).splitlines() if line.strip()), "")
    told = isinstance(error, Finding | DoesNotApply | BenchError)
    return message if told else f"{type(error).__name__}: {message}"


def sides_of(tensor: torch.Tensor) -> str:
    """``1x3x32x32``."""
    return "x".join(map(str, tensor.shape))


def difference(first: torch.Tensor, second: torch.Tensor) -> str:
    """How a second output differs from a first, in words."""
    if first.shape != second.shape:
        return f"gives {sides_of(second)} in place of {sides_of(first)}"
    return f"differs by up to {(first - second).abs().max().item():.2g}"
