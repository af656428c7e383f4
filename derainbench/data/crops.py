"""Training crops and validation crops of paired images."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from derainbench.data.decoded import Kept
from derainbench.data.images import image_size
from derainbench.data.pairs import Pair
from derainbench.foundation.errors import BenchError

# What may be done to a square image [S,S,3]; all three together give its 8 symmetries equally often.
AUGMENTATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hflip": np.fliplr,
    "vflip": np.flipud,
    "rot90": np.rot90,
}


class CropKey(NamedTuple):
    """Which crop: its number in an epoch, and the side S where it is not that of all crops."""

    number: int
    epoch: int = 0
    size: int | None = None


class Crops(Dataset):
    """Square crops of pairs: one item is (rainy, clean), float32 [3,S,S] in [0,1].

    With ``seed`` the crops are random: item i of an epoch depends on (seed, epoch, i) alone, so
    neither worker processes nor a resumed run change what is seen. Without, they are central.
    A key (:class:`CropKey`) says all of it, a number alone means epoch 0.

    Args:
        pairs: the images.
        size: side S, pixels; keys may ask for less.
        seed: source of randomness, or None for central crops.
        per_image: crops of each image in one epoch.
        augment: names of :data:`AUGMENTATIONS`, each done to half of the random crops.
        pad: reflect images at their right and lower borders where they are smaller than the crop.
        read: gives an image as uint8 [H,W,3]; default: decoded once and kept in memory. See
            :func:`derainbench.data.decoded.image_reader`.

    Raises:
        BenchError: if an image is smaller than the crop, unless ``pad``.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        size: int,
        seed: int | None = None,
        per_image: int = 1,
        augment: Sequence[str] = (),
        pad: bool = False,
        read: Callable[[Path], np.ndarray] | None = None,
    ) -> None:
        self.pairs = list(pairs)
        self.size = size
        self.seed = seed
        self.per_image = per_image
        self.augment = [AUGMENTATIONS[name] for name in augment]
        self._read = read or Kept().read
        for pair in self.pairs:
            height, width = image_size(pair.input)
            if min(height, width) < size and not pad:
                raise BenchError(
                    f"{pair.input}: {height}x{width} is smaller than the {size}x{size} crop; "
                    "use larger images or a smaller crop"
                )

    def __len__(self) -> int:
        return len(self.pairs) * self.per_image

    def __getitem__(self, key: CropKey | int) -> tuple[torch.Tensor, torch.Tensor]:
        number, epoch, size = CropKey(key) if isinstance(key, int) else key
        size = size or self.size
        files = self.pairs[number % len(self.pairs)]
        pair = [_padded(self._read(file), size) for file in (files.input, files.clean)]
        height, width = pair[0].shape[:2]
        chosen = []
        if self.seed is None:
            top, left = (height - size) // 2, (width - size) // 2
        else:
            rng = np.random.default_rng([self.seed, epoch, number])
            top = int(rng.integers(height - size + 1))
            left = int(rng.integers(width - size + 1))
            chosen = [change for change in self.augment if rng.random() < 0.5]
        rainy, clean = (image[top : top + size, left : left + size] for image in pair)
        for change in chosen:
            rainy, clean = change(rainy), change(clean)
        return to_tensor(rainy), to_tensor(clean)


def _padded(image: np.ndarray, size: int) -> np.ndarray:
    """The image [H,W,3], reflected to the right and downwards if a side is below ``size``."""
    missing = [max(size - side, 0) for side in image.shape[:2]]
    if not any(missing):
        return image
    return np.pad(image, [*((0, m) for m in missing), (0, 0)], mode="reflect")


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """uint8 [H,W,3] -> float32 [3,H,W] in [0,1]."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


def hold_out(pairs: Sequence[Pair], fraction: float) -> tuple[list[Pair], list[Pair]]:
    """Splits pairs into (kept, held out) by a hash of their names: stable under additions.

    Raises:
        BenchError: if there are fewer than two pairs.
    """
    if len(pairs) < 2:
        raise BenchError("one training pair cannot be split into training and validation")
    ranked = sorted(pairs, key=lambda p: hashlib.sha256(p.name.encode()).hexdigest())
    count = min(max(1, round(fraction * len(pairs))), len(pairs) - 1)
    held_out = {p.name for p in ranked[:count]}
    return [p for p in pairs if p.name not in held_out], [p for p in pairs if p.name in held_out]
