"""VLIF, the spiking deraining network of Chen et al., AAAI 2026 (arXiv 2512.02258).

Tensors are [T,N,C,H,W] unless a docstring says otherwise. Attribute names are the authors'
(repository ChrisChen1023/VLIF), because state-dict keys are.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, layer
from torch import nn

from baselines.vlif_neuron import GradedOperators, VLIFAnalogOperators, VLIFOperators
from esdnet.blocks import conv, mixed_attention_unit, upsample2
from esdnet.network import PatchEmbed, SteppedRestorer, check_blocks, check_sizes
from esdnet.operators import Operators

PATCH = 2  # side of the patches whose pixels become time steps
POSITIONS = PATCH**2


def patches_to_steps(x: torch.Tensor) -> torch.Tensor:
    """[T,N,C,H,W] -> [4T,N,C,H/2,W/2]: the four pixels of a patch become time steps."""
    channels = x.shape[2]
    x = F.pixel_unshuffle(x, PATCH).unflatten(2, (channels, POSITIONS))
    return x.permute(0, 3, 1, 2, 4, 5).flatten(0, 1)


class PatchwiseNeuron(nn.Module):
    """A graded neuron that walks through the pixels of every 2x2 patch as through time.

    Its outputs, four times the channels at half the size, are brought back to x's shape by bilinear
    interpolation and a 1x1 convolution.
    """

    def __init__(self, channels: int, ops: GradedOperators) -> None:
        super().__init__()
        self.lif_node = ops.graded()
        self.channel_adjust = conv(POSITIONS * channels, channels, kernel=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fired = self.lif_node(patches_to_steps(x)).unflatten(0, (x.shape[0], POSITIONS))
        channels = fired.permute(0, 2, 3, 1, 4, 5).flatten(2, 3)
        return self.channel_adjust(functional.seq_to_ann_forward(channels, upsample2))


class ResidualBlock(nn.Module):
    """Two convolutions of mixtures of x and its spikes, beside a third of x; attention; plus x.

    A mixture is ``a h + b (x - h) + x h`` with h the spikes of x and learnable scalars a and b: no
    convolution of this block is fed by spikes alone.

    Args:
        channels: C, unchanged by the block.
        ops: activation, graded activation and normalisation.
        T: time steps, for the temporal attention.
        attentions: parts of the attention; see :func:`esdnet.blocks.mixed_attention_unit`.
    """

    def __init__(
        self, channels: int, ops: GradedOperators, T: int, attentions: Sequence[str]
    ) -> None:
        super().__init__()
        self.high_freq_scale_1 = nn.Parameter(torch.ones(1))
        self.low_freq_scale_1 = nn.Parameter(torch.ones(1))
        self.high_freq_scale_2 = nn.Parameter(torch.ones(1))
        self.low_freq_scale_2 = nn.Parameter(torch.ones(1))
        self.lif_1 = ops.gate()
        self.conv1 = conv(channels, channels)
        self.bn1 = ops.norm(channels)
        self.lif_2 = PatchwiseNeuron(channels, ops)
        self.conv2 = conv(channels, channels)
        self.bn2 = ops.norm(channels, gain=0.2)
        self.shortcut = nn.Sequential(conv(channels, channels), ops.norm(channels))
        self.attn = mixed_attention_unit(channels, T, attentions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        spikes = self.lif_1(x)
        mixed = _mixture(x, spikes, self.high_freq_scale_1, self.low_freq_scale_1)
        features = self.bn1(self.conv1(mixed))
        levels = self.lif_2(features)
        mixed = _mixture(features, levels, self.high_freq_scale_2, self.low_freq_scale_2)
        return self.attn(self.bn2(self.conv2(mixed)) + self.shortcut(x)) + x


def _mixture(
    x: torch.Tensor, fired: torch.Tensor, of_fired: torch.Tensor, of_rest: torch.Tensor
) -> torch.Tensor:
    return of_fired * fired + of_rest * (x - fired) + x * fired


class SUNetBlock(nn.Module):
    """A residual block, and beside it a branch at half the size with the patch's pixels as steps.

    The branch weighs its 4T steps by attention, a convolution over time brings them back to T, and
    two spiking units follow.
    """

    def __init__(
        self, channels: int, ops: GradedOperators, T: int, attentions: Sequence[str]
    ) -> None:
        super().__init__()
        self.initial_residual = ResidualBlock(channels, ops, T, attentions)
        self.lif_node = ops.graded()
        steps = POSITIONS * T
        # The temporal part of spikingjelly's attention, which gives one weight per step.
        self.time_attention = layer.MultiDimensionalAttention(
            T=steps, C=channels, reduction_t=4, use_channel=False, use_spatial=False
        ).ta
        self.temporal_compress = nn.Sequential(
            nn.Conv3d(channels, channels, (4, 1, 1), stride=(4, 1, 1), bias=False), nn.ReLU()
        )
        self.lif_1 = ops.activation()
        self.conv_1 = conv(channels, channels)
        self.bn_1 = ops.norm(channels)
        self.attn_1 = mixed_attention_unit(channels, T, attentions)
        self.lif_2 = ops.activation()
        self.conv_2 = conv(channels, channels)
        self.bn_2 = ops.norm(channels)
        self.attn_2 = mixed_attention_unit(channels, T, attentions)
        self.final_attn = mixed_attention_unit(channels, T, attentions)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.initial_residual(x)
        steps = self.lif_node(patches_to_steps(features)).transpose(0, 1)  # [N,4T,C,H/2,W/2]
        weighed = steps * self.time_attention(steps)
        half = self.temporal_compress(weighed.transpose(1, 2)).permute(2, 0, 1, 3, 4)
        half = self.attn_1(self.bn_1(self.conv_1(self.lif_1(half))))
        half = self.attn_2(self.bn_2(self.conv_2(self.lif_2(half))))
        return self.final_attn(functional.seq_to_ann_forward(half, upsample2) + features)


class SpikingUnit(nn.Module):
    """Activation -> convolution -> norm."""

    def __init__(self, ops: Operators, cin: int, cout: int, *, stride: int = 1) -> None:
        super().__init__()
        self.lif = ops.activation()
        self.conv = conv(cin, cout, stride=stride)
        self.bn = ops.norm(cout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(self.lif(x)))


class Up(SpikingUnit):
    """Doubles height and width and halves the channels: bilinear, then a spiking unit."""

    def __init__(self, ops: Operators, cin: int, cout: int) -> None:
        super().__init__(ops, cin, cout)
        # A module, unlike the other interpolations: counters that go by types see this one.
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(functional.seq_to_ann_forward(x, self.upsample))


class VLIFTopology(SteppedRestorer):
    """VLIF's U-Net for any :class:`GradedOperators`.

    Shapes as in :class:`~esdnet.network.SteppedRestorer`.

    Args:
        ops: activation, graded activation and normalisation of every block.
        dim: channels at full resolution; doubled at each of the two lower levels.
        en_num_blocks: four numbers, as the authors' lists: residual blocks of the encoder's second
            and third level, between two that are never used.
        de_num_blocks: the same for the decoder.
        T: time steps; the image is presented T times and the last features are averaged over T.
        attentions: parts of the attention.
        use_refinement: whether four more residual blocks follow, as for Rain200L alone.
    """

    size_multiple = 8

    def __init__(
        self,
        ops: GradedOperators,
        *,
        dim: int,
        en_num_blocks: Sequence[int],
        de_num_blocks: Sequence[int],
        T: int,
        attentions: Sequence[str],
        use_refinement: bool,
    ) -> None:
        super().__init__()
        check_sizes(T=T, dim=dim)
        check_blocks("four", en_num_blocks=en_num_blocks, de_num_blocks=de_num_blocks)
        self.T = T

        def level(channels: int, blocks: int) -> nn.Sequential:
            return nn.Sequential(
                *(ResidualBlock(channels, ops, T, attentions) for _ in range(blocks))
            )

        self.patch_embed = PatchEmbed(dim)
        self.encoder_level1 = SUNetBlock(dim, ops, T, attentions)
        self.down1_2 = SpikingUnit(ops, dim, 2 * dim, stride=2)
        self.encoder_level2 = level(2 * dim, en_num_blocks[1])
        self.down2_3 = SpikingUnit(ops, 2 * dim, 4 * dim, stride=2)
        self.encoder_level3 = level(4 * dim, en_num_blocks[2])

        self.decoder_level3 = level(4 * dim, de_num_blocks[2])
        self.up3_2 = Up(ops, 4 * dim, 2 * dim)
        self.lif_level2 = ops.activation()
        self.reduce_conv_level2 = conv(4 * dim, 2 * dim, kernel=1)
        self.reduce_bn_level2 = ops.norm(2 * dim)
        self.decoder_level2 = level(2 * dim, de_num_blocks[1])
        self.up2_1 = Up(ops, 2 * dim, dim)
        self.lif_level1 = ops.activation()
        self.reduce_conv_level1 = conv(2 * dim, dim, kernel=1)
        self.reduce_bn_level1 = ops.norm(dim)
        self.decoder_level1 = SUNetBlock(dim, ops, T, attentions)
        self.additional_sunet_level1 = SUNetBlock(dim, ops, T, attentions)
        self.refinement_blocks = level(dim, 4) if use_refinement else nn.Identity()
        self.output = nn.Sequential(nn.Conv2d(dim, 3, 3, padding=1))

    def restore(self, features: torch.Tensor) -> torch.Tensor:
        """[T,N,dim,H,W] -> [N,3,H,W]."""
        return self.output(features.mean(0))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """[T,N,3,H,W] -> [T,N,dim,H,W]."""
        skip1 = self.encoder_level1(self.patch_embed(x))
        skip2 = self.encoder_level2(self.down1_2(skip1))
        x = self.decoder_level3(self.encoder_level3(self.down2_3(skip2)))
        x = torch.cat((self.up3_2(x), skip2), dim=2)
        x = self.reduce_bn_level2(self.reduce_conv_level2(self.lif_level2(x)))
        x = torch.cat((self.up2_1(self.decoder_level2(x)), skip1), dim=2)
        x = self.reduce_bn_level1(self.reduce_conv_level1(self.lif_level1(x)))
        x = self.additional_sunet_level1(self.decoder_level1(x))
        return self.refinement_blocks(x)


class VLIF(VLIFTopology):
    """VLIF as its authors built it; the defaults are the paper's network (14,023,911 parameters).

    With ``use_refinement``, as for Rain200L, 14,312,031. See :class:`VLIFTopology` for shapes.
    """

    def __init__(
        self,
        dim: int = 48,
        en_num_blocks: Sequence[int] = (4, 4, 8, 8),
        de_num_blocks: Sequence[int] = (2, 2, 2, 2),
        T: int = 4,
        use_refinement: bool = False,
        v_threshold: float = 0.15,
    ) -> None:
        super().__init__(
            VLIFOperators(v_threshold),
            dim=dim,
            en_num_blocks=en_num_blocks,
            de_num_blocks=de_num_blocks,
            T=T,
            attentions=("temporal", "channel", "spatial"),
            use_refinement=use_refinement,
        )


class VLIFANN(VLIFTopology):
    """VLIF's topology as an ANN, its counterpart: one time step, and no neuron.

    ReLU stands for LIF, ending at 1 where spikes multiply what they come from; ordinary batch norm
    stands for tdBN, and for a five-level neuron the clipped line that its levels are rounded from. Temporal attention has nothing to weigh at T = 1 and is left
    out; the attention over the four pixels of a patch stays. Shapes as in :class:`VLIFTopology`.
    """

    def __init__(
        self,
        dim: int = 48,
        en_num_blocks: Sequence[int] = (4, 4, 8, 8),
        de_num_blocks: Sequence[int] = (2, 2, 2, 2),
        use_refinement: bool = False,
    ) -> None:
        super().__init__(
            VLIFAnalogOperators(),
            dim=dim,
            en_num_blocks=en_num_blocks,
            de_num_blocks=de_num_blocks,
            T=1,
            attentions=("channel", "spatial"),
            use_refinement=use_refinement,
        )
