"""RESCAN, with gated recurrent or LSTM units.

Li, Wu, Lin, Liu, Zha: "Recurrent Squeeze-and-Excitation Context Aggregation Net for Single Image
Deraining", ECCV 2018 (arXiv 1807.05698). Attribute names follow the official weights.
"""

from __future__ import annotations

import torch
from torch import nn

SE_REDUCTION = 4
LEAK = 0.2


class SqueezeExcite(nn.Module):
    """Scales every channel of [N,C,H,W] by a gate that sees the channel means."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // SE_REDUCTION),
            nn.ReLU(),
            nn.Linear(channels // SE_REDUCTION, channels),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[N,C,H,W] -> [N,C,H,W]."""
        return x * self.fc(x.mean(dim=(2, 3)))[:, :, None, None]


class RecurrentLayer(nn.Module):
    """A dilated convolutional layer with a state that lasts from stage to stage.

    Convolutions over the input are dilated, those over the state are not.
    """

    gates = ""

    def __init__(self, cin: int, channels: int, dilation: int, use_se: bool) -> None:
        super().__init__()
        for gate in self.gates:
            convolution = nn.Conv2d(cin, channels, 3, padding=dilation, dilation=dilation)
            setattr(self, f"conv_x{gate}", convolution)
        for gate in self.gates:
            setattr(self, f"conv_h{gate}", nn.Conv2d(channels, channels, 3, padding=1))
        self.se = SqueezeExcite(channels) if use_se else nn.Identity()

    def _activate(self, hidden: torch.Tensor) -> torch.Tensor:
        return nn.functional.leaky_relu(self.se(hidden), LEAK)


class GRULayer(RecurrentLayer):
    """The layer with a convolutional gated recurrent unit; its state is its output."""

    gates = "zrn"

    def forward(
        self, x: torch.Tensor, hidden: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """[N,Cin,H,W] and the state (None in the first stage) -> output [N,C,H,W], new state."""
        z, n = self.conv_xz(x), self.conv_xn(x)
        if hidden is None:
            hidden = torch.sigmoid(z) * torch.tanh(n)
        else:
            z = torch.sigmoid(z + self.conv_hz(hidden))
            r = torch.sigmoid(self.conv_xr(x) + self.conv_hr(hidden))
            n = torch.tanh(n + self.conv_hn(r * hidden))
            hidden = (1 - z) * hidden + z * n
        hidden = self._activate(hidden)
        return hidden, hidden


class LSTMLayer(RecurrentLayer):
    """The layer with a convolutional LSTM; its state is its output and its cell."""

    gates = "fioj"

    def forward(
        self, x: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """[N,Cin,H,W] and the state (None in the first stage) -> output [N,C,H,W], new state."""
        i, o, j = self.conv_xi(x), self.conv_xo(x), self.conv_xj(x)
        if state is None:
            # The official network omits the tanh in the first stage, so its weights need that.
            shown = cell = torch.sigmoid(i) * torch.tanh(j)
        else:
            hidden, cell = state
            i, j = i + self.conv_hi(hidden), j + self.conv_hj(hidden)
            o = o + self.conv_ho(hidden)
            f = torch.sigmoid(self.conv_xf(x) + self.conv_hf(hidden))
            cell = f * cell + torch.sigmoid(i) * torch.tanh(j)
            shown = torch.tanh(cell)
        hidden = self._activate(torch.sigmoid(o) * shown)
        return hidden, (hidden, cell)


class RESCAN(nn.Module):
    """A dilated network with recurrent layers that estimates the rain ``stage_num`` times.

    Every stage sees the rainy image less the rain estimated so far, and estimates all of the rain
    ("full prediction" in the paper). Input and output: float [N,3,H,W], RGB in [0,1], output
    unclamped.

    Args:
        channel: width; at least 4.
        stage_num: number of stages.
        depth: convolutional layers per stage: ``depth - 2`` recurrent ones and two that decode.
        use_se: squeeze-and-excitation after every layer.
        channel_order: "rgb", or "bgr" for weights of the official code, which trains in that order.
    """

    layer: type[RecurrentLayer] = GRULayer

    def __init__(
        self,
        *,
        channel: int = 24,
        stage_num: int = 4,
        depth: int = 7,
        use_se: bool = True,
        channel_order: str = "rgb",
    ) -> None:
        super().__init__()
        if channel < SE_REDUCTION:
            raise ValueError(f"channel must be at least {SE_REDUCTION}, got {channel}")
        if stage_num < 1:
            raise ValueError(f"stage_num must be at least 1, got {stage_num}")
        if depth < 3:
            raise ValueError(f"depth must be at least 3, got {depth}")
        if channel_order not in ("rgb", "bgr"):
            raise ValueError(f"channel_order must be 'rgb' or 'bgr', got {channel_order!r}")
        self.stage_num = stage_num
        self.bgr = channel_order == "bgr"
        # Dilations 1, 1, 2, 4, 8, ..: the receptive field doubles with every layer.
        self.rnns = nn.ModuleList(
            self.layer(channel if i else 3, channel, 2 ** max(i - 1, 0), use_se)
            for i in range(depth - 2)
        )
        self.dec = nn.Sequential(
            nn.Conv2d(channel, channel, 3, padding=1),
            SqueezeExcite(channel) if use_se else nn.Identity(),
            nn.LeakyReLU(LEAK),
            nn.Conv2d(channel, 3, 1),
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Restores [N,3,H,W] -> [N,3,H,W]."""
        return self.stages(image)[-1]

    def stages(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The estimate after every stage, each [N,3,H,W]; the estimated rain is image - estimate."""
        image = image.flip(1) if self.bgr else image
        states = [None] * len(self.rnns)
        estimate = image
        estimates = []
        for _ in range(self.stage_num):
            x = estimate
            for i, layer in enumerate(self.rnns):
                x, states[i] = layer(x, states[i])
            estimate = image - self.dec(x)
            estimates.append(estimate)
        return [e.flip(1) for e in estimates] if self.bgr else estimates


class RESCANLSTM(RESCAN):
    """RESCAN with LSTM units."""

    layer = LSTMLayer
