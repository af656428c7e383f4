"""MPRNet, which restores in three stages: quarters, halves, then the whole image.

Zamir, Arora, Khan, Hayat, Khan, Yang, Shao: "Multi-Stage Progressive Image Restoration",
CVPR 2021 (arXiv 2102.02808). Attribute names follow the official weights.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

LEVELS = 3
HEIGHT, WIDTH = 2, 3  # axes along which an image is cut


def _conv(cin: int, cout: int, kernel_size: int, *, bias: bool = False) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, kernel_size, padding=kernel_size // 2, bias=bias)


def _split(x: torch.Tensor, axis: int) -> torch.Tensor:
    """Two halves of every image, as images of their own: [N,..] -> [2N,..]."""
    return torch.cat(x.chunk(2, dim=axis))


def _join(x: torch.Tensor, axis: int) -> torch.Tensor:
    """The inverse of :func:`_split`."""
    return torch.cat(x.chunk(2), dim=axis)


class ChannelAttention(nn.Module):
    """Weights every channel by what its mean and those of the others say."""

    def __init__(self, channels: int, reduction: int, bias: bool) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            _conv(channels, channels // reduction, 1, bias=bias),
            nn.ReLU(),
            _conv(channels // reduction, channels, 1, bias=bias),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.conv_du(x.mean(dim=(2, 3), keepdim=True))


class CAB(nn.Module):
    """Channel attention block: residual convolutions with attention (figure 3)."""

    def __init__(
        self, channels: int, kernel_size: int, reduction: int, bias: bool, act: nn.PReLU
    ) -> None:
        super().__init__()
        self.CA = ChannelAttention(channels, reduction, bias)
        self.body = nn.Sequential(
            _conv(channels, channels, kernel_size, bias=bias),
            act,
            _conv(channels, channels, kernel_size, bias=bias),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.CA(self.body(x))


def _cabs(number: int, channels: int, block: dict) -> nn.Sequential:
    return nn.Sequential(*(CAB(channels, **block) for _ in range(number)))


class Resample(nn.Module):
    """Bilinear resizing and a 1x1 convolution; ``name`` is that of the attribute in the weights."""

    def __init__(self, name: str, factor: float, cin: int, cout: int) -> None:
        super().__init__()
        self.name = name
        resize = nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False)
        setattr(self, name, nn.Sequential(resize, _conv(cin, cout, 1)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self, self.name)(x)


_down = partial(Resample, "down", 0.5)
_up = partial(Resample, "up", 2)


class Encoder(nn.Module):
    """Features of an image at three scales (section 3.1).

    With ``csff``, forward takes and adds the features of the previous stage's encoder and decoder
    at every scale (cross-stage feature fusion, section 3.2).
    """

    def __init__(self, widths: list[int], block: dict, *, csff: bool) -> None:
        super().__init__()
        for level, width in enumerate(widths, start=1):
            setattr(self, f"encoder_level{level}", _cabs(2, width, block))
        self.down12 = _down(widths[0], widths[1])
        self.down23 = _down(widths[1], widths[2])
        if csff:
            for side in ("enc", "dec"):
                for level, width in enumerate(widths, start=1):
                    setattr(self, f"csff_{side}{level}", _conv(width, width, 1, bias=block["bias"]))

    def forward(
        self,
        x: torch.Tensor,
        encoded: list[torch.Tensor] | None = None,
        decoded: list[torch.Tensor] | None = None,
    ) -> list[torch.Tensor]:
        levels = []
        for level in range(1, LEVELS + 1):
            x = getattr(self, f"encoder_level{level}")(x)
            if encoded is not None:
                x = x + getattr(self, f"csff_enc{level}")(encoded[level - 1])
                x = x + getattr(self, f"csff_dec{level}")(decoded[level - 1])
            levels.append(x)
            if level < LEVELS:
                x = getattr(self, f"down{level}{level + 1}")(x)
        return levels


class Decoder(nn.Module):
    """Brings an encoder's features back to full scale; gives its own at all three scales."""

    def __init__(self, widths: list[int], block: dict) -> None:
        super().__init__()
        for level, width in enumerate(widths, start=1):
            setattr(self, f"decoder_level{level}", _cabs(2, width, block))
        self.skip_attn1 = CAB(widths[0], **block)
        self.skip_attn2 = CAB(widths[1], **block)
        self.up21 = _up(widths[1], widths[0])
        self.up32 = _up(widths[2], widths[1])

    def forward(self, encoded: list[torch.Tensor]) -> list[torch.Tensor]:
        third = self.decoder_level3(encoded[2])
        second = self.decoder_level2(self.up32(third) + self.skip_attn2(encoded[1]))
        first = self.decoder_level1(self.up21(second) + self.skip_attn1(encoded[0]))
        return [first, second, third]


class SAM(nn.Module):
    """Supervised attention between stages: a restored image decides what passes (section 3.3)."""

    def __init__(self, channels: int, colours: int, bias: bool) -> None:
        super().__init__()
        self.conv1 = _conv(channels, channels, 1, bias=bias)
        self.conv2 = _conv(channels, colours, 1, bias=bias)
        self.conv3 = _conv(colours, channels, 1, bias=bias)

    def forward(self, x: torch.Tensor, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features for the next stage, and this stage's restored image."""
        restored = self.conv2(x) + image
        return x + self.conv1(x) * torch.sigmoid(self.conv3(restored)), restored


class ORB(nn.Module):
    """Original resolution block: a residual chain of CABs that ends in a convolution."""

    def __init__(self, channels: int, num_cab: int, block: dict) -> None:
        super().__init__()
        self.body = _cabs(num_cab, channels, block)
        self.body.append(_conv(channels, channels, block["kernel_size"], bias=block["bias"]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class ORSNet(nn.Module):
    """Original resolution subnetwork: the last stage, fed with earlier features of every scale."""

    def __init__(self, widths: list[int], channels: int, num_cab: int, block: dict) -> None:
        super().__init__()
        for index in range(1, LEVELS + 1):
            setattr(self, f"orb{index}", ORB(channels, num_cab, block))
        first, second, third = widths
        self.up_enc1 = _up(second, first)
        self.up_dec1 = _up(second, first)
        self.up_enc2 = nn.Sequential(_up(third, second), _up(second, first))
        self.up_dec2 = nn.Sequential(_up(third, second), _up(second, first))
        for side in ("enc", "dec"):
            for index in range(1, LEVELS + 1):
                fuse = _conv(first, channels, 1, bias=block["bias"])
                setattr(self, f"conv_{side}{index}", fuse)

    def forward(
        self, x: torch.Tensor, encoded: list[torch.Tensor], decoded: list[torch.Tensor]
    ) -> torch.Tensor:
        for index in range(1, LEVELS + 1):
            x = getattr(self, f"orb{index}")(x)
            for side, features in (("enc", encoded), ("dec", decoded)):
                resize = getattr(self, f"up_{side}{index - 1}") if index > 1 else nn.Identity()
                x = x + getattr(self, f"conv_{side}{index}")(resize(features[index - 1]))
        return x


class MPRNet(nn.Module):
    """The multi-stage network (section 3, figure 2).

    Stage 1 works on the four quarters of the image, stage 2 on its upper and lower half, stage 3
    on the whole. Input and output: float [N,3,H,W] in [0,1], H and W multiples of 8, output
    unclamped.

    Args:
        in_c, out_c: colours of input and output, equal since every stage adds its input.
        n_feat: channels at full scale.
        scale_unetfeats: channels more per scale of the encoders and decoders.
        scale_orsnetfeats: channels more in the last stage.
        num_cab: attention blocks per block of the last stage.
        kernel_size: of the convolutions that are not 1x1; odd.
        reduction: how much narrower channel attention is inside.
        bias: of the convolutions outside resizing.
    """

    size_multiple = 8

    def __init__(
        self,
        in_c: int = 3,
        out_c: int = 3,
        n_feat: int = 40,
        scale_unetfeats: int = 20,
        scale_orsnetfeats: int = 16,
        num_cab: int = 8,
        kernel_size: int = 3,
        reduction: int = 4,
        bias: bool = False,
    ) -> None:
        super().__init__()
        if in_c != out_c or in_c < 1:
            raise ValueError(f"in_c and out_c must be equal and positive, got {in_c} and {out_c}")
        if not 1 <= reduction <= n_feat:
            raise ValueError(f"reduction must be 1 to n_feat, got {reduction} for {n_feat}")
        if min(scale_unetfeats, scale_orsnetfeats, num_cab) < 0:
            raise ValueError("scale_unetfeats, scale_orsnetfeats and num_cab cannot be negative")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd and positive, got {kernel_size}")
        widths = [n_feat + level * scale_unetfeats for level in range(LEVELS)]
        last = n_feat + scale_orsnetfeats
        # One activation for all blocks: the official weights hold a single slope.
        block = dict(kernel_size=kernel_size, reduction=reduction, bias=bias, act=nn.PReLU())
        for stage in range(1, 4):
            shallow = (_conv(in_c, n_feat, kernel_size, bias=bias), CAB(n_feat, **block))
            setattr(self, f"shallow_feat{stage}", nn.Sequential(*shallow))
        self.stage1_encoder = Encoder(widths, block, csff=False)
        self.stage1_decoder = Decoder(widths, block)
        self.stage2_encoder = Encoder(widths, block, csff=True)
        self.stage2_decoder = Decoder(widths, block)
        self.stage3_orsnet = ORSNet(widths, last, num_cab, block)
        self.sam12 = SAM(n_feat, in_c, bias)
        self.sam23 = SAM(n_feat, in_c, bias)
        self.concat12 = _conv(2 * n_feat, n_feat, kernel_size, bias=bias)
        self.concat23 = _conv(2 * n_feat, last, kernel_size, bias=bias)
        self.tail = _conv(last, out_c, kernel_size, bias=bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        return self.stages(image)[-1]

    def stages(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The image as each of the three stages restores it, each [N,3,H,W]."""
        height, width = image.shape[2:]
        if height % self.size_multiple or width % self.size_multiple:
            needed = f"multiples of {self.size_multiple}"
            raise ValueError(f"height and width must be {needed}, got {height}x{width}")
        halves = _split(image, HEIGHT)
        quarters = self.stage1_encoder(self.shallow_feat1(_split(halves, WIDTH)))
        encoded = [_join(features, WIDTH) for features in quarters]
        decoded = self.stage1_decoder(encoded)
        attended, first = self.sam12(decoded[0], halves)

        x = self.concat12(torch.cat((self.shallow_feat2(halves), attended), dim=1))
        encoded = [_join(f, HEIGHT) for f in self.stage2_encoder(x, encoded, decoded)]
        decoded = self.stage2_decoder(encoded)
        attended, second = self.sam23(decoded[0], image)

        x = self.concat23(torch.cat((self.shallow_feat3(image), attended), dim=1))
        third = self.tail(self.stage3_orsnet(x, encoded, decoded)) + image
        return [_join(first, HEIGHT), second, third]
