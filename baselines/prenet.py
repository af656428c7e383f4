"""PReNet and its relatives PRN, PReNet_r and PRN_r.

Ren, Zuo, Hu, Zhu, Meng: "Progressive Image Deraining Networks: A Better and Simpler Baseline",
CVPR 2019 (arXiv 1901.09221). Attribute names follow the official weights.
"""

from __future__ import annotations

import torch
from torch import nn

CHANNELS = 32
RESIDUAL_BLOCKS = 5


def _conv_relu(cin: int, cout: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), nn.ReLU())


def _residual_body() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1),
        nn.ReLU(),
    )


class ProgressiveNet(nn.Module):
    """The progressive network: one small residual network applied ``recurrent_iter`` times.

    Every stage sees the rainy image beside the current estimate (section 3 of the paper) and adds
    its output to the rainy image. Input and output: float [N,3,H,W] in [0,1], output unclamped.

    Args:
        recurrent_iter: number of stages; the paper's networks have 6.
        recurrent: carry a convolutional LSTM state from stage to stage (PReNet, else PRN).
        share_blocks: use one residual block five times instead of five blocks (the ``_r`` kind).
    """

    def __init__(
        self, recurrent_iter: int = 6, *, recurrent: bool = True, share_blocks: bool = False
    ) -> None:
        super().__init__()
        if recurrent_iter < 1:
            raise ValueError(f"recurrent_iter must be at least 1, got {recurrent_iter}")
        self.recurrent_iter = recurrent_iter
        self.recurrent = recurrent
        self.block_names = [
            f"res_conv{1 if share_blocks else i}" for i in range(1, RESIDUAL_BLOCKS + 1)
        ]
        self.conv0 = _conv_relu(6, CHANNELS)
        for name in sorted(set(self.block_names)):
            setattr(self, name, _residual_body())
        if recurrent:
            for gate, activation in (
                ("i", nn.Sigmoid),
                ("f", nn.Sigmoid),
                ("g", nn.Tanh),
                ("o", nn.Sigmoid),
            ):
                convolution = nn.Conv2d(2 * CHANNELS, CHANNELS, 3, padding=1)
                setattr(self, f"conv_{gate}", nn.Sequential(convolution, activation()))
        self.conv = nn.Sequential(nn.Conv2d(CHANNELS, 3, 3, padding=1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        return self.stages(image)[-1]

    def stages(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The estimate after every stage, each [N,3,H,W]."""
        n, _, height, width = image.shape
        hidden = cell = image.new_zeros(n, CHANNELS, height, width)
        estimate = image
        estimates = []
        for _ in range(self.recurrent_iter):
            x = self.conv0(torch.cat((image, estimate), dim=1))
            if self.recurrent:
                joint = torch.cat((x, hidden), dim=1)
                cell = self.conv_f(joint) * cell + self.conv_i(joint) * self.conv_g(joint)
                x = hidden = self.conv_o(joint) * torch.tanh(cell)
            for name in self.block_names:
                x = torch.relu(getattr(self, name)(x) + x)
            estimate = self.conv(x) + image
            estimates.append(estimate)
        return estimates
