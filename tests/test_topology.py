"""An ANN counterpart computes with the layers of its spiking network, time steps folded out."""

import pytest
import torch
from spikingjelly.activation_based import functional, neuron
from torch import nn

from baselines.esdnet_ann import ESDNetANN
from derainbench.energy.conformance.topology import absent, differences, topology
from esdnet import ESDNet

SHAPE = {"dim": 16, "en_num_blocks": (1, 1, 1), "de_num_blocks": (1, 1, 1)}


@pytest.fixture(scope="module")
def spiking():
    return topology(ESDNet(**SHAPE, T=2), 32)


def counterpart(**changes: object):
    return topology(ESDNetANN(**(SHAPE | changes)), 32)


def test_a_counterpart_has_the_layers_of_its_spiking_network(spiking):
    assert differences(spiking, counterpart()) == []
    assert all(".ta." in place.layer for place in absent(spiking, counterpart()))
    assert len(absent(spiking, counterpart())) == 2 * 6


@pytest.mark.parametrize(
    ("changes", "first", "count"),
    [
        ({"dim": 32}, "only the spiking network has patch_embed.proj (weight 16x3x3x3, output", 60),
        ({"en_num_blocks": (1, 2, 1)}, "only the counterpart has encoder_level2.1.residual.1", 3),
        ({"refine": False}, "only the spiking network has refinement.sa.0 (weight 32x32x3x3", 5),
        ({"shortcut": False}, "only the spiking network has encoder_level1.0.shortcut.0", 6),
    ],
)
def test_another_topology_is_told(spiking, changes, first, count):
    found = differences(spiking, counterpart(**changes))
    assert found[0].startswith(first)
    assert len([f for f in found if ".attn." not in f]) == count


def test_more_attention_than_the_spiking_network_has_is_told():
    plain = topology(ESDNet(**SHAPE, T=2, attentions=("temporal",)), 32)
    assert ".attn." in differences(plain, counterpart())[0]


class Stepped(nn.Module):
    """Two layers, stepped in a loop."""

    T = 3

    def __init__(self, steps: int = 3, last: str = "second", neurons: bool = True) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.neuron = neuron.IFNode() if neurons else nn.ReLU()
        self.steps, self.last = steps, last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = (
            (self.first, self.second) if self.last == "second" else (self.second, self.first)
        )
        functional.reset_net(self)
        out = sum(second(self.neuron(first(x))) for _ in range(self.steps))
        functional.reset_net(self)
        return out


def test_steps_in_a_loop_are_folded_out():
    spiking = topology(Stepped(), 32)
    assert differences(spiking, topology(Stepped(1, neurons=False), 32)) == []
    [swapped] = differences(spiking, topology(Stepped(1, "first", neurons=False), 32))
    assert swapped == "second runs where the spiking network runs first"
    twice = differences(spiking, topology(Stepped(2, neurons=False), 32))
    assert twice[0] == "first runs 2 times, in the spiking network 3 times"
