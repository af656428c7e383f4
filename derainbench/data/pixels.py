"""What identifies an image and its rain: digests, orientations, perceptual hashes, streak statistics."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import imagehash
import numpy as np
from PIL import Image

# How a copy lies -> the turn that brings it upright: the eight ways a rectangle can lie.
_TURN = Image.Transpose
ORIENTATIONS: dict[str, Image.Transpose | None] = {
    "upright": None,
    "rotated by 90 degrees": _TURN.ROTATE_90,
    "rotated by 180 degrees": _TURN.ROTATE_180,
    "rotated by 270 degrees": _TURN.ROTATE_270,
    "mirrored left to right": _TURN.FLIP_LEFT_RIGHT,
    "mirrored top to bottom": _TURN.FLIP_TOP_BOTTOM,
    "transposed": _TURN.TRANSPOSE,
    "transposed across the other diagonal": _TURN.TRANSVERSE,
}
# 256-bit DCT hash; how far apart hashes of one photograph and of different ones lie:
# docs/data.md, measured by benchmarks/leak_threshold.py.
HASH_SIDE = 16
# Grey levels that a pixel must gain to count as covered by a streak: above JPEG noise, below what
# the eye takes for rain.
STREAK_LEVEL = 16


def pixel_digest(image: np.ndarray) -> str:
    """SHA-256 of decoded uint8 [H,W,3] pixels, row by row; the file format does not matter."""
    return hashlib.sha256(np.ascontiguousarray(image).data).hexdigest()


def _turned(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)


def _digests(image: np.ndarray) -> Iterator[tuple[str, str]]:
    """(orientation, pixel digest after bringing it upright), for all eight."""
    picture = Image.fromarray(image)
    for name, turn in ORIENTATIONS.items():
        yield name, hashlib.sha256(_turned(picture, turn).tobytes()).hexdigest()


def orientation_of(image: np.ndarray, digest: str) -> str | None:
    """How ``image`` lies relative to the one with this digest; None if it is another image."""
    return next((name for name, found in _digests(image) if found == digest), None)


def background_key(image: np.ndarray) -> str:
    """One digest for all eight orientations of an image: the smallest of theirs."""
    return min(digest for _, digest in _digests(image))


def perceptual_hashes(image: np.ndarray) -> list[str]:
    """256-bit DCT hashes (hexadecimal) of the eight orientations, upright first."""
    side = 4 * HASH_SIDE  # what phash itself reduces an image to
    small = Image.fromarray(image).convert("L").resize((side, side), Image.Resampling.LANCZOS)
    return [str(imagehash.phash(_turned(small, t), HASH_SIDE)) for t in ORIENTATIONS.values()]


@dataclass(frozen=True)
class RainFacts:
    """Statistics of the residual O - B of one pair.

    Attributes:
        streak_density: share of pixels at least :data:`STREAK_LEVEL` grey levels brighter in the
            rainy image (mean over channels).
        mean_layer: mean of O - B, grey levels.
        below: share of channel values with O < B.
        coloured: share of pixels whose gain differs between unclipped channels.
    """

    streak_density: float
    mean_layer: float
    below: float
    coloured: float


def rain_facts(rainy: np.ndarray, clean: np.ndarray) -> RainFacts:
    """Compares a pair of uint8 [H,W,3] images of one size."""
    # Channel by channel: reducing over an axis of length 3 is ten times slower.
    rainy_channels = [np.ascontiguousarray(rainy[..., c]) for c in range(3)]
    gains = [o.astype(np.int16) - clean[..., c] for c, o in enumerate(rainy_channels)]
    total = gains[0] + gains[1] + gains[2]
    coloured = np.zeros(rainy.shape[:2], bool)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        unclipped = np.maximum(rainy_channels[i], rainy_channels[j]) < 255
        coloured |= (gains[i] != gains[j]) & unclipped
    return RainFacts(
        streak_density=float((total >= 3 * STREAK_LEVEL).mean()),
        mean_layer=float(total.mean() / 3),
        below=sum(float((g < 0).mean()) for g in gains) / 3,
        coloured=float(coloured.mean()),
    )
