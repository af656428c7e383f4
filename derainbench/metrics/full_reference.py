"""PSNR and SSIM of a restored image against its ground truth, under the named protocols.

All take 8-bit RGB images [H,W,3] and use peak 255; SSIM is Wang et al. 2004 with an 11x11 Gaussian
window (sigma 1.5, K1 0.01, K2 0.03, population covariance), averaged over whole windows, where the
protocol does not say otherwise.
"""

from __future__ import annotations

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from derainbench.catalog.protocols import Protocol
from derainbench.foundation.errors import BenchError

# ITU-R BT.601 luma as in MATLAB's rgb2ycbcr: Y in [16, 235] for inputs in [0, 1].
_Y_WEIGHTS = np.array([65.481, 128.553, 24.966])
_WINDOW = 11
_UNIFORM_WINDOW = 7


def luma(image: np.ndarray) -> np.ndarray:
    """BT.601 Y in [16, 235] of uint8 [H,W,3], float64 [H,W]."""
    return 16 + image.astype(np.float64) @ _Y_WEIGHTS / 255


def score(
    restored: np.ndarray,
    target: np.ndarray,
    protocol: Protocol,
    unrounded: np.ndarray | None = None,
) -> tuple[float, float]:
    """(PSNR in dB, SSIM) of one image; identical images have PSNR infinity.

    Args:
        restored: uint8 [H,W,3].
        target: uint8 [H,W,3], the ground truth.
        protocol: one of :func:`~derainbench.catalog.protocols.protocols`.
        unrounded: the restored image before it was rounded, float [H,W,3] from 0 to 255, for the
            protocols that score that one.

    Raises:
        BenchError: if the sizes differ or the image is too small for the SSIM window.
    """
    check_sizes(restored, target, protocol)
    if protocol.side:
        restored, target = (resized(image, protocol.side) for image in (restored, target))
    if protocol.unrounded and unrounded is not None:
        restored = unrounded
    x, y = (_compared(image, protocol) for image in (restored, target))
    if not protocol.uniform:
        return psnr(x, y), ssim(x, y)
    if protocol.grey_ssim:
        return psnr(x, y), uniform_ssim(grey(restored), grey(target))
    return psnr(x, y), uniform_ssim(x, y)


def check_sizes(restored: np.ndarray, target: np.ndarray, protocol: Protocol) -> None:
    """Refuses what a protocol cannot score.

    Raises:
        BenchError: if the sizes differ or the image is too small for the SSIM window.
    """
    if restored.shape != target.shape:
        raise BenchError(f"sizes differ: {restored.shape[:2]} against {target.shape[:2]}")
    height, width = restored.shape[:2]
    if min(height, width) < smallest_side(protocol):
        raise BenchError(
            f"{height}x{width} is too small for protocol {protocol.name}: SSIM needs "
            f"{smallest_side(protocol)} pixels each way"
        )


def _compared(image: np.ndarray, protocol: Protocol) -> np.ndarray:
    """What a protocol compares of an image: float64 [H,W] or [H,W,3], its border cropped."""
    b = protocol.border
    plane = luma(image) if protocol.luma else image.astype(np.float64)
    inside = plane[b : plane.shape[0] - b, b : plane.shape[1] - b]
    return np.rint(inside) if protocol.round_luma else inside


def smallest_side(protocol: Protocol) -> int:
    """The least height and width, pixels, that SSIM's window fits into under a protocol."""
    if protocol.side:
        return 1
    return (_UNIFORM_WINDOW if protocol.uniform else _WINDOW) + 2 * protocol.border


def resized(image: np.ndarray, side: int) -> np.ndarray:
    """uint8 [H,W,3] -> uint8 [side,side,3], bilinear by OpenCV: its aspect ratio is lost."""
    return cv2.resize(image, (side, side))


def grey(image: np.ndarray) -> np.ndarray:
    """uint8 RGB [H,W,3] -> uint8 [H,W], OpenCV's weights and rounding."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def psnr(x: np.ndarray, y: np.ndarray) -> float:
    """PSNR in dB, peak 255, from the mean squared error over all elements."""
    return psnr_of(float(np.mean((x - y) ** 2)))


def psnr_of(mean_square: float) -> float:
    """PSNR in dB, peak 255, of a mean squared error; infinity for none."""
    return float("inf") if mean_square == 0 else 10 * float(np.log10(255**2 / mean_square))


def ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Mean SSIM, peak 255, of float [H,W] or [H,W,3] (then the mean over channels).

    pyiqa is not used here: its Y-channel SSIM rounds Y, its RGB SSIM clips negative structure to
    0 and its PSNR adds 1e-8 to the error, so each differs from what the scripts behind the
    protocols compute (``docs/metrics.md`` says by how much).
    """
    return float(
        structural_similarity(
            x,
            y,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            channel_axis=None if x.ndim == 2 else -1,
        )
    )


def uniform_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Mean SSIM by scikit-image's defaults, peak 255, of [H,W] or [H,W,3] (mean over channels)."""
    return float(
        structural_similarity(x, y, data_range=255, channel_axis=None if x.ndim == 2 else -1)
    )
