"""Counts of whole networks: at full size as published, in ESDNet behind neurons exactly."""

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import GOLDEN, read_json

from derainbench.energy.count_tables import other_table
from derainbench.energy.forward_pass import count_on_image, count_structure
from derainbench.energy.records import ANALOG, LAYER, SPIKES
from derainbench.energy.structure import structure
from derainbench.energy.work import work
from derainbench.models.construction import build
from derainbench.models.weights import load_weights
from esdnet import ESDNet

NO_OTHERS = other_table([])


@pytest.mark.parametrize(("name", "gmacs"), [("esdnet", 492.30), ("esdnet-ann", 128.3)])
def test_full_size_networks(name, gmacs):
    with torch.device("meta"):
        model = build(name)
    total = sum(c.macs for c in count_structure(model, 256, 256)[0])
    assert total / 1e9 == pytest.approx(gmacs, rel=1e-3)


@pytest.fixture(scope="module")
def full_esdnet():
    return structure("esdnet", {}, 256).layers


def macs(layers: pd.DataFrame) -> float:
    return layers["macs"].sum() / 1e9


ANALOG_LAYERS = {
    "patch_embed.proj",
    *(
        f"{level}.{i}.shortcut.0"
        for level, blocks in {
            "encoder_level1": 4,
            "encoder_level2": 4,
            "encoder_level3": 8,
            "decoder_level3": 2,
            "decoder_level2": 2,
            "decoder_level1": 2,
        }.items()
        for i in range(blocks)
    ),
    *(f"refinement.ca.{i}" for i in (1, 3)),
    *(f"refinement.sa.{i}" for i in (0, 1, 3)),
    "output.0",
}


def test_a_third_of_esdnets_work_has_analog_input(full_esdnet):
    layers = full_esdnet[full_esdnet["role"] == LAYER]
    analog = layers[layers["input"] == ANALOG]
    assert set(analog["layer"]) == ANALOG_LAYERS
    assert set(layers.loc[~layers["layer"].isin(ANALOG_LAYERS), "input"]) == {SPIKES}
    assert macs(full_esdnet) == pytest.approx(492.30, rel=1e-3)
    assert macs(analog) == pytest.approx(159.51, rel=1e-3)
    shares = {"shortcut": 152.203, "refinement": 6.795, "patch_embed": 0.340, "output": 0.170}
    for part, share in shares.items():
        assert macs(analog[analog["layer"].str.contains(part)]) == pytest.approx(share, rel=1e-3)


def test_esdnets_analog_part_alone_exceeds_all_of_its_counterpart(full_esdnet):
    work_of = functools.partial(work, others=NO_OTHERS)
    baseline = structure("esdnet-ann", {}, 256).layers
    counterpart = work_of(baseline, spiking=False, reuse=False)
    assert macs(baseline) == pytest.approx(128.3, rel=1e-3)
    plain, reused = (work_of(full_esdnet, spiking=True, reuse=r) for r in (False, True))
    assert plain.analog_macs / counterpart.analog_macs == pytest.approx(1.243, rel=1e-3)
    # Only what precedes the first neuron is the same at all four steps.
    constant = full_esdnet[full_esdnet["constant"]]
    assert set(constant["layer"]) == {"patch_embed.proj", "encoder_level1.0.shortcut.0"}
    saved = plain.analog_macs - reused.analog_macs
    assert saved == pytest.approx(constant["macs"].sum() * 3 / 4)
    assert reused.analog_macs / counterpart.analog_macs == pytest.approx(1.21, abs=0.005)


@pytest.mark.parametrize("name", ["PReNet", "PReNet_r", "PRN", "PRN_r"])
def test_progressive_networks_exactly(name):
    manifest = read_json(GOLDEN / "baselines" / name / "manifest.json")
    total = sum(c.macs for c in count_structure(build(name), 256, 256)[0])
    assert total == round(manifest["gmacs_256"] * 1e9)


@pytest.fixture(scope="module")
def esdnet_counts():
    folder = GOLDEN / "esdnet" / "open"
    model = ESDNet(**read_json(folder / "case.json")["constructor"])
    load_weights(model, folder / "weights.safetensors")
    return count_on_image(model.eval(), torch.from_numpy(np.load(folder / "case.npz")["x"]))


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
            assert record.activation_density == pytest.approx(rate, abs=1e-4)
            assert (
                0 < record.effective_operations <= record.macs * record.activation_density
            )  # less, for the borders
