"""DDN, the deep detail network.

Fu, Huang, Zeng, Huang, Ding, Paisley: "Removing Rain from Single Images via a Deep Detail Network",
CVPR 2017. The authors' code is for MATLAB and TensorFlow; attribute names, batch norms and the
filter's colour guide are those of the PyTorch port in derain-toolbox.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

FILTER_RADIUS = 15
FILTER_EPS = 1.0  # of the guided filter, for images in [0,1]


def box_mean(x: torch.Tensor, radius: int = FILTER_RADIUS) -> torch.Tensor:
    """Mean over the window of a radius, less of it at borders; [N,C,H,W] -> [N,C,H,W]."""
    for kernel, padding in (((2 * radius + 1, 1), (radius, 0)), ((1, 2 * radius + 1), (0, radius))):
        x = F.avg_pool2d(x, kernel, 1, padding, count_include_pad=False)
    return x


def base_layer(image: torch.Tensor) -> torch.Tensor:
    """The image smoothed by a guided filter whose colour guide is the image; [N,3,H,W] -> same.

    He, Sun, Tang: "Guided Image Filtering", TPAMI 2013. With guide and input the same, the filter's
    local matrix is A = (cov + eps)^-1 cov = 1 - eps (cov + eps)^-1, where cov [3,3] is that of the
    colours in a window. Element-wise products, for autocast would round matrix products.
    """
    mean = box_mean(image)
    cov = _box_mean_matrix(_outer(image)) - _outer(mean)
    one = torch.eye(3, dtype=image.dtype, device=image.device)
    inverse = torch.linalg.inv(cov.permute(0, 3, 4, 1, 2) + FILTER_EPS * one)
    matrix = (one - FILTER_EPS * inverse).permute(0, 3, 4, 1, 2)
    offset = box_mean(mean - (matrix * mean[:, None]).sum(dim=2))
    return (_box_mean_matrix(matrix) * image[:, None]).sum(dim=2) + offset


def _outer(x: torch.Tensor) -> torch.Tensor:
    """Products of all pairs of channels, [N,3,H,W] -> [N,3,3,H,W]."""
    return x[:, :, None] * x[:, None]


def _box_mean_matrix(x: torch.Tensor) -> torch.Tensor:
    """:func:`box_mean` of [N,3,3,H,W]."""
    return box_mean(x.flatten(1, 2)).unflatten(1, (3, 3))


class ConvNorm(nn.Module):
    """Convolution and batch norm, and ReLU unless ``last``; [N,Cin,H,W] -> [N,Cout,H,W]."""

    def __init__(self, cin: int, cout: int, last: bool = False) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(cin, cout, 3, padding=1),
            # In PyTorch's convention: running statistics nearly are those of the last batch.
            nn.BatchNorm2d(cout, eps=0.01, momentum=0.99),
            nn.Identity() if last else nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class DDN(nn.Module):
    """A residual network that sees the image's detail layer and gives the negative rain.

    Input and output: float [N,3,H,W] in [0,1], output unclamped.

    Args:
        mid_channels: width.
        num_blocks: layers between the first and the last; each two of them are one residual block.
    """

    def __init__(self, mid_channels: int = 16, num_blocks: int = 24) -> None:
        super().__init__()
        if mid_channels < 1:
            raise ValueError(f"mid_channels must be at least 1, got {mid_channels}")
        if num_blocks < 0 or num_blocks % 2:
            raise ValueError(f"num_blocks must be even and not negative, got {num_blocks}")
        self.layer1 = ConvNorm(3, mid_channels)
        self.layer2 = nn.ModuleList(ConvNorm(mid_channels, mid_channels) for _ in range(num_blocks))
        self.layer3 = ConvNorm(mid_channels, 3, last=True)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        x = self.layer1(image - base_layer(image))
        for first, second in zip(self.layer2[::2], self.layer2[1::2], strict=True):
            x = x + second(first(x))
        return image + self.layer3(x)
