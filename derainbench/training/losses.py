"""Training losses; restored and clean images as float [N,3,H,W] in [0,1]."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F

WINDOW, SIGMA = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
CHARBONNIER_EPS = 1e-3  # as in the repositories of MPRNet and Uformer
PSNR_EPS = 1e-8  # as NAFNet is trained; equal images give -80 dB
# Burt, Adelson: "The Laplacian Pyramid as a Compact Image Code", 1983, with a = 0.4.
PYRAMID_TAPS = (0.05, 0.25, 0.4, 0.25, 0.05)


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


def charbonnier_loss(restored: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Mean of sqrt(d^2 + eps^2): the absolute error d, but smooth at 0."""
    return ((restored - clean).square() + CHARBONNIER_EPS**2).sqrt().mean()


def edge_loss(restored: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Charbonnier loss of the images' edges, as MPRNet is trained with."""
    return charbonnier_loss(laplacian(restored), laplacian(clean))


def laplacian(image: torch.Tensor) -> torch.Tensor:
    """The finest level of an image's Laplacian pyramid, [N,C,H,W] -> [N,C,H,W].

    The image less what is left of it after halving its size and doubling it again. Pixels outside
    are those at the border, before halving and after: as in MPRNet's loss, the two rows and columns
    along it are off even where an image has no edges.
    """
    halved = torch.zeros_like(image)
    halved[..., ::2, ::2] = _smooth(image)[..., ::2, ::2]
    return image - 4 * _smooth(halved)  # three pixels of four are 0


def _smooth(image: torch.Tensor) -> torch.Tensor:
    channels = image.shape[1]
    taps = torch.tensor(PYRAMID_TAPS, dtype=image.dtype, device=image.device)
    kernel = torch.outer(taps, taps).expand(channels, 1, len(taps), len(taps))
    padded = F.pad(image, 4 * (len(taps) // 2,), mode="replicate")
    return F.conv2d(padded, kernel, groups=channels)


def psnr_loss(restored: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
    """Negative PSNR in dB (peak 1), averaged over the batch, as NAFNet is trained with."""
    mse = (restored - clean).square().mean(dim=(1, 2, 3))
    return 10 * torch.log10(mse + PSNR_EPS).mean()


LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "ssim": ssim_loss,
    "l1": F.l1_loss,
    "mse": F.mse_loss,
    "charbonnier": charbonnier_loss,
    "edge": edge_loss,
    "psnr": psnr_loss,
}


def total_loss(
    outputs: Sequence[torch.Tensor],
    clean: torch.Tensor,
    weights: Mapping[str, float],
    stage_weight: float = 0,
) -> torch.Tensor:
    """The weighted losses of the last output, and ``stage_weight`` times those of the others.

    Args:
        outputs: restored images, the one that counts last.
        weights: by names of :data:`LOSSES`.
    """

    def loss(restored: torch.Tensor) -> torch.Tensor:
        terms = (weight * LOSSES[name](restored, clean) for name, weight in weights.items())
        return sum(terms, start=clean.new_zeros(()))

    total = loss(outputs[-1])
    return total + stage_weight * sum(map(loss, outputs[:-1])) if stage_weight else total
