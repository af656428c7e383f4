"""Restormer, a transformer whose attention runs across channels instead of pixels.

Zamir, Arora, Khan, Hayat, Khan, Yang: "Restormer: Efficient Transformer for High-Resolution Image
Restoration", CVPR 2022 (arXiv 2111.09881). Attribute names follow the official weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

LEVELS = 4  # scales, the latent one included
NORMS = ("WithBias", "BiasFree")


class ScaleNorm(nn.Module):
    """Layer norm on the last axis that divides by the deviation but does not subtract the mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.var(-1, keepdim=True, correction=0) + 1e-5) * self.weight


class ChannelNorm(nn.Module):
    """Normalises every pixel of [N,C,H,W] across its channels."""

    def __init__(self, channels: int, kind: str) -> None:
        super().__init__()
        self.body = nn.LayerNorm(channels) if kind == "WithBias" else ScaleNorm(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class MDTA(nn.Module):
    """Multi-Dconv head transposed attention: between channels, over all pixels (section 3.1)."""

    def __init__(self, channels: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(
            3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=bias
        )
        self.project_out = nn.Conv2d(channels, channels, 1, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, channels, height, width = x.shape
        qkv = self.qkv_dwconv(self.qkv(x)).chunk(3, dim=1)
        q, k, v = (t.reshape(n, self.heads, channels // self.heads, height * width) for t in qkv)
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        out = self.attend(scores * self.temperature, v)
        return self.project_out(out.reshape(n, channels, height, width))

    def attend(self, scores: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Mixes the values v, [N,heads,C/heads,HW], by scores, [N,heads,C/heads,C/heads]."""
        return scores.softmax(dim=-1) @ v


class GDFN(nn.Module):
    """Gated-Dconv feed-forward network (section 3.2)."""

    def __init__(self, channels: int, expansion: float, bias: bool) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=bias)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=bias)
        self.project_out = nn.Conv2d(hidden, channels, 1, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, values = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * values)


class TransformerBlock(nn.Module):
    """Attention and a feed-forward network, each with a norm before and a shortcut around."""

    def __init__(self, channels: int, norm: str, attn: nn.Module, ffn: nn.Module) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels, norm)
        self.attn = attn
        self.norm2 = ChannelNorm(channels, norm)
        self.ffn = ffn

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.ffn(self.norm2(x))


class PatchEmbed(nn.Module):
    """The first convolution."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(cin, cout, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x)


class Resample(nn.Module):
    """A convolution, and pixels exchanged for channels: half the size and twice the channels, or
    (``up``) the reverse."""

    def __init__(self, channels: int, *, up: bool) -> None:
        super().__init__()
        cout = 2 * channels if up else channels // 2
        shuffle = nn.PixelShuffle(2) if up else nn.PixelUnshuffle(2)
        self.body = nn.Sequential(nn.Conv2d(channels, cout, 3, padding=1, bias=False), shuffle)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


class TransformerUNet(nn.Module):
    """The four-level encoder and decoder of Restormer (figure 2), whatever its blocks are.

    Input and output: float [N,3,H,W] in [0,1], H and W multiples of 8, output unclamped.

    Args:
        inp_channels, out_channels: colours of input and output.
        dim: channels at full scale, twice as many with every halving of the size.
        num_blocks: blocks per level, the finest first.
        heads: attention heads per level.
        bias: of the convolutions outside embedding and resampling.
        block: makes a block from its channels and heads.
        first: what embedded features pass before the first level.
        refinement: what decoded features (``2 * dim`` channels) pass at the end.
        dual_pixel_task: add the embedded features instead of the image, which may then be two
            views of the scene with ``2 * out_channels`` channels.
    """

    size_multiple = 8

    def __init__(
        self,
        inp_channels: int,
        out_channels: int,
        dim: int,
        num_blocks: Sequence[int],
        heads: Sequence[int],
        bias: bool,
        block: Callable[[int, int], nn.Module],
        *,
        first: Callable[[], nn.Module] = nn.Identity,
        refinement: Callable[[], nn.Module] = nn.Identity,
        dual_pixel_task: bool = False,
    ) -> None:
        super().__init__()
        if not dual_pixel_task and inp_channels != out_channels:
            raise ValueError(
                "inp_channels and out_channels must be equal, since the input is added to the "
                f"output; got {inp_channels} and {out_channels}"
            )
        if len(num_blocks) != LEVELS or min(num_blocks) < 0:
            raise ValueError(f"num_blocks must be {LEVELS} counts, got {list(num_blocks)}")
        if dim < 2 or dim % 2:
            raise ValueError(f"dim must be even and positive, got {dim}")
        widths = [dim * 2**level for level in range(LEVELS)]
        if len(heads) != LEVELS or any(h < 1 or w % h for w, h in zip(widths, heads, strict=True)):
            raise ValueError(
                f"heads must be {LEVELS} divisors of the channels {widths}, got {list(heads)}"
            )

        def blocks(level: int, width: int) -> nn.Sequential:
            made = (block(width, heads[level - 1]) for _ in range(num_blocks[level - 1]))
            return nn.Sequential(*made)

        self.patch_embed = PatchEmbed(inp_channels, dim)
        self.encoder_level0 = first()
        for level, width in enumerate(widths[:-1], start=1):
            setattr(self, f"encoder_level{level}", blocks(level, width))
            setattr(self, f"down{level}_{level + 1}", Resample(width, up=False))
        self.latent = blocks(LEVELS, widths[-1])
        for level in range(LEVELS - 1, 0, -1):
            width = widths[level - 1]
            setattr(self, f"up{level + 1}_{level}", Resample(2 * width, up=True))
            if level > 1:
                reduce = nn.Conv2d(2 * width, width, 1, bias=bias)
                setattr(self, f"reduce_chan_level{level}", reduce)
            # The finest level keeps the channels of its shortcut.
            decoded = width if level > 1 else 2 * width
            setattr(self, f"decoder_level{level}", blocks(level, decoded))
        self.refinement = refinement()
        self.dual_pixel_task = dual_pixel_task
        if dual_pixel_task:
            self.skip_conv = nn.Conv2d(dim, 2 * dim, 1, bias=bias)
        self.output = nn.Conv2d(2 * dim, out_channels, 3, padding=1, bias=bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        height, width = image.shape[2:]
        if height % self.size_multiple or width % self.size_multiple:
            needed = f"multiples of {self.size_multiple}"
            raise ValueError(f"height and width must be {needed}, got {height}x{width}")
        embedded = self.patch_embed(image)
        x = self.encoder_level0(embedded)
        shortcuts = {}
        for level in range(1, LEVELS):
            x = shortcuts[level] = getattr(self, f"encoder_level{level}")(x)
            x = getattr(self, f"down{level}_{level + 1}")(x)
        x = self.latent(x)
        for level in range(LEVELS - 1, 0, -1):
            x = getattr(self, f"up{level + 1}_{level}")(x)
            x = torch.cat((x, shortcuts[level]), dim=1)
            if level > 1:
                x = getattr(self, f"reduce_chan_level{level}")(x)
            x = getattr(self, f"decoder_level{level}")(x)
        x = self.refinement(x)
        if self.dual_pixel_task:
            return self.output(x + self.skip_conv(embedded))
        return self.output(x) + image


def check_block(dim: int, ffn_expansion_factor: float, layer_norm_type: str) -> None:
    """Refuses settings of the blocks that cannot be.

    Raises:
        ValueError: naming the setting.
    """
    if dim * ffn_expansion_factor < 1:
        raise ValueError(f"dim * ffn_expansion_factor is below 1: {dim} * {ffn_expansion_factor}")
    if layer_norm_type not in NORMS:
        raise ValueError(f"LayerNorm_type must be one of {NORMS}, got '{layer_norm_type}'")


class Restormer(TransformerUNet):
    """The network of the paper; shapes and further arguments as in :class:`TransformerUNet`.

    Args:
        num_refinement_blocks: blocks at full scale after the decoder.
        ffn_expansion_factor: how much wider the feed-forward networks are inside.
        LayerNorm_type: "WithBias", or "BiasFree" (no mean taken off, no bias).
    """

    def __init__(
        self,
        inp_channels: int = 3,
        out_channels: int = 3,
        dim: int = 48,
        num_blocks: Sequence[int] = (4, 6, 6, 8),
        num_refinement_blocks: int = 4,
        heads: Sequence[int] = (1, 2, 4, 8),
        ffn_expansion_factor: float = 2.66,
        bias: bool = False,
        LayerNorm_type: str = "WithBias",
        dual_pixel_task: bool = False,
    ) -> None:
        check_block(dim, ffn_expansion_factor, LayerNorm_type)
        if num_refinement_blocks < 0:
            raise ValueError(f"num_refinement_blocks is negative: {num_refinement_blocks}")

        def block(channels: int, heads: int) -> TransformerBlock:
            ffn = GDFN(channels, ffn_expansion_factor, bias)
            return TransformerBlock(channels, LayerNorm_type, MDTA(channels, heads, bias), ffn)

        def refinement() -> nn.Sequential:
            return nn.Sequential(*(block(2 * dim, heads[0]) for _ in range(num_refinement_blocks)))

        super().__init__(
            inp_channels,
            out_channels,
            dim,
            num_blocks,
            heads,
            bias,
            block,
            refinement=refinement,
            dual_pixel_task=dual_pixel_task,
        )
