"""BRN, the bilateral recurrent network: one branch for the rain layer, one for the background.

Ren, Shang, Zhu, Hu, Meng, Zuo: "Single Image Deraining Using Bilateral Recurrent Network",
IEEE TIP 29, 2020. Attribute names follow the official weights.
"""

from __future__ import annotations

import torch
from torch import nn

BACKGROUND, RAIN = "", "_r"  # suffixes of the branches' layers
# The rain branch owns five residual units too, but its last two never run: the weights hold them.
UNITS_RUN = {BACKGROUND: 5, RAIN: 3}
UNITS_HELD = 5


def _conv(cin: int, cout: int, *activation: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), *activation)


class BRN(nn.Module):
    """Two coupled convolutional LSTM networks applied ``recurrent_iter`` times.

    In every stage the rain branch estimates the rain layer, then the background branch estimates
    the background from it; each LSTM also sees the hidden state of the other branch. Unlike PReNet
    nothing is added to the input. Input and output: float [N,3,H,W] in [0,1], output unclamped.

    Args:
        recurrent_iter: number of stages; the paper's network has 4.
        channels: width of both branches.
    """

    def __init__(self, recurrent_iter: int = 4, channels: int = 32) -> None:
        super().__init__()
        if recurrent_iter < 1 or channels < 1:
            raise ValueError(
                "recurrent_iter and channels must be at least 1, "
                f"got {recurrent_iter} and {channels}"
            )
        self.recurrent_iter = recurrent_iter
        self.channels = channels
        self._add_branch(BACKGROUND, inputs=9)
        self._add_branch(RAIN, inputs=6)

    def _add_branch(self, branch: str, inputs: int) -> None:
        width = self.channels
        setattr(self, f"conv0{branch}", _conv(inputs, width, nn.ReLU()))
        for i in range(1, UNITS_HELD + 1):
            body = nn.Sequential(*_conv(width, width, nn.ReLU()), *_conv(width, width, nn.ReLU()))
            setattr(self, f"res_conv{i}{branch}", body)
        for gate in "ifgo":
            activation = nn.Tanh() if gate == "g" else nn.Sigmoid()
            setattr(self, f"conv_{gate}{branch}", _conv(3 * width, width, activation))
        setattr(self, f"conv{branch}", _conv(width, 3))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        return self.stages(image)[-1]

    def stages(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The background after every stage, each [N,3,H,W]."""
        return [background for background, _ in self.layers(image)]

    def layers(self, image: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Background and rain layer after every stage, each [N,3,H,W]."""
        n, _, height, width = image.shape
        hidden = cell = image.new_zeros(n, self.channels, height, width)
        hidden_r = cell_r = hidden
        background = rain = image
        estimates = []
        for _ in range(self.recurrent_iter):
            seen = torch.cat((image, rain), dim=1)
            rain, hidden_r, cell_r = self._step(RAIN, seen, hidden_r, cell_r, hidden)
            seen = torch.cat((image, background, rain), dim=1)
            background, hidden, cell = self._step(BACKGROUND, seen, hidden, cell, hidden_r)
            estimates.append((background, rain))
        return estimates

    def _step(
        self,
        branch: str,
        seen: torch.Tensor,
        hidden: torch.Tensor,
        cell: torch.Tensor,
        other: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """One pass of a branch: its image [N,3,H,W], new hidden and new cell state [N,C,H,W]."""

        def layer(name: str) -> nn.Module:
            return getattr(self, f"{name}{branch}")

        joint = torch.cat((layer("conv0")(seen), hidden, other), dim=1)
        cell = layer("conv_f")(joint) * cell + layer("conv_i")(joint) * layer("conv_g")(joint)
        x = hidden = layer("conv_o")(joint) * torch.tanh(cell)
        for i in range(1, UNITS_RUN[branch] + 1):
            x = torch.relu(layer(f"res_conv{i}")(x) + x)
        return layer("conv")(x), hidden, cell
