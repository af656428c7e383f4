"""IDT, the Image De-raining Transformer.

Xiao, Fu, Liu, Wu, Zha: "Image De-raining Transformer", IEEE TPAMI 2023
(doi 10.1109/TPAMI.2022.3183612). Attribute names, "dowsample" too, follow the official weights.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import torch
from torch import nn

from baselines.stochastic_depth import DropPath

SIDE = 128  # of the images; positions of the spatial attention are learned for it
LEVELS = 4
DROP_PATH = 0.1


def _to_windows(x: torch.Tensor, side: int) -> torch.Tensor:
    """[N,H,W,C] -> [N, windows, side*side, C], windows and their pixels row by row."""
    x = x.unflatten(1, (-1, side)).unflatten(3, (-1, side))  # [N, rows, side, columns, side, C]
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _from_windows(windows: torch.Tensor, side: int, height: int, width: int) -> torch.Tensor:
    """The inverse of :func:`_to_windows`: -> [N,height,width,C]."""
    x = windows.unflatten(1, (height // side, width // side)).unflatten(3, (side, side))
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _relative_positions(side: int) -> torch.Tensor:
    """For every pair of places in a square the row of its bias: int64 [side^2,side^2]."""
    places = torch.cartesian_prod(torch.arange(side), torch.arange(side))
    offsets = places[:, None] - places[None, :] + side - 1
    return offsets[..., 0] * (2 * side - 1) + offsets[..., 1]


class PositionAttention(nn.Module):
    """Self-attention among the tokens of a square, enhanced by a branch for their positions.

    A fourth projection beside query, key and value is convolved over the square and added to what
    attention has mixed. [B,side*side,dim] in and out.
    """

    def __init__(self, dim: int, heads: int, side: int, qkv_bias: bool) -> None:
        super().__init__()
        self.heads, self.side = heads, side
        self.relative_position_bias_table = nn.Parameter(torch.empty((2 * side - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("positions", _relative_positions(side), persistent=False)
        reach = 2 if side > 2 else 1
        self.Position_Extract = nn.Sequential(
            nn.Conv2d(dim, dim, 2 * reach + 1, padding=reach, groups=dim),
            nn.Conv2d(dim, dim, 1, groups=heads),
        )
        self.qkv = nn.ModuleDict(
            {
                "to_q": nn.Linear(dim, dim, bias=qkv_bias),
                "to_kv": nn.Linear(dim, 3 * dim, bias=qkv_bias),
            }
        )
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        queries = self.qkv["to_q"](tokens)
        keys, values, places = self.qkv["to_kv"](tokens).chunk(3, dim=2)
        q, k, v = (
            part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (queries, keys, values)
        )
        bias = self.relative_position_bias_table[self.positions].permute(2, 0, 1)
        attention = ((q * q.shape[-1] ** -0.5) @ k.transpose(2, 3) + bias).softmax(dim=3)
        content = (attention @ v).transpose(1, 2).flatten(2)
        square = places.transpose(1, 2).unflatten(2, (self.side, self.side))
        position = self.Position_Extract(square).flatten(2).transpose(1, 2)
        return self.proj(content + position)


class LocalMLP(nn.Module):
    """An MLP with a residual depth-wise convolution inside, on [N,H,W,C]."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Sequential(nn.Linear(dim, hidden), nn.GELU())
        depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.dwconv = nn.Sequential(depthwise, nn.GELU())
        self.linear2 = nn.Sequential(nn.Linear(hidden, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear1(x).permute(0, 3, 1, 2)
        return self.linear2((x + self.dwconv(x)).permute(0, 2, 3, 1))


class WindowBlock(nn.Module):
    """The window-based transformer: attention among the pixels of each window; [N,H,W,C]."""

    def __init__(
        self, dim: int, heads: int, side: int, mlp_ratio: float, qkv_bias: bool, drop: float
    ) -> None:
        super().__init__()
        self.side = side
        self.norm1 = nn.LayerNorm(dim)
        self.attn = PositionAttention(dim, heads, side, qkv_bias)
        self.drop_path = DropPath(drop)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = LocalMLP(dim, int(dim * mlp_ratio))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        windows = _to_windows(self.norm1(x), self.side)
        mixed = self.attn(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        x = x + self.drop_path(_from_windows(mixed, self.side, *x.shape[1:3]))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class SpatialBlock(nn.Module):
    """The spatial transformer: attention among windows, in each channel alone; [N,H,W,C].

    A token is one channel of a window, so that attention reaches over the whole image. Its input
    is not normalised.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        side: int,
        resolution: int,
        mlp_ratio: float,
        qkv_bias: bool,
        drop: float,
    ) -> None:
        super().__init__()
        self.side = side
        self.attn = PositionAttention(side**2, heads, resolution // side, qkv_bias)
        self.drop_path = DropPath(drop)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = LocalMLP(dim, int(side**2 * mlp_ratio))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = _to_windows(x, self.side).permute(0, 3, 1, 2)  # [N,C,windows,pixels]
        mixed = self.attn(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])
        # The official network does not undo the windows here: it reads the tokens one after the
        # other as the rows of the map. Its weights are trained for that.
        rows = mixed.flatten(2).unflatten(2, x.shape[1:3]).permute(0, 2, 3, 1)
        x = x + self.drop_path(rows)
        return x + self.drop_path(self.mlp(self.norm2(x)))


class IDTLayer(nn.Module):
    """Blocks at one resolution; [N,C,H,W] in and out."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def _drop_rates(depths: Sequence[int]) -> Iterator[float]:
    """Of window blocks: rising in the encoder, highest in the bottleneck, falling in the decoder."""
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
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class IDT(nn.Module):
    """The U-shaped transformer. Input and output: float [N,3,128,128] in [0,1], output unclamped.

    Every resolution but the lowest has window blocks and then one spatial block.

    Args:
        embed_dim: channels at full resolution; they double at every level.
        depths: window blocks of the four encoder levels, the bottleneck and the four decoder
            levels.
        num_heads: attention heads of the same nine.
        win_size: side of windows.
        mlp_ratio: hidden channels of MLPs for each channel of attention.
        qkv_bias: whether the projections before attention have a bias.
    """

    def __init__(
        self,
        embed_dim: int = 32,
        depths: Sequence[int] = (3, 3, 2, 2, 1, 1, 2, 2, 3),
        num_heads: Sequence[int] = (1, 2, 4, 8, 16, 16, 8, 4, 2),
        win_size: int = 8,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
    ) -> None:
        super().__init__()
        stages = 2 * LEVELS + 1
        for name, numbers in (("depths", depths), ("num_heads", num_heads)):
            if len(numbers) != stages or min(numbers) < 1:
                raise ValueError(f"{name} must be {stages} positive numbers, got {tuple(numbers)}")
        lowest = SIDE >> LEVELS
        if win_size < 1 or lowest % win_size:
            raise ValueError(f"win_size must divide {lowest}, got {win_size}")
        if embed_dim < 1 or mlp_ratio <= 0:
            raise ValueError(f"embed_dim {embed_dim} and mlp_ratio {mlp_ratio} must be positive")
        rates = _drop_rates(depths)

        def layer(stage: int) -> IDTLayer:
            level = min(stage, 2 * LEVELS - stage)
            dim = (2 if stage > LEVELS else 1) * embed_dim << level  # decoders see skips as well
            heads = num_heads[stage]
            if dim % heads or win_size**2 % heads:
                raise ValueError(
                    f"{dim} channels or {win_size**2} pixels do not make {heads} heads"
                )
            drops = [next(rates) for _ in range(depths[stage])]
            blocks: list[nn.Module] = [
                WindowBlock(dim, heads, win_size, mlp_ratio, qkv_bias, drop) for drop in drops
            ]
            if stage != LEVELS:
                side, drop = SIDE >> level, drops[-1]
                blocks.append(SpatialBlock(dim, heads, win_size, side, mlp_ratio, qkv_bias, drop))
            return IDTLayer(blocks)

        self.input_proj = _named("proj", nn.Conv2d(3, embed_dim, 3, padding=1), nn.LeakyReLU())
        self.output_proj = _named("proj", nn.Conv2d(2 * embed_dim, 3, 3, padding=1))
        for i in range(LEVELS):
            channels = embed_dim << i
            down = nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1)
            setattr(self, f"encoderlayer_{i}", layer(i))
            setattr(self, f"dowsample_{i}", _named("conv", down))
        self.bottle = layer(LEVELS)
        for i in range(LEVELS):
            channels = embed_dim << LEVELS - 1 - i
            up = nn.ConvTranspose2d((4 if i else 2) * channels, channels, 2, stride=2)
            setattr(self, f"upsample_{i}", _named("deconv", up))
            setattr(self, f"decoderlayer_{i}", layer(LEVELS + 1 + i))
        self.apply(_initialise)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,128,128] -> [N,3,128,128]; ValueError for images of another size."""
        height, width = image.shape[2:]
        if (height, width) != (SIDE, SIDE):
            raise ValueError(f"IDT takes {SIDE}x{SIDE} images only, got {height}x{width}")
        x = self.input_proj(image)
        skips = []
        for i in range(LEVELS):
            x = getattr(self, f"encoderlayer_{i}")(x)
            skips.append(x)
            x = getattr(self, f"dowsample_{i}")(x)
        x = self.bottle(x)
        for i in range(LEVELS):
            x = torch.cat((getattr(self, f"upsample_{i}")(x), skips.pop()), dim=1)
            x = getattr(self, f"decoderlayer_{i}")(x)
        return image + self.output_proj(x)
