"""Of the neurons of a kind the first alone is watched, and no count depends on it."""

import pytest
import torch
from counts import counted_on_paper
from spikingjelly.activation_based import functional, neuron
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from derainbench.energy.counter import OperationCounter
from derainbench.energy.networks import is_spiking
from derainbench.energy.records import MEMBRANE
from derainbench.models.construction import build


class Block(nn.Module):
    def __init__(self, node, *, multi_step):
        super().__init__()
        self.conv, self.node = nn.Conv2d(3, 3, 3, padding=1), node()
        functional.set_step_mode(self.node, "m" if multi_step else "s")

    def forward(self, x):
        return self.node(self.conv(x))


class Recurrent(neuron.LIFNode):
    """A neuron that computes a product of its own, as no neuron of spikingjelly does."""

    def __init__(self):
        super().__init__()
        self.recurrent = nn.Conv2d(3, 3, 1, bias=False)

    def single_step_forward(self, x):
        return super().single_step_forward(self.recurrent(x))


class Halving(neuron.LIFNode):
    """A neuron whose output is smaller than its input."""

    def single_step_forward(self, x):
        return super().single_step_forward(x)[..., ::2]


def network(node, *, multi_step=False):
    torch.manual_seed(0)
    return nn.Sequential(*(Block(node, multi_step=multi_step) for _ in range(3)))


def seen_of(model, image):
    """Operators that come to the counter from within neurons, the counts and the output."""
    seen = []

    class Counter(OperationCounter):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if self._neurons:
                seen.append(self._path[-1][0])
            return super().__torch_dispatch__(func, types, args, kwargs)

    with torch.no_grad(), Counter(model) as counter:
        out = model(image)
    functional.reset_net(model)
    return seen, counter.counts, out


@pytest.mark.parametrize("node", [neuron.LIFNode, neuron.IFNode, neuron.ParametricLIFNode])
def test_the_first_neuron_of_a_kind_is_watched_and_the_others_compute_the_same(node):
    model, image = network(node), torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        plain = model(image)
    functional.reset_net(model)
    seen, counts, out = seen_of(model, image)
    assert torch.equal(out, plain)
    assert {*seen} == {"0.node"} and len(counts) == 3
    assert not any("forward" in vars(module) for module in model.modules())  # as it was before


def test_a_neuron_with_a_product_is_watched_every_time():
    seen, counts, _ = seen_of(network(Recurrent), torch.rand(1, 3, 8, 8))
    assert {"0.node", "1.node", "2.node"} <= {name.removesuffix(".recurrent") for name in seen}
    assert [c.layer for c in counts][1::2] == [f"{i}.node.recurrent" for i in range(3)]


def test_the_structure_takes_each_neurons_own_shape():
    counts, others = counted_on_paper(network(Halving), 1, 3, 8, 8)
    assert [c.input_shape[-1] for c in counts] == [8, 4, 2]
    updates = [o.elements for o in others if o.category == MEMBRANE]
    assert updates == [3 * 8 * 8, 3 * 8 * 4, 3 * 8 * 2]


@pytest.mark.parametrize("name", ["esdnet", "vlif", "spikerain"])
def test_a_networks_structure_is_that_of_watching_all(name, monkeypatch):
    kwargs = {"dim": 16} | ({} if name == "vlif" else {"en_num_blocks": [1, 1, 1]})
    model = build(name, **kwargs)
    assert is_spiking(model)
    short = counted_on_paper(build(name, **kwargs), 1, 3, 32, 32)
    monkeypatch.setattr(
        "derainbench.energy.unwatched_neurons.UnwatchedNeurons.install", lambda _: None
    )
    assert counted_on_paper(model, 1, 3, 32, 32) == short


def test_a_counter_inside_of_another_sees_every_neuron():
    class Inner(TorchDispatchMode):
        operators = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.operators += 1
            return func(*args, **(kwargs or {}))

    def operators(outer):
        model = network(neuron.LIFNode)
        with torch.no_grad(), outer(model), Inner() as inner:
            model(torch.rand(1, 3, 8, 8))
        return inner.operators

    class Nothing(TorchDispatchMode):
        def __init__(self, _):
            super().__init__()

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            return func(*args, **(kwargs or {}))

    assert operators(OperationCounter) == operators(Nothing)


def test_layers_keep_their_names_where_operators_come_as_composites():
    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            x = self.first(x)[None]
            return self.last(nn.functional.scaled_dot_product_attention(x, x, x)[0])

    for mode in (torch.no_grad, torch.inference_mode):
        with mode(), OperationCounter(Attention()) as counter:
            counter.model(torch.rand(4, 8))
        assert [c.layer for c in counter.counts] == ["first", "", "", "last"], mode
