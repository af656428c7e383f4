"""Every protocol gives the number of the script it is named after."""

import cv2
import numpy as np
import pytest
from helpers import GOLDEN, noise, one_line, read_json
from scipy.signal import correlate2d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from derainbench.catalog.protocols import protocols
from derainbench.data.images import read_rgb
from derainbench.foundation.errors import BenchError
from derainbench.metrics.full_reference import luma, score
from derainbench.metrics.scorer import Scorer, score_all

EXPECTED = read_json(GOLDEN / "metrics" / "open" / "expected.json")
# protocol: names in expected.json of its PSNR and its SSIM, tolerances of both. The MATLAB scripts
# ran under GNU Octave.
OFFICIAL = {
    "esdnet": ("esdnet_y_crop4", "esdnet_y_crop4", 1e-6, 1e-5),
    "matlab-uint8": ("restormer_matlab_y_uint8", "restormer_matlab_y_uint8", 1e-3, 1e-4),
    "matlab-double": ("prenet_matlab_y_double", "prenet_matlab_y_double", 1e-3, 1e-4),
    "rgb": ("rgb_global_mse", "rgb_channel_mean", 1e-6, 1e-5),
}


@pytest.mark.parametrize("protocol", OFFICIAL)
@pytest.mark.parametrize("image", EXPECTED)
def test_scores_equal_the_official_ones(image, protocol, shared):
    # The images are real ones, so they are not committed here.
    folder = shared / "golden" / "metrics" / "open"
    restored, target = (read_rgb(folder / side / image) for side in ("restored", "target"))
    psnr, ssim = score(restored, target, protocols()[protocol])
    psnr_name, ssim_name, psnr_tolerance, ssim_tolerance = OFFICIAL[protocol]
    assert psnr == pytest.approx(EXPECTED[image][psnr_name]["psnr"], rel=0, abs=psnr_tolerance)
    assert ssim == pytest.approx(EXPECTED[image][ssim_name]["ssim"], rel=0, abs=ssim_tolerance)


@pytest.mark.parametrize("image", EXPECTED)
def test_scores_equal_those_of_vlifs_script(image, shared):
    folder = shared / "golden" / "metrics" / "open"
    restored, target = (read_rgb(folder / side / image) for side in ("restored", "target"))
    expected = read_json(folder / "expected_vlif.json")["images"][image]
    psnr, ssim = score(restored, target, protocols()["vlif"])
    assert psnr == pytest.approx(expected["psnr"], rel=0, abs=1e-6)
    assert ssim == pytest.approx(expected["ssim"], rel=0, abs=1e-6)


@pytest.mark.parametrize("size", [(19, 19), (20, 33), (96, 131)])
@pytest.mark.parametrize("strength", [0.02, 0.5, 1.0])
def test_all_protocols_at_once_give_what_each_gives_alone(size, strength):
    target, change = noise(*size, seed=1), noise(*size, seed=2)
    levels = ((1 - strength) * target + strength * change).astype(np.float32)
    restored, scorer = np.rint(levels).astype(np.uint8), Scorer(target)
    for unrounded in (None, levels):
        for name, (psnr, ssim) in scorer(restored, unrounded).items():
            expected = score(restored, target, protocols()[name], unrounded)
            assert psnr == pytest.approx(expected[0], rel=0, abs=1e-9)
            assert ssim == pytest.approx(expected[1], rel=0, abs=1e-9)


def test_an_image_before_rounding_moves_only_the_protocol_that_asks_for_it():
    target = plain(100)
    levels = np.full(target.shape, 100.4, dtype=np.float32)
    rounded, unrounded = score_all(target, target), score_all(target, target, levels)
    assert unrounded.pop("vlif")[0] == pytest.approx(20 * np.log10(255 / 0.4), abs=1e-4)
    assert rounded.pop("vlif")[0] == np.inf
    assert unrounded == rounded


def test_spikerains_script_resizes_first():
    restored, target = noise(40, 60), noise(40, 60, seed=1)
    big = [cv2.resize(image[..., ::-1], (512, 512)) for image in (restored, target)]
    grey = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in big]
    psnr, ssim = score(restored, target, protocols()["spikerain"])
    assert psnr == pytest.approx(peak_signal_noise_ratio(big[1], big[0]), abs=1e-10)
    assert ssim == pytest.approx(structural_similarity(*grey), abs=1e-10)
    assert psnr != pytest.approx(score(restored, target, protocols()["rgb"])[0], abs=0.1)


def plain(value: int, size: int = 24) -> np.ndarray:
    return np.full((size, size, 3), value, dtype=np.uint8)


def test_luma_is_that_of_matlab():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    expected = [16, 235, 16 + 65.481, 16 + 128.553, 16 + 24.966]
    np.testing.assert_allclose(luma(colours.astype(np.uint8))[0], expected, rtol=0, atol=1e-12)


def test_psnr_of_a_constant_error_is_the_one_on_paper():
    scores = score_all(plain(110), plain(100))
    float_luma = 20 * np.log10(255 / (10 * 219 / 255))  # grey g has Y = 16 + 219 g / 255
    assert scores["rgb"][0] == pytest.approx(20 * np.log10(25.5), abs=1e-10)
    assert scores["matlab-double"][0] == pytest.approx(float_luma, abs=1e-10)
    assert scores["esdnet"][0] == pytest.approx(float_luma, abs=1e-10)
    # Y 110.47 and 101.88 are rounded to 110 and 102
    assert scores["matlab-uint8"][0] == pytest.approx(20 * np.log10(255 / 8), abs=1e-10)


def test_rgb_psnr_comes_from_the_error_over_all_channels():
    restored = plain(100)
    restored[..., 0] = 103
    assert score_all(restored, plain(100))["rgb"][0] == pytest.approx(
        10 * np.log10(255**2 / (9 / 3)), abs=1e-10
    )


def test_only_protocol_esdnet_leaves_out_a_border_of_four_pixels():
    restored = plain(100)
    restored[:4] = restored[-4:] = 200
    restored[:, :4] = restored[:, -4:] = 200
    scores = score_all(restored, plain(100))
    assert scores.pop("esdnet") == (np.inf, pytest.approx(1))
    assert all(psnr < 30 and ssim < 0.99 for psnr, ssim in scores.values())
    restored[4, 4] = 200
    assert np.isfinite(score_all(restored, plain(100))["esdnet"][0])


def ssim_by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Wang et al. 2004, mean over the windows that lie wholly inside, float [H,W]."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(image):
        return correlate2d(image, window, mode="valid")

    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))


@pytest.mark.parametrize("size", [(19, 19), (20, 33), (47, 31)])
def test_ssim_is_the_one_by_definition(size):
    target, change = noise(*size, seed=1), noise(*size, seed=2)
    restored = (0.7 * target + 0.3 * change).astype(np.uint8)
    scores = {name: score(restored, target, protocols()[name])[1] for name in OFFICIAL}
    x, y = luma(restored), luma(target)
    expected = {
        "esdnet": ssim_by_definition(x[4:-4, 4:-4], y[4:-4, 4:-4]),
        "matlab-uint8": ssim_by_definition(np.rint(x), np.rint(y)),
        "matlab-double": ssim_by_definition(x, y),
        "rgb": np.mean(
            [ssim_by_definition(restored[..., c] * 1.0, target[..., c] * 1.0) for c in range(3)]
        ),
    }
    assert scores == pytest.approx(expected, rel=0, abs=1e-9)
    assert len({round(v, 6) for v in expected.values()}) == 4


@pytest.mark.parametrize("protocol", protocols())
def test_identical_images_score_infinity_and_one(protocol):
    image = noise(30, 25)
    psnr, ssim = score(image, image.copy(), protocols()[protocol])
    assert psnr == np.inf
    assert ssim == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("protocol", "smallest"),
    [("esdnet", 19), ("matlab-uint8", 11), ("matlab-double", 11), ("rgb", 11)],
)
def test_images_smaller_than_the_window_are_refused(protocol, smallest):
    frozen = protocols()[protocol]
    assert np.isfinite(score(noise(smallest, 40, 1), noise(smallest, 40, 2), frozen)).all()
    with pytest.raises(BenchError) as refused:
        score(noise(40, smallest - 1, 1), noise(40, smallest - 1, 2), frozen)
    assert f"{smallest} pixels" in one_line(refused.value)


def test_unequal_sizes_are_refused():
    with pytest.raises(BenchError, match="sizes differ"):
        score_all(noise(20, 30), noise(30, 20))
