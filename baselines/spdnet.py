"""SPDNet.

Yi, Li, Dai, Fang, Zhang, Zeng: "Structure-Preserving Deraining with Residue Channel Prior
Guidance", ICCV 2021 (arXiv 2108.09079). Attribute names follow the official weights, which hold
layers that never run: every ``ins``, and those that :meth:`WaveletNet._add_idle` adds.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

RANGE = 255.0  # the network computes in [0,255]
LEVELS = (1, 2, 3)
HAAR = 0.5**0.5


def _conv3(cin: int, cout: int) -> nn.Conv2d:
    return nn.Conv2d(cin, cout, 3, padding=1)


class ConvBlock(nn.Module):
    """Convolution and ReLU, [N,Cin,H,W] -> [N,Cout,H,W]; the instance norm is never applied."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1, padding_mode="reflect")
        self.ins = nn.InstanceNorm2d(cout, affine=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.conv(x))


class UpBlock(nn.Module):
    """Transposed convolution and ReLU, resampled to a given size (nearest pixel)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv2d = nn.ConvTranspose2d(channels, channels, 3, stride=2)

    def forward(self, x: torch.Tensor, size: torch.Size) -> torch.Tensor:
        """[N,C,H,W] -> [N,C,*size]."""
        x = self.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"))
        return F.interpolate(F.relu(x), size, mode="nearest")


class SqueezeExcite(nn.Module):
    """Scales every channel of [N,C,H,W] by a gate that sees the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels, bias=False),
            nn.ReLU(),
            nn.Linear(channels, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.fc(x.mean(dim=(2, 3)))[:, :, None, None]


class ResidualSE(nn.Module):
    """Residual block with squeeze-and-excitation on [N,C,H,W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.module_body = nn.Sequential(
            _conv3(channels, channels), nn.ReLU(), _conv3(channels, channels), nn.ReLU()
        )
        self.se = SqueezeExcite(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.se(self.module_body(x))


class NestedResidual(nn.Module):
    """SE-residual blocks inside a residual connection, on [N,C,H,W] ("SRiR" in the paper)."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.module_body = nn.Sequential(
            *(ResidualSE(channels) for _ in range(blocks)), _conv3(channels, channels)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.module_body(x))


class HaarAnalysis(nn.Module):
    """Haar wavelet transform; odd sizes are filled up with zeros."""

    def __init__(self) -> None:
        super().__init__()
        _register_haar(self, "h")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N,C,H,W] -> [N,4C,ceil(H/2),ceil(W/2)]: all channels of LH, then HL, HH, LL."""
        n, c, height, width = x.shape
        x = F.pad(x, (0, width % 2, 0, height % 2)).flatten(0, 1)[:, None]
        low_low, *others = _filter_bank(self.h0_col, self.h1_col, self.h0_row, self.h1_row)
        bands = F.conv2d(x, torch.stack([*others, low_low]), stride=2)
        return bands.unflatten(0, (n, c)).transpose(1, 2).flatten(1, 2)


class HaarSynthesis(nn.Module):
    """Inverse Haar wavelet transform, of another channel layout than :class:`HaarAnalysis`."""

    def __init__(self) -> None:
        super().__init__()
        _register_haar(self, "g")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N,4C,H,W], for every channel LL, LH, HL, HH -> [N,C,2H,2W]."""
        n = len(x)
        bank = torch.stack(_filter_bank(self.g0_col, self.g1_col, self.g0_row, self.g1_row))
        x = F.conv_transpose2d(x.unflatten(1, (-1, 4)).flatten(0, 1), bank, stride=2)
        return x.unflatten(0, (n, -1)).squeeze(2)


def _register_haar(module: nn.Module, letter: str) -> None:
    for axis, shape in (("col", (1, 1, 2, 1)), ("row", (1, 1, 1, 2))):
        low_pass, high_pass = torch.tensor([HAAR, HAAR]), torch.tensor([HAAR, -HAAR])
        module.register_buffer(f"{letter}0_{axis}", low_pass.view(shape))
        module.register_buffer(f"{letter}1_{axis}", high_pass.view(shape))


def _filter_bank(
    low_col: torch.Tensor, high_col: torch.Tensor, low_row: torch.Tensor, high_row: torch.Tensor
) -> list[torch.Tensor]:
    """Kernels [1,2,2] of LL, LH, HL, HH; LH is low-pass along rows, high-pass along columns."""
    return [(col * row)[0] for row in (low_row, high_row) for col in (low_col, high_col)]


class PriorFusion(nn.Module):
    """Lets image features and prior features enhance what they agree on (the paper's IFM)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_conv = _conv3(channels, channels)
        self.key_conv = _conv3(channels, channels)
        self.gamma1 = _conv3(2 * channels, 2)
        self.gamma2 = _conv3(2 * channels, 2)

    def forward(self, x: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
        """Two of [N,C,H,W] -> [N,2C,H,W]."""
        similarity = torch.sigmoid(self.query_conv(x) * self.key_conv(prior))
        mixed = []
        for features, gamma in ((x, self.gamma1), (prior, self.gamma2)):
            alike = features * similarity
            weights = gamma(torch.cat((features, alike), dim=1))
            mixed.append(features * weights[:, :1] + alike * weights[:, 1:])
        return torch.cat(mixed, dim=1)


class Fuse(nn.Module):
    """Adds features of the level below to those of a level."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = UpBlock(channels)
        self.conv = ConvBlock(channels, channels)  # never runs
        self.rb = ResidualSE(channels)

    def forward(self, x: torch.Tensor, below: torch.Tensor) -> torch.Tensor:
        """[N,C,H,W] and [N,C,h,w] -> [N,C,H,W]."""
        return self.rb(x + self.up(below, x.shape[2:]))


class WaveletNet(nn.Module):
    """Restores features on three wavelet levels, guided by the prior (the paper's WMLM)."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.DWT, self.IDWT = HaarAnalysis(), HaarSynthesis()
        self.DWT_2 = ConvBlock(4 * channels, channels)
        self.DWT_3 = ConvBlock(4 * channels, channels)
        self.IDWT_2 = ConvBlock(channels, 4 * channels)
        self.IDWT_3 = ConvBlock(channels, 4 * channels)
        self.prior = PriorFusion(channels)
        self.fuse_res = ConvBlock(2 * channels, channels)
        for level in LEVELS:
            if level > 1:
                self._add_idle(f"down{level}", ConvBlock(channels, channels))
            for i in LEVELS:
                setattr(self, f"branch{level}_{i}", NestedResidual(channels, blocks))
                if i < 3 and level > 1:
                    self._add_idle(f"branch{level}_{i}_u", UpBlock(channels))
                if i < 3 and level < 3:
                    self._add_idle(f"branch{level}_{i}_d", ConvBlock(channels, channels))
        self.fuse12 = Fuse(channels)
        self.fuse23 = Fuse(channels)

    def _add_idle(self, name: str, layer: nn.Module) -> None:
        """Adds a layer that the official weights hold and the network never runs."""
        setattr(self, name, layer)

    def forward(self, x: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
        """Image and prior features [N,C,H,W] -> [N,C,H,W]."""
        x1 = self.fuse_res(self.prior(x, prior))
        x2 = self.DWT_2(self.DWT(x1))
        x3 = self.DWT_3(self.DWT(x2))
        x1, x2, x3 = (self._branch(level, x) for level, x in zip(LEVELS, (x1, x2, x3), strict=True))
        x2 = self.fuse23(x2, self.IDWT(self.IDWT_3(x3)))
        return self.fuse12(x1, self.IDWT(self.IDWT_2(x2)))

    def _branch(self, level: int, x: torch.Tensor) -> torch.Tensor:
        for i in (1, 2, 3):
            x = getattr(self, f"branch{level}_{i}")(x)
        return x


class PriorFeatures(nn.Module):
    """Features [N,C,H,W] of the residue channel prior of an image [N,3,H,W].

    The prior, maximum less minimum over colours, hardly contains the (colourless) rain.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.conv_init1 = ConvBlock(3, channels // 2)
        self.conv_init2 = ConvBlock(channels // 2, channels)
        self.extra = NestedResidual(channels, blocks)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        residue = image.amax(dim=1, keepdim=True) - image.amin(dim=1, keepdim=True)
        return self.extra(self.conv_init2(self.conv_init1(residue.expand(-1, 3, -1, -1))))


class SPDNet(nn.Module):
    """Three wavelet networks in a row, each guided by the prior of the estimate before it.

    Input and output: float [N,3,H,W] in [0,1], output unclamped.

    Args:
        n_feats: number of feature channels, even.
        n_resblocks: SE-residual blocks in every branch step.
    """

    def __init__(self, n_feats: int = 32, n_resblocks: int = 3) -> None:
        super().__init__()
        if n_feats < 2 or n_feats % 2:
            raise ValueError(f"n_feats must be even and at least 2, got {n_feats}")
        if n_resblocks < 1:
            raise ValueError(f"n_resblocks must be at least 1, got {n_resblocks}")
        self.conv_init1 = ConvBlock(3, n_feats // 2)
        self.conv_init2 = ConvBlock(n_feats // 2, n_feats)
        for i in (1, 2, 3):
            setattr(self, f"res_extra{i}", PriorFeatures(n_feats, n_resblocks))
            setattr(self, f"sub{i}", WaveletNet(n_feats, n_resblocks))
        self.ag1 = ConvBlock(2 * n_feats, n_feats)
        self.ag2 = ConvBlock(3 * n_feats, n_feats)
        self.ag2_en = ConvBlock(2 * n_feats, n_feats)
        self.ag_en = ConvBlock(3 * n_feats, n_feats)
        for i in (1, 2, 3):
            setattr(self, f"output{i}", _conv3(n_feats, 3))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        return self.native(image * RANGE) / RANGE

    def native(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] in the network's own range [0,255]."""
        return self.native_stages(image)[-1]

    def stages(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The three estimates, each [N,3,H,W] in [0,1]; the last one counts."""
        return [estimate / RANGE for estimate in self.native_stages(image * RANGE)]

    def native_stages(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The three estimates, each [N,3,H,W] in [0,255]."""
        x0 = self.conv_init2(self.conv_init1(image))
        x1 = self.sub1(x0, self.res_extra1(image))
        estimate1 = self.output1(x1)
        x2 = self.sub2(self.ag1(torch.cat((x1, x0), dim=1)), self.res_extra2(estimate1))
        estimate2 = self.output2(self.ag2_en(torch.cat((x2, x1), dim=1)))
        x3 = self.sub3(self.ag2(torch.cat((x2, x1, x0), dim=1)), self.res_extra3(estimate2))
        estimate3 = self.output3(self.ag_en(torch.cat((x3, x2, x1), dim=1)))
        return [estimate1, estimate2, estimate3]
