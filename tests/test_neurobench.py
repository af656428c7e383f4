"""NeuroBench's metrics of an account are those of its own package, to the digit."""

import copy
import math
from importlib import metadata

import pandas as pd
import pytest
import torch
import toys
from helpers import SMALL, noise, read_json, save
from safetensors.torch import save_file
from spikingjelly.activation_based import functional, neuron
from torch import nn

from derainbench.energy.count_tables import layer_table
from derainbench.energy.forward_pass import count_on_image
from derainbench.energy.measurement import measure
from derainbench.energy.neurobench import definitions
from derainbench.energy.neurobench.results import neurobench_results
from derainbench.energy.neurobench.watch import NeuroBenchWatch
from derainbench.models.construction import build

STRUCTURE = pd.DataFrame({"layer": ["0"], "reach": [5]})


def watched(model: nn.Module, images: list[torch.Tensor]) -> dict:
    """The content of ``neurobench.json`` for a model on images [1,3,H,W]."""
    with NeuroBenchWatch(model) as watch:
        for image in images:
            watch.add(layer_table(count_on_image(model, image)))
    side = images[0].shape[-1]
    return neurobench_results(model, name="net", dataset="d", size=side, images=watch.images)


def by_its_package(model: nn.Module, images: list[torch.Tensor]) -> dict:
    """The same metrics by NeuroBench's own harness, batches of one image."""
    metrics = pytest.importorskip("neurobench.metrics.workload")
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
    from neurobench.models import TorchModel

    network = TorchModel(copy.deepcopy(model))
    network.add_activation_module(neuron.BaseNode)
    targets = torch.zeros(len(images))
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.cat(images), targets), batch_size=1
    )
    workload = [metrics.ActivationSparsity, metrics.SynapticOperations]
    benchmark = Benchmark(
        network, loader, [], [], [[ParameterCount, Footprint, ConnectionSparsity], workload]
    )
    with torch.no_grad():
        found = benchmark.run(quiet=True)
    return {
        "parameter_count": found["ParameterCount"],
        "footprint": found["Footprint"],
        "connection_sparsity": found["ConnectionSparsity"],
        "activation_sparsity": pytest.approx(found["ActivationSparsity"]),
        "synaptic_operations": found["SynapticOperations"],
    }


def pruned(model: nn.Module) -> nn.Module:
    """The same with every weight below the median put to zero, as in a sparse network."""
    with torch.no_grad():
        for layer in model.modules():
            if isinstance(layer, definitions.STATELESS):
                layer.weight[layer.weight < layer.weight.median()] = 0
    return model


def images(number: int = 2, side: int = 16) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, side, side, generator=generator) for _ in range(number)]


class Signs(nn.Module):
    """A layer on -1, 0 and 1, and one on values; grouped, with a stride and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu = nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3), nn.ReLU()
        self.last = nn.Linear(6, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.relu(self.first((3 * x - 1.5).round().clamp(-1, 1)))
        return self.last(features.movedim(1, -1)).sigmoid()


NETWORKS = {
    "ordinary": lambda: nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 3, 3)),
    "signs": Signs,
    "spiking": toys.Spiking,
    "pruned": lambda: pruned(Signs()),
    "pruned and spiking": lambda: pruned(build("esdnet", **SMALL["esdnet"])),
    "esdnet": lambda: build("esdnet", **SMALL["esdnet"]),
    "nafnet": lambda: build("nafnet", **SMALL["nafnet"]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_metrics_are_those_of_the_package(name):
    torch.manual_seed(0)
    model = NETWORKS[name]().eval()
    found, expected = watched(model, images()), by_its_package(model, images())
    if "activation_sparsity" in found["left_out"]:
        del expected["activation_sparsity"]  # 0, for want of activations
    assert {k: found["metrics"][k] for k in expected} == expected
    assert found["samples"] == 2 and found["sample_size"] == [16, 16]


def test_the_definitions_are_those_of_the_package_at_hand():
    pytest.importorskip("neurobench")
    from neurobench.blocks import activation, layer

    assert metadata.version("neurobench") == definitions.VERSION
    assert set(layer.STATELESS_LAYERS) == set(definitions.STATELESS)
    assert set(layer.RECURRENT_LAYERS + layer.RECURRENT_CELLS) == set(definitions.RECURRENT)
    assert {*activation.SUPPORTED_ACTIVATIONS, neuron.BaseNode} == set(definitions.ACTIVATIONS)


def test_operations_by_hand():
    """A 3x3 layer on a row of spikes in an image of 8x8, one of whose weights is zero."""
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1))
    nn.init.ones_(model[0].weight)
    image = torch.zeros(1, 3, 8, 8)
    image[0, 0, 4, 4] = image[0, 1, 0, 0] = 1
    found = watched(model, [image])["metrics"]["synaptic_operations"]
    assert found == {"Effective_MACs": 0, "Effective_ACs": 5 * (9 + 4), "Dense": 5 * 3 * 22 * 22}
    with torch.no_grad():
        model[0].weight[0, 0, 1, 1] = 0
    found = watched(model, [image])["metrics"]["synaptic_operations"]
    assert found["Effective_ACs"] == 5 * (9 + 4) - 1


class Stepped(nn.Module):
    """A neuron that is stepped in a loop, or takes all steps at once."""

    def __init__(self, currents: list[list[float]], mode: str) -> None:
        super().__init__()
        self.node = neuron.IFNode(v_threshold=1.0, v_reset=0.0, step_mode=mode)
        self.currents = torch.tensor(currents)
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        functional.reset_net(self)
        if self.node.step_mode == "m":
            self.node(self.currents)
        else:
            for current in self.currents:
                self.node(current)
        functional.reset_net(self)
        return self.conv(x)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_membrane_updates_by_hand(mode):
    """Potentials of three neurons after each step and its reset; the first step counts whole.

    0.5 1 (spike, to 0) 0; 0 0 0; 0.25 0.25 0.5: 3 updates, then 1 (0.5 to 0), then 1.
    """
    model = Stepped([[0.5, 0.0, 0.25], [0.5, 0.0, 0.0], [0.0, 0.0, 0.25]], mode)
    found = watched(model, images(3))
    assert found["metrics"]["membrane_updates"] == 3 + 1 + 1
    assert found["metrics"]["activation_sparsity"] == pytest.approx(8 / 9)
    assert model.node.store_v_seq is False


def test_watching_changes_nothing_and_leaves_nothing():
    torch.manual_seed(0)
    model = build("esdnet", **SMALL["esdnet"]).eval()
    [image] = images(1)
    with torch.no_grad():
        plain = model(image)
        with NeuroBenchWatch(model):
            seen = model(image)
    assert torch.equal(plain, seen)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_what_is_left_out_says_why():
    ordinary = nn.Sequential(nn.Conv2d(3, 3, 1))
    left_out = watched(ordinary, images())["left_out"]
    assert set(left_out) == {"correctness", "activation_sparsity", "membrane_updates"}
    recurrent = nn.Sequential(nn.Conv2d(3, 3, 1), nn.LSTMCell(3, 3))
    found = neurobench_results(recurrent, name="net", dataset="", size=8, structure=STRUCTURE)
    assert {"connection_sparsity", "synaptic_operations"} <= set(found["left_out"])
    assert "formulas of its own" in found["left_out"]["synaptic_operations"]
    on_paper = neurobench_results(
        ordinary.to("meta"), name="net", dataset="", size=8, structure=STRUCTURE
    )
    assert on_paper["metrics"] == {
        "parameter_count": 12,
        "footprint": 48,
        "synaptic_operations": {"Dense": 5},
    }
    assert on_paper["left_out"]["connection_sparsity"] == "takes trained weights"


class WithoutPotential(neuron.BaseNode):
    def __init__(self) -> None:
        super().__init__(step_mode="m")

    def multi_step_forward(self, x_seq: torch.Tensor) -> torch.Tensor:
        return (x_seq > 0.5).to(x_seq)

    def neuronal_charge(self, x: torch.Tensor) -> None: ...


def test_neurons_that_hide_their_potential_leave_membrane_updates_out():
    model = nn.Sequential(nn.Conv2d(3, 3, 1), WithoutPotential())
    found = watched(model, images())
    assert "cannot be seen" in found["left_out"]["membrane_updates"]
    assert 0 <= found["metrics"]["activation_sparsity"] <= 1


def test_every_account_has_its_file(tmp_path):
    for name in ("a.png", "b.png"):
        save(tmp_path / "rain/test/input" / name, noise(32, 32))
    torch.manual_seed(0)
    model = build("prn_r", **SMALL["prn_r"])
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    measure(
        model_name="prn_r",
        kwargs=SMALL["prn_r"],
        weights=tmp_path / "w.safetensors",
        split_folder=tmp_path / "rain/test",
        out=tmp_path / "out",
        size=32,
        device="cpu",
    )
    found = read_json(tmp_path / "out" / "neurobench.json")
    assert (found["dataset"], found["model"], found["samples"]) == ("rain", "prn_r", 2)
    account = read_json(tmp_path / "out" / "energy.json")
    operations = found["metrics"]["synaptic_operations"]
    assert operations["Effective_MACs"] == account["mean"]["macs_effective"]
    assert operations["Dense"] < account["mean"]["macs_dense"]  # which has the padding
    assert found["versions"]["neurobench definitions"] == definitions.VERSION
    assert set(found["metrics"]) | set(found["left_out"]) >= set(definitions.DEFINITIONS)
    measure(
        model_name="esdnet", kwargs=SMALL["esdnet"], size=32, out=tmp_path / "paper", device="cpu"
    )
    on_paper = read_json(tmp_path / "paper" / "neurobench.json")
    assert set(on_paper["metrics"]["synaptic_operations"]) == {"Dense"}
    assert on_paper["samples"] == 0 and not math.isnan(on_paper["metrics"]["footprint"])
