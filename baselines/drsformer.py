"""DRSformer: Restormer's frame with sparse attention and, in its larger form, mixtures of experts.

Chen, Li, Li, Pan: "Learning A Sparse Transformer Network for Effective Image Deraining",
CVPR 2023 (arXiv 2303.11950). Attribute names follow the official weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from baselines.restormer import MDTA, TransformerBlock, TransformerUNet, check_block

SHARES = ((1, 2), (2, 3), (3, 4), (4, 5))  # of the keys that each attention map keeps
STEPS = 4  # mixtures of experts, one after the other
PLAIN, DILATED = (1, 3, 5, 7), (3, 5, 7)  # kernel sizes of the experts that are convolutions
EXPERTS = len(PLAIN) + len(DILATED) + 1
GATE_WIDTH = 64


class TKSA(MDTA):
    """Top-k sparse attention (section 3.2): four maps, each with another share of the keys."""

    def __init__(self, channels: int, heads: int, bias: bool) -> None:
        super().__init__(channels, heads, bias)
        for index in range(1, len(SHARES) + 1):
            setattr(self, f"attn{index}", nn.Parameter(torch.tensor([0.2])))

    def attend(self, scores: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Mixes the values by the scores that are among the k highest of their query."""
        keys = scores.shape[-1]
        out = torch.zeros_like(v)
        for index, (part, whole) in enumerate(SHARES, start=1):
            kept = scores.topk(keys * part // whole, dim=-1).indices
            dropped = torch.ones_like(scores, dtype=torch.bool).scatter(-1, kept, False)
            attention = scores.masked_fill(dropped, float("-inf")).softmax(dim=-1)
            # Adding the maps first would save three products, but the network's known cost
            # includes them.
            out = out + (attention @ v) * getattr(self, f"attn{index}")
        return out


class MSFN(nn.Module):
    """Mixed-scale feed-forward network (section 3.2): two kernel sizes that swap halves midway."""

    def __init__(self, channels: int, expansion: float, bias: bool) -> None:
        super().__init__()
        hidden = int(channels * expansion)

        def grouped(cin: int, cout: int, kernel_size: int) -> nn.Conv2d:
            padding = kernel_size // 2
            return nn.Conv2d(cin, cout, kernel_size, padding=padding, groups=cout, bias=bias)

        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=bias)
        self.dwconv3x3 = grouped(2 * hidden, 2 * hidden, 3)
        self.dwconv5x5 = grouped(2 * hidden, 2 * hidden, 5)
        self.dwconv3x3_1 = grouped(2 * hidden, hidden, 3)
        self.dwconv5x5_1 = grouped(2 * hidden, hidden, 5)
        self.project_out = nn.Conv2d(2 * hidden, channels, 1, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.project_in(x)
        small = torch.relu(self.dwconv3x3(x)).chunk(2, dim=1)
        large = torch.relu(self.dwconv5x5(x)).chunk(2, dim=1)
        first = self.dwconv3x3_1(torch.cat((small[0], large[0]), dim=1))
        second = self.dwconv5x5_1(torch.cat((small[1], large[1]), dim=1))
        return self.project_out(torch.relu(torch.cat((first, second), dim=1)))


class Operation(nn.Module):
    """A chain of layers under the name that the weights have for it."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.op = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.op(x)


def _separable(channels: int, kernel_size: int, dilation: int = 1) -> tuple[nn.Conv2d, nn.Conv2d]:
    """A depthwise and a pointwise convolution, together the size of the input."""
    depthwise = nn.Conv2d(
        channels,
        channels,
        kernel_size,
        padding=dilation * (kernel_size // 2),
        dilation=dilation,
        groups=channels,
        bias=False,
    )
    return depthwise, nn.Conv2d(channels, channels, 1, bias=False)


class ExpertGate(nn.Module):
    """How much each expert of each step counts for an image: [N,C,H,W] -> [N,steps,experts]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ca_fc = nn.Sequential(
            nn.Linear(channels, GATE_WIDTH), nn.ReLU(), nn.Linear(GATE_WIDTH, STEPS * EXPERTS)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.ca_fc(x.mean(dim=(2, 3)))
        return scores.reshape(-1, STEPS, EXPERTS).softmax(dim=-1)


class ExpertStep(nn.Module):
    """Eight small operations side by side, weighted and joined by a 1x1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        experts: list[nn.Module] = [
            Operation(*_separable(channels, size), nn.ReLU(), *_separable(channels, size))
            for size in PLAIN
        ]
        experts += [Operation(*_separable(channels, size, dilation=2)) for size in DILATED]
        experts.append(nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False))
        self._ops = nn.ModuleList(experts)
        self._out = nn.Sequential(nn.Conv2d(EXPERTS * channels, channels, 1, bias=False), nn.ReLU())

    def forward(self, x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """[N,C,H,W] and weights [N,experts] -> [N,C,H,W]."""
        columns = weights[:, :, None, None, None].unbind(dim=1)
        outputs = [expert(x) * w for expert, w in zip(self._ops, columns, strict=True)]
        return self._out(torch.cat(outputs, dim=1))


class ExpertChain(nn.Module):
    """The steps one after the other, each with a shortcut around."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.preprocess = Operation(nn.Conv2d(channels, channels, 1, bias=False), nn.ReLU())
        self._ops = nn.ModuleList(ExpertStep(channels) for _ in range(STEPS))

    def forward(self, x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """[N,C,H,W] and weights [N,steps,experts] -> [N,C,H,W]."""
        x = self.preprocess(x)
        for step, own in zip(self._ops, weights.unbind(dim=1), strict=True):
            x = torch.relu(x + step(x, own))
        return x


class MEFC(nn.Module):
    """Mixture of experts feature compensator (section 3.3): [N,C,H,W] -> [N,C,H,W]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList((ExpertGate(channels), ExpertChain(channels)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate, chain = self.layers
        return chain(x, gate(x))


class DRSformer(TransformerUNet):
    """The network of the paper; shapes and further arguments as in :class:`TransformerUNet`.

    Which keys attention keeps is a discontinuous choice: where two scores are nearly equal,
    rounding can decide it, and single outputs then differ by more than rounding.

    Args:
        ffn_expansion_factor: how much wider the feed-forward networks are inside.
        LayerNorm_type: "WithBias", or "BiasFree" (no mean taken off, no bias).
    """

    compensated = True

    def __init__(
        self,
        inp_channels: int = 3,
        out_channels: int = 3,
        dim: int = 48,
        num_blocks: Sequence[int] = (4, 6, 6, 8),
        heads: Sequence[int] = (1, 2, 4, 8),
        ffn_expansion_factor: float = 2.66,
        bias: bool = False,
        LayerNorm_type: str = "WithBias",
    ) -> None:
        check_block(dim, ffn_expansion_factor, LayerNorm_type)
        if any(dim * 2**level < 2 * h for level, h in enumerate(heads)):
            raise ValueError(f"dim {dim} leaves heads {list(heads)} fewer than 2 channels each")

        def block(channels: int, heads: int) -> TransformerBlock:
            ffn = MSFN(channels, ffn_expansion_factor, bias)
            return TransformerBlock(channels, LayerNorm_type, TKSA(channels, heads, bias), ffn)

        experts = {"first": lambda: MEFC(dim), "refinement": lambda: MEFC(2 * dim)}
        super().__init__(
            inp_channels,
            out_channels,
            dim,
            num_blocks,
            heads,
            bias,
            block,
            **(experts if self.compensated else {}),
        )


class DRSformerNoMEFC(DRSformer):
    """DRSformer without mixtures of experts, as its authors use it on Rain200L and SPA-Data."""

    compensated = False
