"""Counts of whole networks: at full size as published, in ESDNet behind neurons exactly."""

import itertools

import numpy as np
import pytest
import torch
from helpers import GOLDEN, read_json

from derainbench import models
from derainbench.energy.counting import ANALOG, SPIKES, count, count_structure
from esdnet import ESDNet, load_checkpoint


@pytest.mark.parametrize(("name", "gmacs"), [("esdnet", 492.30), ("esdnet-ann", 128.3)])
def test_full_size_networks(name, gmacs):
    total = sum(c.macs for c in count_structure(models.build(name), 256, 256)[0])
    assert total / 1e9 == pytest.approx(gmacs, rel=1e-3)


@pytest.mark.parametrize("name", ["PReNet", "PReNet_r", "PRN", "PRN_r"])
def test_progressive_networks_exactly(name):
    manifest = read_json(GOLDEN / "baselines" / name / "manifest.json")
    total = sum(c.macs for c in count_structure(models.build(name), 256, 256)[0])
    assert total == round(manifest["gmacs_256"] * 1e9)


@pytest.fixture(scope="module")
def esdnet_counts():
    folder = GOLDEN / "esdnet" / "open"
    model = ESDNet(**read_json(folder / "case.json")["constructor"])
    load_checkpoint(model, folder / "weights.safetensors")
    return count(model.eval(), torch.from_numpy(np.load(folder / "case.npz")["x"]))


def test_in_esdnet_spikes_meet_exactly_the_convolutions_behind_neurons(esdnet_counts):
    blocks = ["encoder_level1.0", "encoder_level2.0", "encoder_level3.0", "encoder_level3.1"]
    blocks += ["decoder_level3.0", "decoder_level2.0", "decoder_level1.0"]
    between = ["down1_2.maxpool_conv.1", "down2_3.maxpool_conv.1", "up3_2.up.1", "up2_1.up.1"]
    spiking = {c.layer for c in esdnet_counts if c.input == SPIKES}
    assert spiking == {
        *between,
        "reduce_chan_level2.1",
        *(f"{b}.residual.{i}" for b, i in itertools.product(blocks, (1, 4))),
    }
    outside = {c.layer for c in esdnet_counts if c.input != SPIKES and ".attn." not in c.layer}
    assert outside == {
        "patch_embed.proj",
        *(f"{b}.shortcut.0" for b in blocks),
        *(f"refinement.ca.{i}" for i in (1, 3)),
        *(f"refinement.sa.{i}" for i in (0, 1, 3)),
        "output.0",
    }
    assert all(c.input == ANALOG for c in esdnet_counts if c.layer in outside)


def test_in_esdnet_effective_operations_follow_the_firing_rate(esdnet_counts):
    rates = read_json(GOLDEN / "esdnet" / "open" / "case.json")["eval_firing_rate"]
    for record in esdnet_counts:
        if record.input == SPIKES and ".residual.1" in record.layer:
            rate = rates[record.layer.replace("residual.1", "residual.0")]
            assert record.rate == pytest.approx(rate, abs=1e-4)
            assert 0 < record.effective <= record.macs * record.rate  # less, for the borders
