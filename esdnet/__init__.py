"""ESDNet, the spiking deraining network of Song et al., IJCAI 2024 (arXiv 2405.06277).

>>> from esdnet import ESDNet
>>> model = ESDNet(dim=48, en_num_blocks=(4, 4, 8), de_num_blocks=(2, 2, 2), T=4)
"""

from esdnet.network import ESDNet

__all__ = ["ESDNet"]
