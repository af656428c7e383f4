"""Where it rains in a pair of images: pixel by pixel, and at the resolution of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

THRESHOLD = 0.1  # of the range of values: 25.5 of 255
RAIN_SHARE = 0.5  # of a location's pixels


@dataclass(frozen=True)
class RainPair:
    """A test pair's central crops, and where it rains.

    Attributes:
        name: of the image.
        rainy, clean: [3,S,S] in [0,1].
        mask: rain, bool [S,S]; see :func:`rain_mask`.
    """

    name: str
    rainy: torch.Tensor
    clean: torch.Tensor
    mask: torch.Tensor

    @property
    def rain_share(self) -> float:
        """Share of the pixels that are rain."""
        return self.mask.double().mean().item()


def rain_mask(rainy: torch.Tensor, clean: torch.Tensor, threshold: float) -> torch.Tensor:
    """Where rain is: bool [H,W] from two images [3,H,W] in [0,1]."""
    return (rainy - clean).abs().amax(0) > threshold


def rain_and_clean_places(
    mask: torch.Tensor, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """A mask [H,W] at a layer's resolution: (rain, clean), both bool of that size.

    Rain where at least half of a location's pixels are, clean where none is.
    """
    share = F.adaptive_avg_pool2d(mask[None, None].float(), size)[0, 0]
    return share >= RAIN_SHARE, share == 0


def densest_window(mask: torch.Tensor, difference: torch.Tensor, side: int) -> tuple[int, int]:
    """Top and left of the square with most rain; among equals, of the largest mean difference.

    Args:
        mask: rain, bool [H,W].
        difference: of the two images, [H,W].
        side: of the square, at most H and W.
    """
    rain = F.avg_pool2d(mask[None, None].float(), side, stride=1)[0, 0]
    strength = F.avg_pool2d(difference[None, None].double(), side, stride=1)[0, 0]
    best = int(torch.where(rain == rain.max(), strength, -1.0).argmax())
    return best // rain.shape[1], best % rain.shape[1]
