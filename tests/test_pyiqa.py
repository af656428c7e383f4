"""Where pyiqa agrees with the official scripts and where not: why the protocols do without it."""

import numpy as np
import pytest
import torch
from helpers import GOLDEN, noise, read_json

from derainbench.catalog.protocols import protocols
from derainbench.data.images import read_rgb
from derainbench.metrics.full_reference import luma, score, ssim

pytestmark = pytest.mark.slow
EXPECTED = read_json(GOLDEN / "metrics" / "open" / "expected.json")


@pytest.fixture(scope="module")
def pyiqa_score():
    """Scores uint8 images with a pyiqa metric, in float64."""
    import pyiqa  # takes seconds

    def run(metric: str, restored: np.ndarray, target: np.ndarray, **options) -> float:
        x, y = (torch.from_numpy(i / 255).permute(2, 0, 1)[None] for i in (restored, target))
        return pyiqa.create_metric(metric, device="cpu", **options)(x, y).item()

    return run


@pytest.fixture
def golden_pair(shared, image) -> tuple[np.ndarray, np.ndarray]:
    folder = shared / "golden" / "metrics" / "open"
    return read_rgb(folder / "restored" / image), read_rgb(folder / "target" / image)


@pytest.mark.parametrize("image", ["derained_0.png", "derained_7.png"])
def test_rgb_ssim_agrees_on_derained_images(pyiqa_score, golden_pair, image):
    official = EXPECTED[image]["rgb_channel_mean"]["ssim"]
    assert pyiqa_score("ssimc", *golden_pair) == pytest.approx(official, rel=0, abs=1e-5)


@pytest.mark.parametrize("image", ["rainy_50.png", "rainy_77.png"])
def test_rgb_ssim_differs_on_heavily_rainy_images(pyiqa_score, golden_pair, image):
    official = EXPECTED[image]["rgb_channel_mean"]["ssim"]
    assert pyiqa_score("ssimc", *golden_pair) - official > 1e-5


@pytest.mark.parametrize("image", ["derained_0.png", "derained_31.png", "rainy_1.png"])
def test_rgb_psnr_differs(pyiqa_score, golden_pair, image):
    official = EXPECTED[image]["rgb_global_mse"]["psnr"]
    assert official - pyiqa_score("psnr", *golden_pair) > 1e-6


def slightly_changed(image: np.ndarray) -> np.ndarray:
    return np.clip(image.astype(int) + noise(*image.shape[:2], seed=9) % 3, 0, 255).astype(np.uint8)


def test_psnr_differs_by_1e_8_added_to_the_error(pyiqa_score):
    target = noise(32, 32)
    restored = slightly_changed(target)
    mse = np.mean((restored / 255 - target / 255) ** 2)
    theirs = pyiqa_score("psnr", restored, target)
    assert theirs == pytest.approx(10 * np.log10(1 / (mse + 1e-8)), rel=0, abs=1e-9)
    assert score(restored, target, protocols()["rgb"])[0] - theirs > 1e-6


def test_rgb_ssim_differs_by_clipped_structure(pyiqa_score):
    target = noise(32, 32)
    inverted = 255 - target
    assert score(inverted, target, protocols()["rgb"])[1] < -0.5
    assert pyiqa_score("ssimc", inverted, target) >= 0


def test_luma_ssim_differs_by_rounding(pyiqa_score):
    target = noise(32, 32) // 16  # dark and flat, so that rounding shows
    restored = slightly_changed(target)
    theirs = pyiqa_score("ssim", restored, target, test_y_channel=True, color_space="ycbcr")
    x, y = luma(restored), luma(target)
    assert theirs == pytest.approx(ssim(np.rint(x), np.rint(y)), rel=0, abs=1e-6)
    assert abs(theirs - ssim(x, y)) > 1e-4
