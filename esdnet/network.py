"""The ESDNet topology (paper Fig. 3): a three-level U-Net of spiking residual blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Literal

import torch
from spikingjelly.activation_based import functional
from torch import nn

from esdnet.blocks import ATTENTIONS, FRB, SRB, Down, Up, conv
from esdnet.operators import Operators, SpikingOperators


class PatchEmbed(nn.Module):
    """First convolution, 3 -> dim channels; its input is the image itself at every time step."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = conv(3, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.proj(x)


class SteppedRestorer(nn.Module, ABC):
    """A network that is shown its image T times and adds what it restored to the image.

    Input and output: float [N,3,H,W], nominally in [0,1], the output unclamped; H and W must be
    multiples of :attr:`size_multiple`. No state is kept between calls.
    """

    size_multiple: int
    T: int

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W].

        Raises:
            ValueError: for another shape, or H or W not a multiple of ``size_multiple``.
        """
        if image.dim() != 4 or image.shape[1] != 3:
            raise ValueError(f"expected images [N,3,H,W], got {list(image.shape)}")
        if image.shape[2] % self.size_multiple or image.shape[3] % self.size_multiple:
            raise ValueError(
                f"height and width must be multiples of {self.size_multiple}, "
                f"got {image.shape[2]}x{image.shape[3]}"
            )
        functional.reset_net(self)
        try:
            features = self.features(image.unsqueeze(0).expand(self.T, -1, -1, -1, -1))
        finally:
            functional.reset_net(self)  # frees the membrane potentials and their graph
        return self.restore(features) + image

    def use_layers(self, layers: Literal["reference", "exact", "fast"], *, training: bool) -> None:
        """Chooses what computes the layers, for good; parameters and their names stay.

        Args:
            layers: "reference", spikingjelly's own; "exact", faster ones that give the same numbers to
                the last bit; "fast", all faster ones: the same up to rounding, which a spike now and
                then turns into more. See :mod:`esdnet.fast`.
            training: whether the network will be trained; if not, norms are folded into weights
                where ``layers`` is "fast", and the network stays in eval mode.

        Raises:
            ValueError: for another name.
        """
        if layers == "reference":
            return
        from esdnet import fast  # its compiler takes half a second to import

        fast.take_roads(self, fast.roads_of(layers, training))

    @abstractmethod
    def features(self, x: torch.Tensor) -> torch.Tensor:
        """[T,N,3,H,W] -> [T,N,C,H,W], C the channels of the last features."""

    @abstractmethod
    def restore(self, features: torch.Tensor) -> torch.Tensor:
        """[T,N,C,H,W] -> [N,3,H,W], what is added to the image."""


def join(x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
    """The channels of two tensors [T,N,C,H,W] behind each other, in the order of memory of both."""
    images = torch.cat((x.flatten(0, 1), skip.flatten(0, 1)), dim=1)  # with five axes it is lost
    return images.unflatten(0, x.shape[:2])


def check_sizes(**numbers: int) -> None:
    """Refuses sizes below 1, by name.

    Raises:
        ValueError: for the first one.
    """
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def check_blocks(length: Literal["three", "four", "three or four"], **lists: Sequence[int]) -> None:
    """Refuses lists of blocks per level, by name, of another length or with numbers below 1.

    Raises:
        ValueError: for the first one.
    """
    lengths = [{"three": 3, "four": 4}[word] for word in length.split(" or ")]
    for name, blocks in lists.items():
        if len(blocks) not in lengths or min(blocks) < 1:
            raise ValueError(f"{name} must be {length} numbers >= 1, got {list(blocks)}")


class DerainingUNet(SteppedRestorer):
    """Encoder, decoder, refinement and global residual, for any :class:`Operators`.

    Shapes as in :class:`SteppedRestorer`.

    Args:
        ops: activation and normalisation of every block.
        dim: channels at full resolution; doubled at each of the two lower levels.
        en_num_blocks: residual blocks per encoder level.
        de_num_blocks: residual blocks per decoder level, listed from full resolution down
            (the authors' lists carry a fourth entry that is never used; it is refused here).
        T: time steps; the image is presented T times and the last features are averaged over T.
        attentions: parts of the mixed attention unit.
        refine: whether the feature refinement block stands before the output convolution.
        shortcut: whether residual blocks have the convolution beside their two spiking units.
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
        attentions: Collection[str],
        refine: bool,
        shortcut: bool = True,
    ) -> None:
        super().__init__()
        check_sizes(T=T, dim=dim)
        check_blocks("three", en_num_blocks=en_num_blocks, de_num_blocks=de_num_blocks)
        self.T = T

        def level(channels: int, blocks: int) -> nn.Sequential:
            return nn.Sequential(
                *(SRB(channels, ops, T, attentions, shortcut) for _ in range(blocks))
            )

        self.patch_embed = PatchEmbed(dim)
        self.encoder_level1 = level(dim, en_num_blocks[0])
        self.down1_2 = Down(dim, ops)
        self.encoder_level2 = level(2 * dim, en_num_blocks[1])
        self.down2_3 = Down(2 * dim, ops)
        self.encoder_level3 = level(4 * dim, en_num_blocks[2])

        self.decoder_level3 = level(4 * dim, de_num_blocks[2])
        self.up3_2 = Up(4 * dim, ops)
        self.reduce_chan_level2 = nn.Sequential(
            ops.activation(), conv(4 * dim, 2 * dim, kernel=1), ops.norm(2 * dim)
        )
        self.decoder_level2 = level(2 * dim, de_num_blocks[1])
        self.up2_1 = Up(2 * dim, ops)
        # No 1x1 reduction at level 1: the concatenated 2*dim channels stay to the end.
        self.decoder_level1 = level(2 * dim, de_num_blocks[0])
        self.refinement = FRB(2 * dim) if refine else nn.Identity()
        self.output = nn.Sequential(nn.Conv2d(2 * dim, 3, 3, padding=1))

    def restore(self, features: torch.Tensor) -> torch.Tensor:
        """[T,N,2*dim,H,W] -> [N,3,H,W]."""
        return self.output(self.refinement(features.mean(0)))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """[T,N,3,H,W] -> [T,N,2*dim,H,W]."""
        skip1 = self.encoder_level1(self.patch_embed(x))
        skip2 = self.encoder_level2(self.down1_2(skip1))
        x = self.encoder_level3(self.down2_3(skip2))
        x = self.up3_2(self.decoder_level3(x))
        x = self.decoder_level2(self.reduce_chan_level2(join(x, skip2)))
        x = self.up2_1(x)
        return self.decoder_level1(join(x, skip1))


class ESDNet(DerainingUNet):
    """ESDNet as its authors built it; the defaults are the paper's network (12,811,463 parameters).

    See :class:`DerainingUNet` for shapes and the remaining arguments.

    Args:
        v_threshold: firing threshold of all LIF neurons.
        norm: "tdbn", threshold-dependent batch norm; "bn", ordinary batch norm.
    """

    def __init__(
        self,
        dim: int = 48,
        en_num_blocks: Sequence[int] = (4, 4, 8),
        de_num_blocks: Sequence[int] = (2, 2, 2),
        T: int = 4,
        v_threshold: float = 0.15,
        attentions: Collection[str] = ATTENTIONS,
        refine: bool = True,
        shortcut: bool = True,
        norm: str = "tdbn",
    ) -> None:
        super().__init__(
            SpikingOperators(v_threshold, norm),
            dim=dim,
            en_num_blocks=en_num_blocks,
            de_num_blocks=de_num_blocks,
            T=T,
            attentions=attentions,
            refine=refine,
            shortcut=shortcut,
        )
