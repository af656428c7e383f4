"""Whole-image and tiled inference, and the way to 8 bits."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from derainbench.data.crops import to_tensor
from derainbench.errors import BenchError

TILE, OVERLAP = 80, 8  # the authors' inference script
TILE_BATCH = 8
MODES = ("tiled", "whole")
QUANTISE = ("round", "truncate")


def restore(model: nn.Module, image: torch.Tensor, mode: str, size_multiple: int) -> torch.Tensor:
    """Restores one image with a model in eval mode.

    Args:
        model: takes and gives [N,3,h,w].
        image: float [3,H,W] in [0,1], any size; on the model's device.
        mode: "tiled" or "whole".
        size_multiple: what h and w must be multiples of.

    Returns:
        Float [3,H,W], unclamped.
    """
    if mode == "whole":
        return restore_whole(model, image, size_multiple)
    return restore_tiled(model, image)


@torch.no_grad()
def restore_whole(model: nn.Module, image: torch.Tensor, size_multiple: int) -> torch.Tensor:
    """One pass over the image, its right and bottom edge repeated up to the size multiple."""
    height, width = image.shape[1:]
    padded = F.pad(
        image[None], (0, -width % size_multiple, 0, -height % size_multiple), mode="replicate"
    )
    return model(padded)[0, :, :height, :width]


def tile_starts(length: int, tile: int = TILE, overlap: int = OVERLAP) -> list[int]:
    """Where tiles begin along one side: every ``tile - overlap`` pixels, the last one flush."""
    starts = list(range(0, length - tile, tile - overlap))
    return [*starts, length - tile]


@torch.no_grad()
def restore_tiled(model: nn.Module, image: torch.Tensor) -> torch.Tensor:
    """The authors' scheme: 80x80 tiles, overlap 8, blended by inverse distance to the centre.

    Membrane potentials start anew in every tile, because models keep no state between calls.
    A side shorter than a tile is extended by repeating its edge pixels, then cut back.
    """
    height, width = image.shape[1:]
    padded = F.pad(
        image[None], (0, max(0, TILE - width), 0, max(0, TILE - height)), mode="replicate"
    )[0]
    spots = [
        (top, left) for top in tile_starts(padded.shape[1]) for left in tile_starts(padded.shape[2])
    ]
    weight = _tile_weight(image)
    total = torch.zeros_like(padded)
    weights = torch.zeros_like(padded[0])
    for first in range(0, len(spots), TILE_BATCH):
        batch = spots[first : first + TILE_BATCH]
        tiles = model(torch.stack([padded[:, t : t + TILE, s : s + TILE] for t, s in batch]))
        for (top, left), tile in zip(batch, tiles, strict=True):
            window = np.s_[..., top : top + TILE, left : left + TILE]
            total[window] += tile * weight
            weights[window] += weight
    return (total / weights)[:, :height, :width]


def _tile_weight(like: torch.Tensor) -> torch.Tensor:
    """1 / sqrt(d^2 + 1e-3), d = distance in pixels to (40, 40), float [80,80]."""
    offset = torch.arange(TILE, dtype=like.dtype, device=like.device) - TILE // 2
    return (offset[:, None] ** 2 + offset[None, :] ** 2 + 1e-3).rsqrt()


def to_uint8(restored: torch.Tensor, quantise: str) -> np.ndarray:
    """Clamps [3,H,W] to [0,1] and makes it uint8 [H,W,3].

    Args:
        restored: float image.
        quantise: "round" to the nearest level, or "truncate" as PReNet's script does.
    """
    levels = restored.clamp(0, 1).permute(1, 2, 0).cpu().numpy() * np.float32(255)
    return (np.rint(levels) if quantise == "round" else levels).astype(np.uint8)


def restore_image(
    model: nn.Module,
    image: np.ndarray,
    *,
    mode: str,
    quantise: str,
    size_multiple: int,
    device: torch.device,
) -> np.ndarray:
    """uint8 [H,W,3] in, restored uint8 [H,W,3] out.

    Raises:
        BenchError: if the output holds values that are not finite.
    """
    restored = restore(model, to_tensor(image).to(device), mode, size_multiple)
    if not restored.isfinite().all():
        raise BenchError("the model's output holds values that are not finite")
    return to_uint8(restored, quantise)
