"""spikingjelly's energy estimators: what they say of one layer, worked out from their constants;
batch norm folding; failures as values."""

import copy
import json
from math import ceil

import pandas as pd
import pytest
import torch
from helpers import SMALL, noise, one_line, read_json, refusal, same_state, save
from safetensors.torch import save_file
from spikingjelly.activation_based import layer, neuron
from torch import nn

from derainbench.energy.estimators import measurement
from derainbench.energy.estimators.estimate import Estimator
from derainbench.energy.estimators.folding import folded
from derainbench.energy.estimators.measurement import Subjects, estimate_rows
from derainbench.energy.estimators.neuromc import read_neuromc
from derainbench.energy.estimators.spikingjelly_estimators import ESTIMATORS
from derainbench.energy.forward_pass import count_on_image
from derainbench.models.construction import build
from derainbench.models.weights import weight_metadata

PJ = 1e-9  # millijoule
INPUTS, OUTPUTS, SIDE = 3, 3, 4
SITES, WEIGHTS = SIDE**2, INPUTS * OUTPUTS * 9
DENSE = SITES * WEIGHTS
FAN_OUT = 9 * OUTPUTS  # of a spike, borders apart
SOPS = 9 * OUTPUTS + 4 * OUTPUTS  # of the two spikes: inside, and in a corner
VALUES = SITES * OUTPUTS  # outputs
# SpikeSim's constants (65 nm, RRAM, 64x64 crossbars; (64/8)^2 converters).
PATCH = 157.12 + 4.64 + 397.0 + 8 * 16 * 1.15e-6 + 8 * 0.2 + 64 * (2.03084 + 0.094245)
NEURON, XBAR = 5.096, 1.76423
# NeuroMC's constants, per access of 1 and of 16 bits.
REG_1, REG_16 = 0.00901 / 7.1 * 2, 0.14416 / 7.1 * 2
SRAM_SPIKES, SRAM_WEIGHTS, SRAM_OUT = 0.44854798, 5.302477904, 5.792676768


def spikes() -> torch.Tensor:
    """[1,3,4,4]: two spikes, one of them in a corner."""
    x = torch.zeros(1, INPUTS, SIDE, SIDE)
    x[0, 0, 1, 1] = x[0, 1, 0, 0] = 1
    return x


def values() -> torch.Tensor:
    """[1,3,4,4] without zeros or ones."""
    return torch.linspace(0.1, 0.9, INPUTS * SITES).reshape(1, INPUTS, SIDE, SIDE)


def one_layer(*after: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    conv = nn.Conv2d(INPUTS, OUTPUTS, 3, padding=1, bias=False)
    return nn.Sequential(conv, *after).eval()


def row_of(name: str, model: nn.Module, image: torch.Tensor) -> dict:
    """The last row of an estimator: the one without what it does not model, if there are two."""
    [estimator] = [e for e in ESTIMATORS if e.name == name]
    return list(estimate_rows(Subjects(model), image, [estimator]))[-1]


def per_byte(capacity: int) -> float:
    """Lemaire's cost of a byte of a memory of up to 8 KiB, pJ: 10 pJ per 32 bits of one of 8 KiB."""
    return 10 / 4 * capacity / 8192


LEMAIRE = {
    "ops": 2 * FAN_OUT * 0.1,
    # A location per spike and target, and two multiplies per spike.
    "addressing": 2 * FAN_OUT * 0.1 + 2 * 2 * (3.1 + 0.1),
    "inout": 2 * 4 * per_byte(1000 * 4),
    "params": 2 * FAN_OUT * 4 * per_byte(WEIGHTS * 4),
    "potential": 2 * 2 * FAN_OUT * 4 * per_byte(VALUES * 4),
}
ACTIVE = 9  # places of the output that a spike reaches: those of the corner are among them
STREAMED = VALUES * ceil(INPUTS / 16) * 9
NEUROMC = {
    "mac": DENSE * 0.548 * (1 + 1 / 16),
    "extra_compute": 0,
    "base_memory": 2 * DENSE * REG_1
    + 2 * WEIGHTS * REG_16
    + WEIGHTS * SRAM_WEIGHTS
    + (DENSE + (DENSE - VALUES) + DENSE + (STREAMED - VALUES)) * REG_16
    + STREAMED * SRAM_SPIKES
    + ((STREAMED - VALUES) + STREAMED) * SRAM_OUT,
    "extra_memory": 0,
}


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("MAC and AC counters", {"mac": 0, "ac_on_spikes": SOPS * 0.9, "ac_elsewhere": 0}),
        (
            "simple",
            {
                "mac": 0,
                # Summing up its own 4x4 places costs 15 additions, which it takes for the network's.
                "ac": (SOPS + SITES - 1) * 0.9,
                "parameter_memory": SOPS * 4 * 24.96,
                "neuron_state_memory": 0,
            },
        ),
        ("lemaire", LEMAIRE),
        ("spikesim dense", {"pe_cycle": SITES * (PATCH + NEURON + 8 * 9 * XBAR)}),
        (
            "spikesim event",
            {
                "patch_control": ACTIVE * PATCH,
                "xbar": (9 + 4) * XBAR / 8 * 64 / INPUTS,
                "neuron": ACTIVE * NEURON,
            },
        ),
        ("neuromc", NEUROMC),
    ],
)
def test_spikes_into_one_layer(name, parts):
    row = row_of(name, one_layer(), spikes())
    assert row["status"] == "ok"
    said = {key.split()[1]: value for key, value in json.loads(row["parts_mj"]).items()}
    assert said == pytest.approx({key: value * PJ for key, value in parts.items()}, rel=1e-6)
    assert row["energy_mj"] == pytest.approx(sum(parts.values()) * PJ, rel=1e-6)
    assert row["sops_ours"] == SOPS
    assert row["macs_ours"] == 0


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("MAC and AC counters", {"mac": DENSE * 4.6, "ac_on_spikes": 0, "ac_elsewhere": 0}),
        (
            "simple",
            {
                "mac": DENSE * 4.6,
                "ac": 0,
                "parameter_memory": DENSE * 4 * 24.96,
                "neuron_state_memory": 0,
            },
        ),
        (
            "lemaire",
            {
                "ops": DENSE * 3.2,
                "addressing": (INPUTS * SITES + VALUES + 9 * OUTPUTS) * 0.1,
                "inout": DENSE * 4 * per_byte(INPUTS * SITES * 4)
                + VALUES * 4 * per_byte(VALUES * 4),
                "params": DENSE * 4 * per_byte(WEIGHTS * 4),
                "potential": 0,
            },
        ),
        (
            "spikesim event",
            {
                "patch_control": SITES * PATCH,
                "xbar": SITES * INPUTS * 9 * XBAR / 8 * 64 / INPUTS,
                "neuron": SITES * NEURON,
            },
        ),
    ],
)
def test_values_into_one_layer(name, parts):
    row = row_of(name, one_layer(), values())
    said = {key.split()[1]: value for key, value in json.loads(row["parts_mj"]).items()}
    assert said == pytest.approx({key: value * PJ for key, value in parts.items()}, rel=1e-6)
    assert row["macs_ours"] == DENSE
    assert row["sops_ours"] == 0


def test_a_neurons_state_is_memory():
    model = one_layer(neuron.LIFNode()).eval()
    row = row_of("simple", model, values())
    parts = json.loads(row["parts_mj"])
    assert parts["memory neuron_state_memory"] == pytest.approx(2 * VALUES * 4 * 24.96 * PJ)


@pytest.mark.parametrize("image", [spikes(), values()], ids=["spikes", "values"])
def test_leaving_out_nothing_changes_nothing(image):
    model = one_layer(nn.BatchNorm2d(OUTPUTS), neuron.LIFNode()).eval()
    benchmark, _ = Subjects(model).as_it_is.benchmark_count(image)
    strict, lenient = (
        read_neuromc(copy.deepcopy(model), image, benchmark, s) for s in (True, False)
    )
    assert lenient.parts == strict.parts
    assert lenient.parts["memory"]["extra_memory_pj"] > 0  # of the norm and the neuron
    assert lenient.counts == strict.counts


def test_our_account_stands_beside_it():
    row = row_of("MAC and AC counters", one_layer(), values())
    assert row["scenario"] == "b"
    assert row["energy_ours_mj"] == pytest.approx(DENSE * 4.6 * PJ)
    assert row["ratio"] == pytest.approx(1)
    row = row_of("simple", one_layer(), values())
    moved = (INPUTS * SITES + VALUES + WEIGHTS) * 4 * 12.5
    assert row["scenario"] == "d"
    assert row["energy_ours_mj"] == pytest.approx((DENSE * 4.6 + moved) * PJ)
    assert row["ratio"] == pytest.approx(DENSE * (4.6 + 4 * 24.96) / (DENSE * 4.6 + moved))


def test_distortions_are_measured():
    model, image = one_layer(), spikes()
    assert f"{SITES - 1} accumulates are its own" in row_of("simple", model, image)["note"]
    excess = 2 * FAN_OUT - SOPS
    assert f"+{excess} SOPs (+{excess / SOPS:.2%})" in row_of("lemaire", model, image)["note"]
    neuromc = row_of("neuromc", model, image)["note"]
    assert (
        f"{DENSE:,} accumulates on spikes are counted as if every neuron fired; {SOPS}" in neuromc
    )
    assert f"{ACTIVE / SITES:.1%} of the crossbar" in row_of("spikesim event", model, image)["note"]
    image[0, 0, 1, 1] = 0.5  # one element of 32
    row = row_of("MAC and AC counters", model, image)
    assert (row["macs"], row["sops"]) == (DENSE, 0)
    assert f"{1 - SOPS / DENSE:.1%} of the MACs multiply a zero" in row["note"]


def test_silence_is_no_spike_in_an_ordinary_network():
    row = row_of("MAC and AC counters", one_layer(), torch.zeros(1, INPUTS, SIDE, SIDE))
    assert row["energy_mj"] == 0
    assert f"{DENSE:,} MACs on zeros alone" in row["note"]
    assert "multiply a zero" not in row["note"]


def trained_like(name: str) -> nn.Module:
    """A small model whose batch norms have statistics and weights of their own."""
    torch.manual_seed(0)
    model = build(name, **SMALL[name]).eval()
    for norm in [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]:
        norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
        with torch.no_grad():
            norm.weight.mul_(torch.empty_like(norm.weight).uniform_(0.5, 1.5))
            norm.bias.normal_(0, 0.1)
    return model


@pytest.mark.parametrize("name", ["esdnet", "esdnet-ann"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@torch.no_grad()
def test_folding_changes_nothing_but_rounding(name, dtype, tolerance):
    model = trained_like(name).to(dtype)
    before = copy.deepcopy(model.state_dict())
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)).to(dtype)
    expected = model(image)
    fused = folded(model)
    assert not [m for m in fused.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert (expected - image).abs().max() > 0.01  # what is compared is not nothing
    assert torch.allclose(fused(image), expected, rtol=0, atol=tolerance)
    assert same_state(model.state_dict(), before)
    if name == "esdnet":
        pairs = zip(count_on_image(model, image), count_on_image(fused, image), strict=True)
        assert all(
            a.effective_operations == b.effective_operations
            for a, b in pairs
            if a.input == "spikes"
        )


@torch.no_grad()
def test_only_what_batch_norm_alone_does_is_folded():
    scaling = layer.TemporalEffectiveBatchNorm2d(2, OUTPUTS)
    model = nn.Sequential(layer.Conv2d(INPUTS, OUTPUTS, 3, step_mode="m"), scaling)
    assert [type(m) for m in folded(model)] == [type(m) for m in model]
    shared = nn.Conv2d(3, 3, 1)
    twice = nn.Sequential(shared, nn.BatchNorm2d(3), shared).eval()
    twice[1].running_mean.fill_(0.5)
    image = torch.rand(1, 3, 4, 4)
    assert torch.allclose(folded(twice)(image), twice(image), atol=1e-6)
    unnormed = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3, track_running_stats=False))
    assert len(folded(unnormed)) == 2


def test_the_given_model_is_left_as_it_is():
    model = trained_like("esdnet")
    before = copy.deepcopy(model.state_dict())
    list(estimate_rows(Subjects(model), torch.rand(1, 3, 16, 16)))
    assert same_state(model.state_dict(), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not any(m._backward_hooks for m in model.modules())


def broken(model, image, benchmark, strict):
    raise KeyError("first line\nsecond line")


def test_a_failure_is_a_value_and_stops_no_other():
    lenient = Estimator("broken", broken, "d", lenient=True)
    found = list(estimate_rows(Subjects(one_layer()), spikes(), [lenient, ESTIMATORS[0]]))
    assert [row["strict"] for row in found] == [True, False, None]
    assert [row["status"].split(":")[0] for row in found] == ["cannot run", "cannot run", "ok"]
    assert "energy_mj" not in found[0]
    one_line(found[0]["status"])


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """What is written of both small models, on one image."""
    folder = tmp_path_factory.mktemp("estimators")
    save(folder / "data" / "input" / "00.png", noise(32, 40))
    for name in ("esdnet", "esdnet-ann"):
        own = {"model": name, "kwargs": SMALL[name]}
        save_file(
            trained_like(name).state_dict(),
            folder / f"{name}.safetensors",
            metadata=weight_metadata(own),
        )
        measurement.measure(
            model_name=name,
            weights=folder / f"{name}.safetensors",
            split_folder=folder / "data",
            out=folder / f"{name}.csv",
            size=32,
            images=1,
            device="cpu",
        )
    return folder


@pytest.mark.parametrize("name", ["esdnet", "esdnet-ann"])
def test_every_estimator_runs_or_says_why_not(tables, name):
    table = pd.read_csv(tables / f"{name}.csv")
    assert list(table.columns) == measurement.COLUMNS
    ran = table[table["status"] == "ok"]
    assert list(ran["estimator"]) == [e.name for e in ESTIMATORS]
    parts = ran[["compute_mj", "memory_mj", "rest_mj"]].sum(axis=1)
    assert list(parts) == pytest.approx(list(ran["energy_mj"]), rel=1e-6)
    assert list(ran["ratio"]) == pytest.approx(list(ran["energy_mj"] / ran["energy_ours_mj"]))
    assert ran["assumptions"].str.len().gt(20).all()
    refused = table[table["status"] != "ok"]
    assert refused["status"].str.startswith("cannot run: ").all()
    assert refused["energy_mj"].isna().all()
    assert refused["strict"].all()
    record = read_json(tables / f"{name}.csv.provenance.json")
    assert record["settings"]["kwargs"] == SMALL[name]


def test_spikes_are_counted_as_we_do(tables):
    table = pd.read_csv(tables / "esdnet.csv").set_index("estimator")
    for name in ("MAC and AC counters", "simple"):
        assert table.loc[name, "sops"] == table.loc[name, "sops_ours"] > 0
    assert table.loc["MAC and AC counters", "ratio"] > 1  # it also counts additions
    counterpart = pd.read_csv(tables / "esdnet-ann.csv").set_index("estimator")
    assert counterpart.loc["MAC and AC counters", "sops_ours"] == 0


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        ({"--size": 30}, "--size 30: esdnet needs a multiple of 4", 1),
        ({"--model": "idt"}, "--size 64: idt needs 128", 1),
        ({"--size": 8}, "--size", 2),
        ({}, "32x40 is smaller than the 64x64", 1),
        ({"--images": 0}, "--images", 2),
        ({"--model": "esdnt"}, "unknown model 'esdnt' (did you mean 'esdnet'?)", 1),
        ({"--model": "esdnet-ann"}, "these are weights of 'esdnet'", 1),
        ({"--data": "nowhere"}, "nowhere", 1),
        ({"--kwarg": "dim"}, "'dim' is not KEY=VALUE", 2),
    ],
)
def test_wrong_input_is_refused_in_one_line(tables, cli, tmp_path, change, said, code):
    options = {
        "--model": "esdnet",
        "--weights": tables / "esdnet.safetensors",
        "--data": tables / "data",
        "--out": tmp_path / "out.csv",
        **change,
    }
    done = cli("estimators", *[word for option in options.items() for word in option])
    assert said in refusal(done, code)
    assert not (tmp_path / "out.csv").exists()
