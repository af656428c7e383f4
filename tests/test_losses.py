"""Training losses are what they are called, and can be trained with."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from derainbench.training.losses import LOSSES, ssim, ssim_loss


def images(seed: int, shape=(2, 3, 17, 20)) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_of_identical_images_is_zero(name):
    x = images(1)
    assert LOSSES[name](x, x.clone()).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_loss_falls_along_its_gradient(name):
    clean = images(1).float()
    restored = images(2).float().requires_grad_()
    loss = LOSSES[name](restored, clean)
    loss.backward()
    assert restored.grad.isfinite().all()
    assert (restored.grad != 0).float().mean() > 0.99
    better = restored.detach() - 0.1 * restored.grad / restored.grad.abs().max()
    assert LOSSES[name](better, clean) < loss


def ssim_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004 for data range 1, zeros around the image, float [H,W]."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(image):
        return correlate2d(image, window, mode="same")

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = 0.01**2, 0.03**2
    return np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))


def test_ssim_is_the_one_by_definition_averaged_over_channels():
    x, y = images(1), 0.7 * images(1) + 0.3 * images(2)
    expected = np.mean(
        [ssim_by_definition(a, b) for a, b in zip(x.flatten(0, 1), y.flatten(0, 1), strict=True)]
    )
    assert ssim(x, y).item() == pytest.approx(expected, rel=0, abs=1e-12)
    assert ssim_loss(x, y).item() == pytest.approx(1 - expected, rel=0, abs=1e-12)


def test_inverted_images_lose_more_than_unrelated_ones():
    x = images(1)
    assert ssim_loss(1 - x, x) > ssim_loss(images(2), x) > 0.5
