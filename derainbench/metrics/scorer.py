"""All protocols at once, fast: what the protocols share is computed once, with OpenCV's filters.

:func:`derainbench.metrics.full_reference.score` scores one protocol with scikit-image and is the
yardstick: a test holds this module to it (PSNR within 1e-9 dB, SSIM within 1e-7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from derainbench.catalog.protocols import Protocol, protocols
from derainbench.foundation.reads import cache
from derainbench.metrics.full_reference import check_sizes, grey, luma, psnr_of, resized

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # K1, K2 of Wang et al. 2004, peak 255
_GAUSSIAN_RADIUS, _UNIFORM_RADIUS = 5, 3


STRIP_BYTES = 1 << 19  # of one plane: what is computed of a strip of rows stays in the cache


@dataclass(frozen=True)
class Window:
    """A window that SSIM's statistics are taken over.

    Attributes:
        radius: pixels on every side of its centre; centres nearer to the border are left out.
        average: writes the weighted mean over the window of every pixel of a float64 plane into
            another one of the same shape.
        bias: what variances are multiplied by: n / (n - 1) for sample covariance over n pixels.
    """

    radius: int
    average: Callable[[np.ndarray, np.ndarray], object]
    bias: float = 1.0


_SIDE = 2 * _GAUSSIAN_RADIUS + 1
_BOX = 2 * _UNIFORM_RADIUS + 1
GAUSSIAN = Window(
    _GAUSSIAN_RADIUS,
    lambda plane, out: cv2.GaussianBlur(plane, (_SIDE, _SIDE), sigmaX=1.5, dst=out),
)
UNIFORM = Window(
    _UNIFORM_RADIUS,
    lambda plane, out: cv2.blur(plane, (_BOX, _BOX), dst=out),
    bias=_BOX**2 / (_BOX**2 - 1),
)


def mean_ssims(x: np.ndarray, y: np.ndarray, window: Window, borders: Iterable[int]) -> list[float]:
    """Mean SSIM of two planes without a border, for several borders at once.

    Strips of rows are computed one after the other in buffers that are used again: memory that is
    asked for anew costs more than the arithmetic.

    Args:
        x, y: float64 [H,W] or [H,W,3], from 0 to 255.
        window: that statistics are taken over.
        borders: pixels left out at every side; windows lie inside what is left.
    """
    height, width = x.shape[:2]
    r = window.radius
    rows = max(1, STRIP_BYTES // x[0].nbytes)
    shape = (min(rows + 2 * r, height), *x.shape[1:])
    buffers = np.empty((6, *shape))
    insets = [border + r for border in borders]
    sums = [0.0] * len(insets)
    for top in range(r, height - r, rows):
        bottom = min(top + rows, height - r)
        strip = np.s_[top - r : bottom + r]
        ssim = _ssim_of_strip(x[strip], y[strip], window, buffers[:, : bottom - top + 2 * r])
        for i, inset in enumerate(insets):
            first, last = max(top, inset), min(bottom, height - inset)
            if first < last:
                inside = ssim[first - top + r : last - top + r, inset : width - inset]
                sums[i] += float(inside.sum())
    channels = x[0, 0].size
    return [
        total / ((height - 2 * inset) * (width - 2 * inset) * channels)
        for total, inset in zip(sums, insets, strict=True)
    ]


def _ssim_of_strip(x: np.ndarray, y: np.ndarray, window: Window, buffers: np.ndarray) -> np.ndarray:
    """SSIM at every pixel of a strip, in one of the buffers; wrong near its edges."""
    mean_x, mean_y, variances, product, covariance, scratch = buffers
    window.average(x, mean_x)
    window.average(y, mean_y)
    np.multiply(x, y, out=scratch)
    window.average(scratch, covariance)
    np.multiply(x, x, out=scratch)  # of the sum of both variances only one mean is needed
    np.multiply(y, y, out=product)
    scratch += product
    window.average(scratch, variances)
    np.multiply(mean_x, mean_y, out=product)
    covariance -= product
    covariance *= 2 * window.bias
    covariance += _C2
    mean_x *= mean_x
    mean_y *= mean_y
    mean_x += mean_y  # the sum of the squared means
    variances -= mean_x
    variances *= window.bias
    variances += _C2
    mean_x += _C1
    variances *= mean_x
    product *= 2
    product += _C1
    product *= covariance
    product /= variances
    return product


def mean_squares(x: np.ndarray, y: np.ndarray, borders: Iterable[int]) -> list[float]:
    """Mean squared difference of two planes without a border, for several borders at once."""
    error = x - y
    np.multiply(error, error, out=error)
    height, width = x.shape[:2]
    return [float(error[b : height - b, b : width - b].mean()) for b in borders]


class Scorer:
    """Scores restored images against one ground truth.

    Args:
        target: the ground truth, uint8 [H,W,3].
    """

    def __init__(self, target: np.ndarray) -> None:
        self.target = target
        self._planes = _Planes(target, target)

    def __call__(
        self, restored: np.ndarray, unrounded: np.ndarray | None = None
    ) -> dict[str, tuple[float, float]]:
        """(PSNR in dB, SSIM) under every protocol, by name; identical images have PSNR infinity.

        Args:
            restored: uint8 [H,W,3].
            unrounded: the same before it was rounded, float [H,W,3] from 0 to 255, for the protocols
                that score that one.

        Raises:
            BenchError: if the sizes differ, or the image is too small for the SSIM window of any.
        """
        for protocol in protocols().values():
            check_sizes(restored, self.target, protocol)
        planes = _Planes(restored, restored if unrounded is None else unrounded)
        scores = {}
        for alike in _alike():
            borders = [protocol.border for protocol in alike]
            errors = mean_squares(planes.of(alike[0]), self._planes.of(alike[0]), borders)
            judged = planes.judged(alike[0]), self._planes.judged(alike[0])
            window = UNIFORM if alike[0].uniform else GAUSSIAN
            ssims = mean_ssims(*judged, window, borders)
            for protocol, error, ssim in zip(alike, errors, ssims, strict=True):
                scores[protocol.name] = psnr_of(error), ssim
        return {name: scores[name] for name in protocols()}


@cache
def _alike() -> list[list[Protocol]]:
    """The protocols, those together that compare the same planes but for their borders."""
    kinds: dict[Protocol, list[Protocol]] = {}
    for protocol in protocols().values():
        kinds.setdefault(
            protocol.model_copy(update={"name": "", "description": "", "border": 0}), []
        ).append(protocol)
    return list(kinds.values())


class _Planes:
    """One image in the forms that the protocols compare."""

    def __init__(self, image: np.ndarray, unrounded: np.ndarray) -> None:
        self.image = image
        self.unrounded = unrounded

    def of(self, protocol: Protocol) -> np.ndarray:
        """What PSNR compares."""
        if protocol.side:
            return self._square(protocol.side).astype(np.float64)
        if protocol.luma:
            return np.rint(self._luma) if protocol.round_luma else self._luma
        return self._unrounded if protocol.uniform else self._rgb

    def judged(self, protocol: Protocol) -> np.ndarray:
        """What SSIM compares."""
        if protocol.side:
            return grey(self._square(protocol.side)).astype(np.float64)
        return self.of(protocol)

    @cached_property
    def _luma(self) -> np.ndarray:
        return luma(self.image)

    @cached_property
    def _rgb(self) -> np.ndarray:
        return self.image.astype(np.float64)

    @cached_property
    def _unrounded(self) -> np.ndarray:
        return self._rgb if self.unrounded is self.image else self.unrounded.astype(np.float64)

    def _square(self, side: int) -> np.ndarray:
        return resized(self.image, side)


def score_all(
    restored: np.ndarray, target: np.ndarray, unrounded: np.ndarray | None = None
) -> dict[str, tuple[float, float]]:
    """(PSNR, SSIM) under every protocol, by protocol name; see :class:`Scorer`."""
    return Scorer(target)(restored, unrounded)
