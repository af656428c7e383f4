"""NAFNet, a U-Net without nonlinear activation functions.

Chen, Chu, Zhang, Sun: "Simple Baselines for Image Restoration", ECCV 2022 (arXiv 2204.04676).
Attribute names follow the official weights. This is the plain network; the official tests on
large images use its variant with local pooling (TLC, arXiv 2112.04491) instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn


class ChannelNorm(nn.Module):
    """Layer normalisation of [N,C,H,W] over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x.permute(0, 2, 3, 1)
        normed = F.layer_norm(pixels, self.weight.shape, self.weight, self.bias, eps=1e-6)
        return normed.permute(0, 3, 1, 2)


def _simple_gate(x: torch.Tensor) -> torch.Tensor:
    """The product of the two halves of the channels: [N,2C,H,W] -> [N,C,H,W]."""
    first, second = x.chunk(2, dim=1)
    return first * second


class NAFBlock(nn.Module):
    """A gated convolution with channel attention, then a gated MLP (section 4 of the paper).

    Both add to [N,C,H,W], scaled by ``beta`` and ``gamma``, which start at 0.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 2 * channels
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.conv1 = nn.Conv2d(channels, wide, 1)
        self.conv2 = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv4 = nn.Conv2d(channels, wide, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.norm1 = ChannelNorm(channels)
        self.norm2 = ChannelNorm(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gated = _simple_gate(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.conv3(gated * self.sca(gated)) * self.beta
        return x + self.conv5(_simple_gate(self.conv4(self.norm2(x)))) * self.gamma


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(NAFBlock(channels) for _ in range(count)))


class NAFNet(nn.Module):
    """The U-Net of NAF blocks. Input and output: float [N,3,H,W] in [0,1], output unclamped.

    Any size: zeros are added at the right and the bottom and cut off again.

    Args:
        img_channel: channels of the image.
        width: channels at full resolution; they double at every level.
        middle_blk_num: blocks at the lowest resolution.
        enc_blk_nums: blocks of each encoder level, full resolution first.
        dec_blk_nums: blocks of each decoder level, full resolution last.
    """

    def __init__(
        self,
        img_channel: int = 3,
        width: int = 32,
        middle_blk_num: int = 1,
        enc_blk_nums: Sequence[int] = (1, 1, 1, 28),
        dec_blk_nums: Sequence[int] = (1, 1, 1, 1),
    ) -> None:
        super().__init__()
        if min(img_channel, width) < 1:
            raise ValueError(f"channels must be at least 1, got {img_channel} and width {width}")
        if len(enc_blk_nums) != len(dec_blk_nums):
            raise ValueError(
                f"as many decoder as encoder levels are needed, got enc_blk_nums "
                f"{tuple(enc_blk_nums)} and dec_blk_nums {tuple(dec_blk_nums)}"
            )
        if min((middle_blk_num, *enc_blk_nums, *dec_blk_nums)) < 0:
            raise ValueError("numbers of blocks must not be negative")
        levels = [width * 2**level for level in range(len(enc_blk_nums))]
        self.intro = nn.Conv2d(img_channel, width, 3, padding=1)
        self.ending = nn.Conv2d(width, img_channel, 3, padding=1)
        self.encoders = nn.ModuleList(map(_blocks, levels, enc_blk_nums))
        self.decoders = nn.ModuleList(map(_blocks, reversed(levels), dec_blk_nums))
        self.middle_blks = _blocks(width * 2 ** len(levels), middle_blk_num)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * c, 4 * c, 1, bias=False), nn.PixelShuffle(2))
            for c in reversed(levels)
        )
        self.downs = nn.ModuleList(nn.Conv2d(c, 2 * c, 2, stride=2) for c in levels)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        height, width = image.shape[2:]
        multiple = 2 ** len(self.encoders)
        padded = F.pad(image, (0, -width % multiple, 0, -height % multiple))
        x = self.intro(padded)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            skips.append(x)
            x = down(x)
        x = self.middle_blks(x)
        for decoder, up in zip(self.decoders, self.ups, strict=True):
            x = decoder(up(x) + skips.pop())
        return (self.ending(x) + padded)[..., :height, :width]
