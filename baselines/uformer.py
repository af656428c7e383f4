"""Uformer, a U-Net of window transformers, in two sizes.

Wang, Cun, Bao, Zhou, Liu, Li: "Uformer: A General U-Shaped Transformer for Image Restoration",
CVPR 2022 (arXiv 2106.03106). Attribute names, "dowsample" included, follow the official weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from baselines.stochastic_depth import DropPath

LEVELS = 4
HEADS = (1, 2, 4, 8, 16, 16, 8, 4, 2)
MLP_RATIO = 4
DROP_PATH = 0.1


def _to_windows(x: torch.Tensor, side: int) -> torch.Tensor:
    """[N,H,W,C] -> [N*windows, side*side, C], windows row by row."""
    x = x.unflatten(1, (-1, side)).unflatten(3, (-1, side))  # [N, rows, side, columns, side, C]
    return x.transpose(2, 3).flatten(0, 2).flatten(1, 2)


def _from_windows(windows: torch.Tensor, side: int, height: int, width: int) -> torch.Tensor:
    """The inverse of :func:`_to_windows`: -> [N,height,width,C]."""
    x = windows.unflatten(1, (side, side)).unflatten(0, (-1, height // side, width // side))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _relative_positions(side: int) -> torch.Tensor:
    """For every pair of pixels of a window the row of its bias: int64 [side^2,side^2]."""
    pixels = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    offsets = pixels[:, None] - pixels[None, :] + side - 1
    return offsets[..., 0] * (2 * side - 1) + offsets[..., 1]


def _shift_mask(x: torch.Tensor, side: int, shift: int) -> torch.Tensor:
    """What to add to attention so that pixels which the shift made neighbours ignore each other.

    Returns:
        0 or -100, [windows,1,side^2,side^2], for windows of the shifted [N,H,W,C].
    """

    def strip(length: int) -> torch.Tensor:
        place = torch.arange(length, device=x.device)
        return (place >= length - side).long() + (place >= length - shift).long()

    height, width = x.shape[1:3]
    regions = 3 * strip(height)[:, None] + strip(width)
    region = _to_windows(regions[None, :, :, None], side)  # [windows,side^2,1]
    apart = region != region.transpose(1, 2)
    return (apart * -100.0).to(x.dtype)[:, None]


class WindowAttention(nn.Module):
    """Self-attention within windows, with a bias for every relative position (section 3.2)."""

    def __init__(self, dim: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * side - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", _relative_positions(side))
        self.qkv = nn.ModuleDict({"to_q": nn.Linear(dim, dim), "to_kv": nn.Linear(dim, 2 * dim)})
        self.proj = nn.Linear(dim, dim)

    def forward(self, windows: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """[B,L,C] -> [B,L,C]; the mask [windows of an image,1,L,L] is added to every image's."""
        qkv = torch.cat((self.qkv["to_q"](windows), self.qkv["to_kv"](windows)), dim=2)
        q, k, v = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index]
        attention = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3) + bias.permute(2, 0, 1)
        if mask is not None:
            attention = (attention.unflatten(0, (-1, len(mask))) + mask).flatten(0, 1)
        mixed = attention.softmax(dim=3) @ v
        return self.proj(mixed.transpose(1, 2).flatten(2))


class LeFF(nn.Module):
    """The locally-enhanced feed-forward network: an MLP with a depth-wise convolution inside."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden = MLP_RATIO * dim
        self.linear1 = nn.Sequential(nn.Linear(dim, hidden), nn.GELU())
        depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.dwconv = nn.Sequential(depthwise, nn.GELU())
        self.linear2 = nn.Sequential(nn.Linear(hidden, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        local = self.dwconv(self.linear1(x).permute(0, 3, 1, 2))
        return self.linear2(local.permute(0, 2, 3, 1))


class LeWinBlock(nn.Module):
    """Window attention and LeFF, both residual, on [N,H,W,C].

    Args:
        shift: how far the windows are moved down and right.
        modulated: add a learned value to every pixel of every window (section 3.3).
    """

    def __init__(
        self, dim: int, heads: int, side: int, shift: int, *, modulated: bool, drop: float
    ) -> None:
        super().__init__()
        self.side, self.shift = side, shift
        self.modulator = nn.Embedding(side**2, dim) if modulated else None
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, heads, side)
        self.drop_path = DropPath(drop)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = LeFF(dim)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """The mask is that of the shift; unshifted blocks ignore it."""
        shifted = self.norm1(x).roll((-self.shift, -self.shift), dims=(1, 2))
        windows = _to_windows(shifted, self.side)
        if self.modulator is not None:
            windows = windows + self.modulator.weight
        windows = self.attn(windows, mask if self.shift else None)
        mixed = _from_windows(windows, self.side, *x.shape[1:3])
        x = x + self.drop_path(mixed.roll((self.shift, self.shift), dims=(1, 2)))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class UformerLayer(nn.Module):
    """Blocks at one resolution, every second one with shifted windows; [N,C,H,W] in and out.

    Args:
        resolution: side of the map for an image of ``img_size``; if windows are not smaller,
            they cover the map and none is shifted, whatever size the image then has.
        drops: stochastic depth of every block.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        resolution: int,
        win_size: int,
        *,
        modulated: bool,
        drops: Sequence[float],
    ) -> None:
        super().__init__()
        self.side = min(win_size, resolution)
        self.shift = win_size // 2 if resolution > win_size else 0
        self.blocks = nn.ModuleList(
            LeWinBlock(dim, heads, self.side, i % 2 * self.shift, modulated=modulated, drop=drop)
            for i, drop in enumerate(drops)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.permute(0, 2, 3, 1)
        mask = _shift_mask(x, self.side, self.shift) if self.shift else None
        for block in self.blocks:
            x = block(x, mask)
        return x.permute(0, 3, 1, 2)


def _drop_rates(depths: Sequence[int]) -> Iterator[float]:
    """Rising in the encoder, highest in the bottleneck, falling in the decoder."""
    encoder, decoder = sum(depths[:LEVELS]), sum(depths[LEVELS + 1 :])
    step = DROP_PATH / (encoder - 1)
    yield from (step * i for i in range(encoder))
    yield from depths[LEVELS] * [DROP_PATH]
    yield from (max(0.0, DROP_PATH - step * i) for i in range(decoder))


def _named(name: str, *layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict({name: nn.Sequential(*layers)}))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


class Uformer(nn.Module):
    """The U-shaped transformer. Input and output: float [N,3,H,W] in [0,1], output unclamped.

    Images must be square, their side a multiple of :attr:`size_multiple` (by default 128).

    Args:
        img_size: side of training images; it decides where windows are shifted.
        embed_dim: channels at full resolution; they double at every level.
        win_size: side of attention windows.
        modulator: whether decoder blocks have modulators.
        depths: blocks of the four encoder levels, the bottleneck and the four decoder levels.
    """

    def __init__(
        self,
        img_size: int = 128,
        embed_dim: int = 32,
        win_size: int = 8,
        modulator: bool = True,
        depths: Sequence[int] = (2,) * 9,
    ) -> None:
        super().__init__()
        if len(depths) != len(HEADS) or min(depths) < 1:
            raise ValueError(f"depths must be {len(HEADS)} positive numbers, got {tuple(depths)}")
        if embed_dim < 1 or win_size < 2:
            raise ValueError(f"embed_dim {embed_dim} or win_size {win_size} is too small")
        resolutions = [img_size >> level for level in range(LEVELS + 1)]
        self.size_multiple = max(min(win_size, r) << level for level, r in enumerate(resolutions))
        if resolutions[-1] < 1 or img_size % self.size_multiple:
            raise ValueError(f"img_size {img_size} is not divided evenly by windows of {win_size}")

        drops = _drop_rates(depths)

        def layer(stage: int) -> UformerLayer:
            level = min(stage, 2 * LEVELS - stage)
            decodes = stage > LEVELS
            return UformerLayer(
                (2 if decodes else 1) * embed_dim << level,  # decoders see skips beside their input
                HEADS[stage],
                resolutions[level],
                win_size,
                modulated=modulator and decodes,
                drops=[next(drops) for _ in range(depths[stage])],
            )

        self.input_proj = _named("proj", nn.Conv2d(3, embed_dim, 3, padding=1), nn.LeakyReLU())
        self.output_proj = _named("proj", nn.Conv2d(2 * embed_dim, 3, 3, padding=1))
        for i in range(LEVELS):
            channels = embed_dim << i
            down = nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1)
            setattr(self, f"encoderlayer_{i}", layer(i))
            setattr(self, f"dowsample_{i}", _named("conv", down))
        self.conv = layer(LEVELS)
        for i in range(LEVELS):
            channels = embed_dim << LEVELS - 1 - i
            up = nn.ConvTranspose2d((4 if i else 2) * channels, channels, 2, stride=2)
            setattr(self, f"upsample_{i}", _named("deconv", up))
            setattr(self, f"decoderlayer_{i}", layer(LEVELS + 1 + i))
        self.apply(_initialise)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]; ValueError if windows do not divide such a square."""
        height, width = image.shape[2:]
        if height != width or height % self.size_multiple:
            side = self.size_multiple
            raise ValueError(f"a square with a multiple of {side} is needed, got {height}x{width}")
        x = self.input_proj(image)
        skips = []
        for i in range(LEVELS):
            x = getattr(self, f"encoderlayer_{i}")(x)
            skips.append(x)
            x = getattr(self, f"dowsample_{i}")(x)
        x = self.conv(x)
        for i in range(LEVELS):
            x = torch.cat((getattr(self, f"upsample_{i}")(x), skips.pop()), dim=1)
            x = getattr(self, f"decoderlayer_{i}")(x)
        return image + self.output_proj(x)
