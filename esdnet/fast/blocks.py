"""Blocks that use what their input and the fast layers allow."""

from __future__ import annotations

import torch

from esdnet.blocks import SRB
from esdnet.fast.attention import FastAttention
from esdnet.network import PatchEmbed


def is_constant(x: torch.Tensor) -> bool:
    """Whether [T,...] was made of one step by ``expand``: then all steps are the same memory."""
    return x.shape[0] > 1 and x.stride(0) == 0


class FastPatchEmbed(PatchEmbed):
    """The first convolution, computed once where the image is the same at every time step."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not is_constant(x):
            return super().forward(x)
        return super().forward(x[:1]).expand(x.shape[0], -1, -1, -1, -1)


class FastSRB(SRB):
    """A residual block: the sum in the attention's last pass, a constant shortcut computed once.

    In training the shortcut's norm counts its values, so that it is given all of them.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.residual(x)
        if self.shortcut is not None:
            once = is_constant(x) and not self.training
            features = features + self.shortcut(x[:1] if once else x)
        if isinstance(self.attn, FastAttention):
            return self.attn.plus(features, x)
        return self.attn(features) + x
