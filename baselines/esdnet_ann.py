"""The ANN counterpart of ESDNet: the baseline that isolates what spiking itself costs or saves."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from esdnet.network import DerainingUNet
from esdnet.operators import AnalogOperators


class ESDNetANN(DerainingUNet):
    """ESDNet's topology with ReLU for LIF, ordinary batch norm for tdBN and one time step.

    Temporal attention has nothing to weigh at T = 1 and is left out (176 of the full network's
    12.8 M parameters); channel and spatial attention stay. Shapes as in
    :class:`esdnet.network.DerainingUNet`.
    """

    def __init__(
        self,
        dim: int = 48,
        en_num_blocks: Sequence[int] = (4, 4, 8),
        de_num_blocks: Sequence[int] = (2, 2, 2),
        attentions: Collection[str] = ("channel", "spatial"),
        refine: bool = True,
        shortcut: bool = True,
    ) -> None:
        super().__init__(
            AnalogOperators(),
            dim=dim,
            en_num_blocks=en_num_blocks,
            de_num_blocks=de_num_blocks,
            T=1,
            attentions=attentions,
            refine=refine,
            shortcut=shortcut,
        )
