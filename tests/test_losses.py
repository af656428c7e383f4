"""Training losses are what they are called, and can be trained with."""

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate
from scipy.signal import correlate2d

from derainbench.training.losses import (
    LOSSES,
    charbonnier_loss,
    edge_loss,
    laplacian,
    psnr_loss,
    ssim,
    ssim_loss,
    total_loss,
)


def images(seed: int, shape=(2, 3, 17, 20)) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LEAST = {"charbonnier": 1e-3, "edge": 1e-3, "psnr": -80}  # 0 for the others


@pytest.mark.parametrize("name", LOSSES)
def test_loss_of_identical_images_is_the_least(name):
    x = images(1)
    assert LOSSES[name](x, x.clone()).item() == pytest.approx(LEAST.get(name, 0), abs=1e-12)


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


def grey(level: float, count: int = 1) -> torch.Tensor:
    return torch.full((count, 3, 8, 8), level, dtype=torch.float64)


def test_losses_of_even_images_are_those_on_paper():
    assert LOSSES["l1"](grey(0.3), grey(0.1)).item() == pytest.approx(0.2)
    assert LOSSES["mse"](grey(0.3), grey(0.1)).item() == pytest.approx(0.04)
    # sqrt(0.000075^2 + 0.0001^2) = 0.000125, ten times as large.
    assert charbonnier_loss(grey(0.10075), grey(0.1)).item() == pytest.approx(0.00125)


def test_psnr_is_averaged_over_images_not_over_pixels():
    restored = torch.cat((grey(0.1), grey(0.01)))  # 20 and 40 dB
    assert psnr_loss(restored, grey(0.0, 2)).item() == pytest.approx(-30, abs=1e-3)


def test_laplacian_is_the_pyramid_by_definition():
    taps = np.array([1, 5, 8, 5, 1]) / 20
    kernel = np.outer(taps, taps)
    image = images(1)[0, 0].numpy()
    low = correlate(image, kernel, mode="nearest")
    low[1::2], low[:, 1::2] = 0, 0
    expected = image - 4 * correlate(low, kernel, mode="nearest")
    assert np.abs(laplacian(images(1))[0, 0].numpy() - expected).max() < 1e-12


def test_even_images_have_no_edges_but_along_the_border():
    assert laplacian(grey(0.7))[..., 2:-2, 2:-2].abs().max() < 1e-12


def test_edges_are_all_that_edge_loss_sees():
    x, y = images(1), images(2)
    edges = laplacian(x) - laplacian(y)
    expected = (edges**2 + 1e-6).sqrt().mean().item()
    assert edge_loss(x, y).item() == pytest.approx(expected)


def test_total_is_the_weighted_sum_over_losses_and_outputs():
    outputs = [grey(0.5), grey(0.4), grey(0.2)]  # errors 0.5, 0.4 and 0.2
    weights = {"l1": 1.0, "mse": 10.0}
    last = 0.2 + 10 * 0.04
    earlier = 0.5 + 10 * 0.25 + 0.4 + 10 * 0.16
    for stage_weight in (0, 0.1, 1):
        total = total_loss(outputs, grey(0.0), weights, stage_weight)
        assert total.item() == pytest.approx(last + stage_weight * earlier)
