"""SpikeRain, the spiking deraining network of Islam et al., WACV 2026.

Tensors are [T,N,C,H,W] unless a docstring says otherwise. Attribute names are the authors'
(repository tanvirnwu/SpikeRain), because state-dict keys are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from spikingjelly.activation_based import functional
from torch import nn

from esdnet.blocks import channel_gate, conv, upsample2
from esdnet.network import PatchEmbed, SteppedRestorer, check_blocks, check_sizes
from esdnet.operators import AnalogOperators, Operators, SpikingOperators

GROWTH = 24  # channels that every layer of a dense block adds
DENSE_LAYERS = 4


class BatchNorm(nn.Module):
    """Torch's batch norm over time and batch, not spikingjelly's: counters that go by types see it.

    The authors wrap it, which shows in the keys.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.seq_to_ann_forward(x, self.bn)


def spiking_unit(
    ops: Operators, cin: int, cout: int, kernel: int = 3, stride: int = 1
) -> nn.Sequential:
    """Activation -> convolution -> norm."""
    return nn.Sequential(ops.activation(), conv(cin, cout, kernel, stride), BatchNorm(cout))


class DimensionalAttention(nn.Module):
    """One weight per image, then one per channel, then one per pixel and step, multiplied in.

    No weight depends on the number of time steps.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        inner = channels // reduction
        if inner < 1:
            raise ValueError(f"attention needs at least {reduction} channels, got {channels}")
        self.temporal_fc = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Conv3d(1, 1, 1), nn.Sigmoid())
        self.channel_fc = nn.Sequential(
            nn.AdaptiveAvgPool3d(1),
            nn.Conv3d(channels, inner, 1),
            nn.ReLU(),
            nn.Conv3d(inner, channels, 1),
            nn.Sigmoid(),
        )
        self.spatial_conv = nn.Sequential(
            nn.Conv3d(1, 1, (1, 3, 3), padding=(0, 1, 1)), nn.Sigmoid()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.permute(1, 2, 0, 3, 4)  # [N,C,T,H,W]
        x = x * self.temporal_fc(x.mean(1, keepdim=True))
        x = x * self.channel_fc(x)
        x = x * self.spatial_conv(x.mean(1, keepdim=True))
        return x.permute(2, 0, 1, 3, 4)


class DenseBlock(nn.Module):
    """Dense spiking residual block (DSRB): every layer sees the input and all earlier layers.

    Every one of its convolutions is fed by spikes.
    """

    def __init__(self, channels: int, ops: Operators) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            spiking_unit(ops, channels + i * GROWTH, GROWTH) for i in range(DENSE_LAYERS)
        )
        everything = channels + DENSE_LAYERS * GROWTH
        self.lff = nn.Sequential(ops.activation(), conv(everything, channels, kernel=1))
        self.attn = DimensionalAttention(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = x
        for layer in self.layers:
            seen = torch.cat((seen, layer(seen)), dim=2)
        return self.attn(self.lff(seen)) + x


class Down(nn.Module):
    """Halves height and width and doubles the channels."""

    def __init__(self, channels: int, ops: Operators) -> None:
        super().__init__()
        self.maxpool_conv = spiking_unit(ops, channels, 2 * channels, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.maxpool_conv(x)


class Up(nn.Module):
    """Doubles height and width and halves the channels: bilinear, then a spiking unit."""

    def __init__(self, channels: int, ops: Operators) -> None:
        super().__init__()
        self.up = spiking_unit(ops, channels, channels // 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(functional.seq_to_ann_forward(x, upsample2))


class TemporalFusion(nn.Module):
    """[T,N,C,H,W] -> [N,C,H,W]: a sum over time, weighted by the softmax of T parameters."""

    def __init__(self, T: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.full((T,), 1 / T))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.weights.softmax(0).view(-1, 1, 1, 1, 1)).sum(0)


class Refinement(nn.Module):
    """The refinement before the output (ARFE), analog, [N,C,H,W] -> [N,C,H,W].

    ``g c + (1 - g) s + x``: c is x under a channel gate, s is x under a spatial gate, and g, a gate
    too, is computed from all three.
    """

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        inner = channels // reduction
        self.ca = channel_gate(channels, inner)
        self.sa = nn.Sequential(
            nn.Conv2d(channels, inner, 1),
            nn.ReLU(),
            nn.Conv2d(inner, 1, 5, padding=2),
            nn.Sigmoid(),
        )
        self.gate = nn.Sequential(nn.Conv2d(3 * channels, channels, 1), nn.Sigmoid())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        by_channel, by_pixel = x * self.ca(x), x * self.sa(x)
        gate = self.gate(torch.cat((x, by_channel, by_pixel), dim=1))
        return gate * by_channel + (1 - gate) * by_pixel + x


class SpikeRainTopology(SteppedRestorer):
    """SpikeRain's U-Net for any :class:`~esdnet.operators.Operators`.

    Shapes as in :class:`~esdnet.network.SteppedRestorer`.

    Args:
        ops: activation and normalisation of every block.
        dim: channels at full resolution; doubled at each of the two lower levels.
        en_num_blocks: dense blocks per encoder level; a fourth entry, which the authors' lists
            carry, is never used.
        de_num_blocks: dense blocks per decoder level, listed from full resolution down.
        T: time steps; the image is presented T times.
    """

    size_multiple = 4

    def __init__(
        self,
        ops: Operators,
        *,
        dim: int,
        en_num_blocks: Sequence[int],
        de_num_blocks: Sequence[int],
        T: int,
    ) -> None:
        super().__init__()
        check_sizes(T=T, dim=dim)
        check_blocks("three or four", en_num_blocks=en_num_blocks, de_num_blocks=de_num_blocks)
        self.T = T

        def level(channels: int, blocks: int) -> nn.Sequential:
            return nn.Sequential(*(DenseBlock(channels, ops) for _ in range(blocks)))

        self.patch_embed = PatchEmbed(dim)
        self.encoder_level1 = level(dim, en_num_blocks[0])
        self.downsample_1_to_2 = Down(dim, ops)
        self.encoder_level2 = level(2 * dim, en_num_blocks[1])
        self.downsample_2_to_3 = Down(2 * dim, ops)
        self.encoder_level3 = level(4 * dim, en_num_blocks[2])

        self.decoder_level3 = level(4 * dim, de_num_blocks[2])
        self.upsample_3_to_2 = Up(4 * dim, ops)
        self.reduce_channels_2 = spiking_unit(ops, 4 * dim, 2 * dim, kernel=1)
        self.decoder_level2 = level(2 * dim, de_num_blocks[1])
        self.upsample_2_to_1 = Up(2 * dim, ops)
        # No reduction at level 1: the concatenated 2*dim channels stay to the end.
        self.decoder_level1 = level(2 * dim, de_num_blocks[0])
        self.temporal_fusion = TemporalFusion(T)
        self.refinement = Refinement(2 * dim)
        self.output_conv = nn.Conv2d(2 * dim, 3, 3, padding=1)

    def restore(self, features: torch.Tensor) -> torch.Tensor:
        """[T,N,2*dim,H,W] -> [N,3,H,W]."""
        return self.output_conv(self.refinement(self.temporal_fusion(features)))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """[T,N,3,H,W] -> [T,N,2*dim,H,W]."""
        skip1 = self.encoder_level1(self.patch_embed(x))
        skip2 = self.encoder_level2(self.downsample_1_to_2(skip1))
        x = self.decoder_level3(self.encoder_level3(self.downsample_2_to_3(skip2)))
        x = self.reduce_channels_2(torch.cat((self.upsample_3_to_2(x), skip2), dim=2))
        x = self.upsample_2_to_1(self.decoder_level2(x))
        return self.decoder_level1(torch.cat((x, skip1), dim=2))


class SpikeRain(SpikeRainTopology):
    """SpikeRain as its authors built it; the defaults are their M (4,434,392 parameters).

    S is ``dim=32, en_num_blocks=(2, 2, 4), de_num_blocks=(1, 1, 1)``, L ``dim=64,
    en_num_blocks=(6, 6, 8), de_num_blocks=(4, 4, 4)``. See :class:`SpikeRainTopology`.
    """

    def __init__(
        self,
        dim: int = 48,
        en_num_blocks: Sequence[int] = (4, 4, 8),
        de_num_blocks: Sequence[int] = (2, 2, 2),
        T: int = 4,
        v_threshold: float = 0.15,
    ) -> None:
        super().__init__(
            SpikingOperators(v_threshold, "bn"),
            dim=dim,
            en_num_blocks=en_num_blocks,
            de_num_blocks=de_num_blocks,
            T=T,
        )


class SpikeRainANN(SpikeRainTopology):
    """SpikeRain's topology with ReLU for LIF and one time step: its ANN counterpart.

    The weight per image stays, since it does not depend on time; the fusion over time has one step
    to weigh. Shapes as in :class:`SpikeRainTopology`.
    """

    def __init__(
        self,
        dim: int = 48,
        en_num_blocks: Sequence[int] = (4, 4, 8),
        de_num_blocks: Sequence[int] = (2, 2, 2),
    ) -> None:
        super().__init__(
            AnalogOperators(),
            dim=dim,
            en_num_blocks=en_num_blocks,
            de_num_blocks=de_num_blocks,
            T=1,
        )
