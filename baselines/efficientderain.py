"""EfficientDeRain, which predicts a small filter for every pixel.

Guo, Sun, Juefei-Xu, Ma, Xie, Feng, Liu, Zhao: "EfficientDeRain: Learning Pixel-wise Dilation
Filtering for High-Efficiency Single-Image Deraining", AAAI 2021 (arXiv 2009.09238). Attribute
names follow the official weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

COLOURS = 3
KERNEL = 3
DILATIONS = (1, 2, 3, 4)
MULTIPLE = 16


class ConvBlock(nn.Module):
    """Three 3x3 convolutions with ReLU."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (cin, cout, cout):
            layers += [nn.Conv2d(channels, cout, 3, padding=1), nn.ReLU()]
        self.conv1 = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv1(x)


def _upsample(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _pixelwise_filter(image: torch.Tensor, kernels: torch.Tensor, dilation: int) -> torch.Tensor:
    """Filters [N,3,H,W], zeros outside, with a kernel of its own at every pixel.

    Args:
        kernels: [N,3,9,H,W], one set for each colour, the taps row by row.
        dilation: distance between taps in pixels (section "Pixel-wise Dilation Filtering").
    """
    height, width = image.shape[2:]
    padded = F.pad(image, 4 * (dilation * (KERNEL // 2),))
    filtered = torch.zeros_like(image)
    for tap in range(KERNEL**2):
        top, left = (dilation * offset for offset in divmod(tap, KERNEL))
        window = padded[..., top : top + height, left : left + width]
        filtered = filtered + kernels[:, :, tap] * window
    return filtered


class EfficientDerain(nn.Module):
    """A U-Net predicts 3x3 kernels per pixel and colour; they filter the image at four dilations.

    A last convolution fuses the four results. Input and output: float [N,3,H,W] in [0,1], output
    unclamped. Height and width must be multiples of 16.

    Args:
        width: channels at full resolution, 64 in the paper; for smaller variants.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        w, taps = width, COLOURS * KERNEL**2
        self.conv1 = ConvBlock(COLOURS, w)
        self.conv2 = ConvBlock(w, 2 * w)
        self.conv3 = ConvBlock(2 * w, 4 * w)
        self.conv4 = ConvBlock(4 * w, 8 * w)
        self.conv5 = ConvBlock(8 * w, 8 * w)
        self.conv6 = ConvBlock(16 * w, 8 * w)
        self.conv7 = ConvBlock(12 * w, 4 * w)
        self.conv8 = ConvBlock(6 * w, taps)
        self.outc = nn.Conv2d(taps, taps, 1)
        self.conv_final = nn.Conv2d(COLOURS * len(DILATIONS), COLOURS, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W].

        Raises:
            ValueError: if height or width is no multiple of 16.
        """
        height, width = image.shape[2:]
        if height % MULTIPLE or width % MULTIPLE:
            raise ValueError(
                f"height and width must be multiples of {MULTIPLE}, got {height}x{width}"
            )
        kernels = self.kernels(image)
        filtered = [_pixelwise_filter(image, kernels, dilation) for dilation in DILATIONS]
        return self.conv_final(torch.cat(filtered, dim=1))

    def kernels(self, image: torch.Tensor) -> torch.Tensor:
        """The kernels of every pixel: [N,3,H,W] -> [N,3,9,H,W], used at every dilation."""
        x = self.conv1(image)
        skips = []
        for block in (self.conv2, self.conv3, self.conv4, self.conv5):
            x = block(F.avg_pool2d(x, 2))
            skips.append(x)
        x = skips.pop()
        for block in (self.conv6, self.conv7, self.conv8):
            x = block(torch.cat((skips.pop(), _upsample(x)), dim=1))
        return self.outc(_upsample(x)).unflatten(1, (COLOURS, KERNEL**2))
