"""Whole-image and tiled inference, and the way to 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from derainbench.catalog.card_format import ModelCard, Tiling
from derainbench.data.crops import to_tensor
from derainbench.foundation.errors import BenchError
from derainbench.foundation.progress import show_part
from derainbench.models.layers import Layers

TILE_BATCH = 8  # tiles that go through a model together, fewer if they are large:
BATCH_PIXELS = TILE_BATCH * 128**2
MODES = ("tiled", "whole")
QUANTISE = ("round", "truncate")

Size = tuple[int, int]  # height, width


def describe(card: ModelCard, mode: str | None) -> dict[str, Any]:
    """What :func:`restore` does with images, for the record.

    Beyond ``max_pixels``, where that is given, whole images give way to tiles.
    """
    tiles = {
        "tile": card.network.tiling.side,
        "overlap": card.network.tiling.overlap,
        "blend": card.network.tiling.blend,
    }
    if (mode or card.network.inference) == "tiled":
        return {"inference": "tiled", **tiles}
    return {"inference": "whole"} | (
        {} if mode else {"max_pixels": card.network.max_pixels, **tiles}
    )


def tiles_in_a_pass(device: torch.device, layers: Layers) -> int:
    """How many tiles go through a model together, if they are small.

    On a CPU eight win nothing over one and take more memory (``benchmarks/speed.py``). But eight and one differ
    in the last bit, so that only the layers that change bits anyway are given one.
    """
    return 1 if device.type == "cpu" and layers == "fast" else TILE_BATCH


def restore(
    model: nn.Module,
    image: torch.Tensor,
    card: ModelCard,
    mode: str | None = None,
    tiles_per_pass: int = TILE_BATCH,
) -> torch.Tensor:
    """Restores one image with a model in eval mode.

    Args:
        model: takes and gives [N,3,h,w].
        image: float [3,H,W] in [0,1], any size; on the model's device.
        card: of the model.
        mode: "tiled"; "whole", in one pass; None for what the model's official evaluation does,
            except that images too large for one pass are tiled.
        tiles_per_pass: at most so many tiles go through the model together.

    Returns:
        Float [3,H,W], unclamped.

    Raises:
        BenchError: if a whole image is asked for and too large, or if the model fails.
    """
    height, width = image.shape[1:]
    rows, columns = padded_size((height, width), card.network.size_multiple, card.network.padding)
    fits = rows * columns <= card.network.max_pixels
    if mode == "whole" and not fits:
        raise BenchError(
            f"{height}x{width} pixels are too many for model '{card.name}' in one piece "
            f"(at most {card.network.max_pixels}, padding included): use --inference tiled"
        )
    if (mode or card.network.inference) == "whole" and fits:
        return restore_whole(model, image, card.network.size_multiple, card.network.padding)
    return restore_tiled(
        model,
        image,
        card.network.tiling,
        card.network.size_multiple,
        card.network.padding,
        tiles_per_pass,
    )


def padded_size(size: Size, multiple: int, padding: str = "replicate") -> Size:
    """What an image is padded to for one pass."""
    height, width = (-(-side // multiple) * multiple for side in size)
    longest = max(height, width)
    return (longest, longest) if padding == "square" else (height, width)


def _size_of(image: torch.Tensor) -> Size:
    return image.shape[1], image.shape[2]


@torch.no_grad()
def restore_whole(
    model: nn.Module, image: torch.Tensor, multiple: int, padding: str = "replicate"
) -> torch.Tensor:
    """One pass over the image, padded to the size multiple; see :class:`ModelCard`."""
    size = padded_size(_size_of(image), multiple, padding)
    padded, place = _extend(image, size, padding)
    return _run(model, padded[None])[0][place]


@torch.no_grad()
def restore_tiled(
    model: nn.Module,
    image: torch.Tensor,
    tiling: Tiling,
    multiple: int = 1,
    padding: str = "replicate",
    tiles_per_pass: int = TILE_BATCH,
) -> torch.Tensor:
    """Overlapping tiles, blended; see :class:`Tiling`.

    Membrane potentials start anew in every tile, because models keep no state between calls.
    An image smaller than a tile is extended, then cut back.
    """
    size, tile = _size_of(image), (tiling.side, tiling.side)
    if not tiling.exact:
        height, width = padded_size(size, multiple, padding)
        tile = (min(tiling.side, height), min(tiling.side, width))
        size = padded_size(size, multiple)
    padded, place = _extend(image, (max(size[0], tile[0]), max(size[1], tile[1])), padding)
    down, across = (
        tile_starts(length, side, tiling.overlap)
        for length, side in zip(padded.shape[1:], tile, strict=True)
    )
    spots = [(top, left) for top in down for left in across]
    total = torch.zeros_like(padded)
    weights = torch.zeros_like(padded[0])
    count = min(tiles_per_pass, max(1, BATCH_PIXELS // (tile[0] * tile[1])))
    for first in range(0, len(spots), count):
        batch = spots[first : first + count]
        windows = [np.s_[..., t : t + tile[0], s : s + tile[1]] for t, s in batch]
        restored = _run(model, torch.stack([padded[window] for window in windows]))
        for spot, window, pixels in zip(batch, windows, restored, strict=True):
            weight = _tile_weight(tiling, tile, spot, padded)
            total[window] += pixels * weight
            weights[window] += weight
        show_part(first + len(batch), len(spots), "tile")
    return (total / weights)[place]


def tile_starts(length: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along one side: every ``tile - overlap`` pixels, the last one flush."""
    starts = range(0, length - tile, tile - overlap) if length > tile else ()
    return [*starts, length - tile]


def _tile_weight(tiling: Tiling, tile: Size, spot: Size, padded: torch.Tensor) -> torch.Tensor:
    """What the pixels of a tile at a spot count, before division by the sum of weights: [h,w]."""
    down, across = (torch.arange(side, dtype=padded.dtype, device=padded.device) for side in tile)
    if tiling.blend == "distance":
        down, across = down - tile[0] // 2, across - tile[1] // 2
        return (down[:, None] ** 2 + across[None, :] ** 2 + 1e-3).rsqrt()
    ramps = []
    for start, place, length in zip(spot, (down, across), padded.shape[1:], strict=True):
        # Depth below the edges, but not below those that are the image's: nothing is missed there.
        depth = torch.full_like(place, tiling.overlap)
        if start > 0:
            depth = torch.minimum(depth, place + 0.5)
        if start + len(place) < length:
            depth = torch.minimum(depth, len(place) - 0.5 - place)
        ramps.append(torch.sin(depth / tiling.overlap * torch.pi / 2) ** 2)
    return torch.outer(*ramps)


def _extend(
    image: torch.Tensor, size: Size, padding: str
) -> tuple[torch.Tensor, tuple[slice, ...]]:
    """The image [3,H,W] extended to a size, and the place in it where the image lies."""
    height, width = image.shape[1:]
    if padding == "square":
        top, left = (size[0] - height) // 2, (size[1] - width) // 2
        edges = (left, size[1] - width - left, top, size[0] - height - top)
        return F.pad(image, edges), np.s_[:, top : top + height, left : left + width]
    rows, columns = (
        _shown(old, new, padding).to(image.device)
        for old, new in zip((height, width), size, strict=True)
    )
    return image[:, rows][:, :, columns], np.s_[:, :height, :width]


def _shown(length: int, extended: int, padding: str) -> torch.Tensor:
    """Which pixel each pixel of an extended side shows, int64 [extended]."""
    place = torch.arange(extended)
    if padding == "replicate":
        return place.clamp(max=length - 1)
    # To and fro as often as needed: F.pad cannot mirror more than there is.
    turn = length - 1
    place = place % max(1, 2 * turn)
    return torch.minimum(place, 2 * turn - place)


def _run(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The model's output, or one line that says why there is none."""
    try:
        return model(images)
    except (RuntimeError, ValueError) as error:  # a size it does not take, or too little memory
        height, width = images.shape[2:]
        reason = str(error).splitlines()[0]
        raise BenchError(f"the model fails on {height}x{width} pixels: {reason}") from error


def to_levels(restored: torch.Tensor) -> np.ndarray:
    """Clamps [3,H,W] to [0,1] and makes it float32 [H,W,3] from 0 to 255, not rounded."""
    return restored.clamp(0, 1).permute(1, 2, 0).cpu().numpy() * np.float32(255)


def to_uint8(levels: np.ndarray, quantise: str) -> np.ndarray:
    """The 8 bits of an image from :func:`to_levels`.

    Args:
        levels: float32 [H,W,3] from 0 to 255.
        quantise: "round" to the nearest level, or "truncate" as PReNet's script does.
    """
    return (np.rint(levels) if quantise == "round" else levels).astype(np.uint8)


def restore_levels(
    model: nn.Module,
    image: np.ndarray,
    *,
    card: ModelCard,
    mode: str | None,
    device: torch.device,
    tiles_per_pass: int = TILE_BATCH,
) -> np.ndarray:
    """uint8 [H,W,3] in, restored float32 [H,W,3] from 0 to 255 out; see :func:`restore`.

    Raises:
        BenchError: if the output holds values that are not finite.
    """
    restored = restore(model, to_tensor(image).to(device), card, mode, tiles_per_pass)
    if not restored.isfinite().all():
        raise BenchError("the model's output holds values that are not finite")
    return to_levels(restored)
