"""All protocols at once, fast: what the protocols share is computed once, in compiled loops.

:func:`derainbench.metrics.full_reference.score` scores one protocol with scikit-image and is the
yardstick: a test holds this module to it (PSNR within 1e-9 dB, SSIM within 1e-7).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from derainbench.catalog.protocols import Protocol, protocols
from derainbench.foundation.reads import cache
from derainbench.metrics.compiled import squared_error, ssim_sums
from derainbench.metrics.full_reference import check_sizes, grey, luma, psnr_of, resized


@dataclass(frozen=True)
class Window:
    """A window that SSIM's statistics are taken over.

    Attributes:
        weights: of its rows, and of its columns.
        bias: what variances are multiplied by: n / (n - 1) for sample covariance over n pixels.
    """

    weights: np.ndarray
    bias: float = 1.0


_BELL = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
GAUSSIAN = Window(_BELL / _BELL.sum())
UNIFORM = Window(np.full(7, 1 / 7), bias=49 / 48)


def mean_ssims(x: np.ndarray, y: np.ndarray, window: Window, borders: Iterable[int]) -> list[float]:
    """Mean SSIM of two planes or images without a border, for several borders at once.

    Args:
        x, y: [H,W] or [H,W,3], from 0 to 255.
        window: that statistics are taken over.
        borders: pixels left out at every side; windows lie inside what is left.
    """
    height, width, channels = _shape(x)
    insets = np.array(list(borders))
    sums = ssim_sums(*_rows(x, y), window.weights, channels, window.bias, insets)
    lost = 2 * insets + len(window.weights) - 1
    return (sums / ((height - lost) * (width - lost) * channels)).tolist()


def mean_squares(x: np.ndarray, y: np.ndarray, borders: Iterable[int]) -> list[float]:
    """Mean squared difference of two planes or images without a border, for several borders."""
    height, width, channels = _shape(x)
    return [
        squared_error(*_rows(x, y), border, border * channels)
        / ((height - 2 * border) * (width - 2 * border) * channels)
        for border in borders
    ]


def _shape(image: np.ndarray) -> tuple[int, int, int]:
    """Height, width and channels of [H,W] or [H,W,C]."""
    return image.shape[0], image.shape[1], image[0, 0].size


def _rows(*images: np.ndarray) -> list[np.ndarray]:
    """[H,W] or [H,W,C] each -> [H,W*C] of one type, for which compiled loops exist."""
    whole = all(image.dtype == np.uint8 for image in images)
    kind = np.uint8 if whole else np.float64
    return [np.ascontiguousarray(i, dtype=kind).reshape(len(i), -1) for i in images]


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
            return self._square(protocol.side)
        if protocol.luma:
            return np.rint(self._luma) if protocol.round_luma else self._luma
        return self.unrounded if protocol.uniform else self.image

    def judged(self, protocol: Protocol) -> np.ndarray:
        """What SSIM compares."""
        if protocol.side:
            return grey(self._square(protocol.side))
        return self.of(protocol)

    @cached_property
    def _luma(self) -> np.ndarray:
        return luma(self.image)

    def _square(self, side: int) -> np.ndarray:
        return resized(self.image, side)


def score_all(
    restored: np.ndarray, target: np.ndarray, unrounded: np.ndarray | None = None
) -> dict[str, tuple[float, float]]:
    """(PSNR, SSIM) under every protocol, by protocol name; see :class:`Scorer`."""
    return Scorer(target)(restored, unrounded)
