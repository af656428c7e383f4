"""Training losses; restored and clean images as float [N,3,H,W] in [0,1]."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2


def ssim(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean SSIM over pixels and RGB channels, zero padding at the border.

    This is the differentiable SSIM of the authors' loss (Wang et al. 2004 with an 11x11 Gaussian,
    sigma 1.5, data range 1), not a protocol for scores: those cover whole windows only.

    Returns:
        A scalar tensor.
    """
    channels = x.shape[1]
    offsets = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    line = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    line = line / line.sum()
    kernel = torch.outer(line, line).expand(channels, 1, WINDOW, WINDOW)

    def blur(image: torch.Tensor) -> torch.Tensor:
        return F.conv2d(image, kernel, padding=WINDOW // 2, groups=channels)

    mean_x, mean_y = blur(x), blur(y)
    var_x = blur(x * x) - mean_x**2
    var_y = blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    structure = (2 * covariance + C2) / (var_x + var_y + C2)
    return (luminance * structure).mean()


def ssim_loss(restored: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """1 - SSIM."""
    return 1 - ssim(restored, clean)


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "ssim": ssim_loss,
    "l1": F.l1_loss,
}
