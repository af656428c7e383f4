"""Baselines are built as officially; ESDNet's counterpart is ESDNet without spikes."""

import functools

import pytest
import torch
from helpers import read_json
from networks import NETWORKS, SMALL, STRUCTURE, digest, small, structure
from spikingjelly.activation_based.neuron import BaseNode

from baselines.esdnet_ann import ESDNetANN
from baselines.prenet import ProgressiveNet
from derainbench.catalog.model_cards import model_card, model_names
from derainbench.catalog.papers import paper_names, read_paper
from derainbench.energy.forward_pass import count_structure
from derainbench.energy.networks import parameter_count
from esdnet import ESDNet

KNOWN = read_json(STRUCTURE)
TRUNCATING = {"prenet", "prenet_r", "prn", "prn_r", "brn", "efficientderain"}


@functools.cache
def on_paper(name: str) -> torch.nn.Module:
    """A network at full size, without memory for its weights."""
    with torch.device("meta"):
        return NETWORKS[name].build()


@pytest.mark.parametrize("name", NETWORKS)
def test_structure_is_the_official_one(name):
    known, model = KNOWN[name], on_paper(name)
    assert (known["model"], known["kwargs"]) == (NETWORKS[name].model, NETWORKS[name].kwargs)
    assert digest({k: v.shape for k, v in model.state_dict().items()}) == known["state_sha256"]
    assert parameter_count(model) == known["parameters"]
    layers, _ = count_structure(model, known["size"], known["size"])
    macs = sum(c.macs for c in layers)
    assert macs == pytest.approx(known["gmacs"] * 1e9, rel=0.005)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_known_of_structures_is_what_manifests_say(name, shared):
    manifest = read_json(shared / "golden" / "baselines" / name / "manifest.json")
    assert KNOWN[name] == structure(name, manifest)
    found = {k: list(v.shape) for k, v in on_paper(name).state_dict().items()}
    assert list(found.items()) == list(manifest["state_dict"].items())


@pytest.mark.parametrize("name", NETWORKS)
def test_official_habits_are_on_the_card(name):
    card = model_card(NETWORKS[name].model)
    assert card.network.size_multiple == KNOWN[name]["size_multiple"]
    assert card.network.inference == ("tiled" if card.name == "idt" else "whole")
    assert card.network.quantise == ("truncate" if card.name in TRUNCATING else "round")


def test_every_baseline_has_golden_values_and_a_small_variant():
    of_papers = {name for paper in map(read_paper, paper_names()) for name in paper.networks}
    assert {n.model for n in NETWORKS.values()} == {*model_names()} - of_papers
    assert SMALL.keys() == {*model_names()}


@pytest.mark.parametrize("name", model_names())
@torch.no_grad()
def test_every_model_takes_the_sizes_its_card_promises(name):
    multiple = model_card(name).network.size_multiple
    sides = {"idt": (1, 1), "uformer_b": (1, 1), "uformer_s": (1, 1)}.get(name, (5, 7))
    x = torch.rand(2, 3, *(multiple * side for side in sides))
    restored = small(name)(x)
    assert restored.shape == x.shape and restored.dtype == x.dtype
    assert restored.isfinite().all()


@pytest.mark.parametrize("name", model_names())
@torch.no_grad()
def test_images_of_a_batch_do_not_touch_each_other(name):
    model, multiple = small(name), model_card(name).network.size_multiple
    x = torch.rand(2, 3, *2 * (max(16, multiple),))
    torch.testing.assert_close(model(x)[1:], model(x[1:]), rtol=1e-4, atol=1e-5)


def test_every_stage_restores_and_the_last_one_counts():
    for name in ("prenet", "brn", "rescan", "mprnet", "rcdnet", "spdnet"):
        model, x = small(name), torch.rand(2, 3, 16, 24)
        stages = model.stages(x)
        assert len(stages) > 1 and all(s.shape == x.shape for s in stages)
        assert torch.equal(model(x), stages[-1])


def test_no_stages_are_refused():
    with pytest.raises(ValueError):
        ProgressiveNet(recurrent_iter=0)


def test_counterpart_is_esdnet_without_spikes_and_temporal_attention():
    with torch.device("meta"):
        counterpart, original = ESDNetANN(), ESDNet()
    assert counterpart.T == 1
    assert not any(isinstance(m, BaseNode) for m in counterpart.modules())
    assert sum(isinstance(m, BaseNode) for m in original.modules()) > 0
    shapes = {k: v.shape for k, v in counterpart.state_dict().items()}
    assert shapes == {k: v.shape for k, v in original.state_dict().items() if ".attn.ta." not in k}
    assert parameter_count(counterpart) == 12_811_463 - 176


@torch.no_grad()
def test_counterpart_restores_any_multiple_of_four():
    counterpart, x = small("esdnet-ann"), torch.rand(2, 3, 16, 20)
    assert counterpart(x).shape == x.shape
    assert torch.equal(counterpart(x), counterpart(x))
    with pytest.raises(ValueError):
        counterpart(torch.rand(1, 3, 18, 20))
