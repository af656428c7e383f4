"""Firing rates at rain and clean places: networks and masks whose answer is known."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import SMALL, one_line, read_json, save, tree
from safetensors.torch import save_file
from spikingjelly.activation_based import neuron
from torch import nn

from derainbench.config.schema import parse
from derainbench.energy.spikes.maps import charged, potential_maps, spike_maps
from derainbench.energy.spikes.measurement import measure
from derainbench.energy.spikes.pair_rates import compare_pair
from derainbench.energy.spikes.rain_places import densest_window, rain_and_clean_places, rain_mask
from derainbench.energy.spikes.statistics import HIGHER, LOWER, UNDECIDED, depth_table, overall
from derainbench.energy.spikes.wording import spike_sentences
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.models.weights import weight_metadata
from derainbench.report.figures.spike_figures import write_figures


class OneNeuron(nn.Module):
    """One neuron per pixel, charged with its brightness at each of four steps."""

    def __init__(self, node: nn.Module | None = None) -> None:
        super().__init__()
        self.node = node or neuron.IFNode(v_threshold=1.0, step_mode="m")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.node(image.mean(1, keepdim=True).expand(4, *([-1] * 4))).mean(0)


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Clean: all 0.2. Rainy: rows 0 and 1 of four at 0.6."""
    clean = torch.full((3, 4, 4), 0.2)
    rainy = clean.clone()
    rainy[:, :2] = 0.6
    return rainy, clean


def test_brighter_pixels_fire_more_by_hand():
    """0.6 passes 1 at every second step, 0.2 never within four."""
    rainy, clean = pair()
    model = OneNeuron()
    maps = spike_maps(model, rainy)
    assert list(maps) == ["node"] and maps["node"].channels == 1
    assert maps["node"].firing_rate[:, 0, 0].tolist() == [0, 1, 0, 1]
    assert maps["node"].firing_rate[:, 3, 0].tolist() == [0, 0, 0, 0]
    [row] = compare_pair(maps, spike_maps(model, clean), rain_mask(rainy, clean, 0.1))
    assert row == {
        "depth": 1,
        "layer": "node",
        "steps": 4,
        "channels": 1,
        "height": 4,
        "width": 4,
        "rain_share": 0.5,
        "clean_share": 0.5,
        "firing_rate_rain": 0.5,
        "firing_rate_counterpart": 0.0,
        "firing_rate_clean": 0.0,
        "firing_rate_clean_counterpart": 0.0,
    }


def test_looking_leaves_no_state_and_no_hook():
    rainy, _ = pair()
    model = OneNeuron()
    first, again = (spike_maps(model, rainy)["node"].firing_rate for _ in range(2))
    assert torch.equal(first, again)
    assert not model.node._forward_hooks
    assert model.node.v == 0


def test_looking_changes_nothing():
    torch.manual_seed(0)
    model = build("esdnet", **SMALL["esdnet"]).eval()
    image = torch.rand(3, 16, 16)
    with torch.no_grad():
        before = model(image[None])
        seen: list[torch.Tensor] = []
        handle = model.register_forward_hook(lambda _, __, out: seen.append(out))
        maps = spike_maps(model, image)
        potential_maps(model, image, list(maps))
        handle.remove()
    assert len(seen) == 2 and all(torch.equal(before, out) for out in seen)
    assert len(maps) == 2 * 6 + 2 + 2 + 1  # two per block, one per change of level, one at a 1x1
    assert {m.firing_rate.shape for m in maps.values()} == {(2, s, s) for s in (16, 8, 4)}


def test_layers_without_places_are_refused():
    model = OneNeuron(neuron.IFNode(step_mode="s"))
    with pytest.raises(BenchError, match="layer node: gives"):
        spike_maps(model, pair()[0])


def test_potentials_before_firing_by_hand():
    """LIF, tau 2, input not decayed, threshold 0.15, input 0.12: 0.12, then 0.06 + 0.12, fires."""
    node = neuron.LIFNode(tau=2.0, decay_input=False, v_threshold=0.15, v_reset=0.0, step_mode="m")
    potentials = charged(node, torch.full((4, 1, 1, 1, 1), 0.12)).flatten()
    assert potentials.tolist() == pytest.approx([0.12, 0.18, 0.12, 0.18])


@pytest.mark.parametrize("v_reset", [0.0, -0.1, None])
def test_neurons_fire_where_the_potential_reaches_the_threshold(v_reset):
    node = neuron.LIFNode(tau=2.0, v_threshold=0.3, v_reset=v_reset, step_mode="m")
    x = torch.rand(6, 1, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        spikes, potentials = node(x), charged(node, x)
    assert 0 < spikes.mean() < 1
    assert torch.equal(potentials >= 0.3, spikes.bool())
    assert node.v_threshold == 0.3


def test_a_mask_at_coarser_layers_by_hand():
    """Of four pixels each: all, two, one and none are rain."""
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]).bool()
    rain, clean = rain_and_clean_places(mask, (2, 2))
    assert rain.tolist() == [[True, True], [False, False]]
    assert clean.tolist() == [[False, False], [False, True]]
    same, none = rain_and_clean_places(mask, (4, 4))
    assert torch.equal(same, mask) and torch.equal(none, ~mask)


def test_rain_is_a_change_beyond_the_threshold_in_any_channel():
    clean = torch.full((3, 1, 4), 0.5)
    rainy = clean.clone()
    rainy[0, 0, 1], rainy[2, 0, 2], rainy[:, 0, 3] = 0.7, 0.3, 0.55
    assert rain_mask(rainy, clean, 0.1).tolist() == [[False, True, True, False]]


def test_the_window_is_where_most_rain_is_and_then_the_strongest():
    mask = torch.zeros(6, 8, dtype=torch.bool)
    mask[0:2, 0:2] = mask[4:6, 3:5] = True
    difference = torch.zeros(6, 8)
    difference[4:6, 3:5] = 0.5
    difference[0:2, 6:8] = 1.0  # not rain by the mask
    assert densest_window(mask, difference, 2) == (4, 3)
    assert densest_window(mask, torch.zeros(6, 8), 2) == (0, 0)


def rates(*differences: np.ndarray, seed: int = 0) -> pd.DataFrame:
    """Rows of spikes.csv: at each depth rain exceeds its counterpart by the given differences."""
    base = np.random.default_rng(seed).uniform(0.2, 0.4, len(differences[0]))
    rows = [
        {
            "image": f"{i}.png",
            "depth": depth,
            "layer": f"layer{depth}",
            "channels": 2 if depth == 1 else 1,
            "height": 4,
            "width": 4,
            "firing_rate_rain": base[i] + added,
            "firing_rate_counterpart": base[i],
            "firing_rate_clean": base[i] + added,
            "firing_rate_clean_counterpart": base[i],
        }
        for depth, of in enumerate(differences, start=1)
        for i, added in enumerate(of)
    ]
    return pd.DataFrame(rows)


def test_each_depth_gets_the_verdict_it_deserves():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, 40)
    table = depth_table(rates(noise + 0.05, noise - 0.05, noise - noise.mean()))
    counterpart = table[table["comparison"] == "counterpart"]
    assert counterpart["verdict"].tolist() == [HIGHER, LOWER, UNDECIDED]
    assert counterpart["difference"].tolist() == pytest.approx(
        [0.05 + noise.mean(), noise.mean() - 0.05, 0]
    )
    assert (counterpart["p_holm"] >= counterpart["p"]).all()
    within = table[table["comparison"] == "within"]
    assert within["difference"].tolist() == [0, 0, 0]
    assert within["verdict"].tolist() == [UNDECIDED] * 3
    assert within["ratio"].tolist() == [1, 1, 1]


def test_no_difference_is_undecided_nearly_always():
    """In one of twenty tables at most, however many depths: here ten tables of 20 depths."""
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(10):
        table = depth_table(rates(*rng.normal(0, 0.02, (20, 30))))
        wrong += (table["verdict"] != UNDECIDED).any()
    assert wrong <= 2


def test_overall_by_hand():
    """Differences 0.1 and -0.05: means over depths 0.025, over neurons (2 to 1) 0.05."""
    wave = np.tile([0.001, -0.001], 10)
    table = rates(0.1 + wave, -0.05 + wave)
    result = overall(table, depth_table(table))
    found = result["counterpart"]
    assert found["by_depth"]["difference"] == pytest.approx(0.025)
    assert found["by_neuron"]["difference"] == pytest.approx(0.05)
    assert found["by_neuron"]["verdict"] == found["by_depth"]["verdict"] == HIGHER
    assert found["depths"]["share_higher"] == found["depths"]["share_lower"] == 0.5
    assert result["within"]["by_depth"]["verdict"] == UNDECIDED


def test_an_image_without_clean_places_at_some_depth_is_left_out_overall():
    table = rates(np.full(12, 0.1), np.full(12, 0.1))
    table.loc[(table["image"] == "3.png") & (table["depth"] == 2), "firing_rate_clean"] = math.nan
    result = overall(table, depth_table(table))
    assert result["within"]["by_depth"]["images"] == 11
    assert result["counterpart"]["by_depth"]["images"] == 12


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "esdnet.safetensors"
    torch.manual_seed(0)
    state = build("esdnet", **SMALL["esdnet"]).state_dict()
    kwargs = {"model": "esdnet", "kwargs": SMALL["esdnet"]}
    save_file(state, path, metadata=weight_metadata(kwargs))
    return path


@pytest.fixture
def measured(paired_set, weights, tmp_path):
    def run(out="out", **options):
        options = {"size": 24, "device": "cpu"} | options
        split = options.pop("split", None) or paired_set(splits={"test": 3}) / "test"
        return measure(
            model_name="esdnet",
            weights=weights,
            split_folder=split,
            out=tmp_path / out,
            **options,
        )

    return run


def test_measuring_writes_rates_statistics_patch_and_answer(measured, tmp_path):
    result = measured()
    out = tmp_path / "out"
    assert sorted(tree(out)) == [
        "depth.csv",
        "patch.npz",
        "spikes.csv",
        "spikes.json",
        "spikes.json.provenance.json",
    ]
    table = pd.read_csv(out / "spikes.csv")
    assert len(table) == 3 * 17
    assert table.groupby("image")["depth"].apply(list).tolist() == [list(range(1, 18))] * 3
    assert table["firing_rate_rain"].notna().all()
    columns = [c for c in table if c.startswith("rate_")]
    assert table[columns].stack().dropna().between(0, 1).all()
    assert len(pd.read_csv(out / "depth.csv")) == 3 * 17
    content = json.loads((out / "spikes.json").read_text(), parse_constant=pytest.fail)
    assert content["images"] == result["images"] == 3
    assert content["comparisons"]["counterpart"]["depths"]["number"] == 17
    assert len(spike_sentences(result)) == 3 * 3
    with np.load(out / "patch.npz") as arrays:
        assert arrays["potential"].shape == arrays["firing_rate"].shape == (2, 2, 2, 24, 24)
        fires = arrays["threshold"]
        assert fires.tolist() == [0.15, 0.15]
        assert arrays["pixels"].shape == (2, 24, 24, 3)
    shares = table.groupby("image")["rain_share"].first()
    assert content["patch"]["image"] == shares.idxmax()


def test_measuring_twice_gives_equal_files(measured, tmp_path):
    measured("one")
    measured("two")
    for name in ("spikes.csv", "depth.csv", "spikes.json", "patch.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_no_rain_at_all_leaves_everything_undecided(measured, tmp_path):
    for role in ("input", "target"):
        for i in range(2):
            save(tmp_path / "dry" / "test" / role / f"{i}.png", np.full((24, 24, 3), 90 + i, "u1"))
    result = measured(split=tmp_path / "dry" / "test")
    assert result["rain_share"] == 0
    for found in result["comparisons"].values():
        assert found["depths"]["undecided"] == 17
        assert found["by_depth"]["verdict"] == UNDECIDED
    assert (
        read_json(tmp_path / "out" / "spikes.json")["comparisons"]["within"]["by_depth"][
            "difference"
        ]
        is None
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"size": 22}, "--size 22: esdnet needs a multiple of 4"),
        ({"size": 32}, "24x32 is smaller than the 32x32 crop"),
    ],
)
def test_sizes_that_cannot_work_are_refused(measured, tmp_path, options, said):
    with pytest.raises(BenchError) as refused:
        measured(**options)
    assert said in one_line(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_network_without_spikes_is_refused(prn_weights, tmp_path):
    with pytest.raises(BenchError, match="'prn_r' does not compute with spikes"):
        measure(model_name="prn_r", weights=prn_weights, split_folder=tmp_path, out=tmp_path / "o")


def test_figures_are_drawn_for_spiking_runs_alone(measured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured("results/mine/spikes/small/seed-1")
    run = {"train": {"dataset": "rain", "seeds": [1, 2]}, "test": ["rain"]}
    config = parse(
        {
            "name": "mine",
            "label": "smoke",
            "title": "Mine",
            "datasets": {"rain": {"kind": "synthetic", "rain": "heavy"}},
            "runs": {"small": {"model": "esdnet", **run}, "ann": {"model": "nafnet", **run}},
            "figures": {"dataset": "rain"},
        },
        "mine",
    )
    assert list(config.spiking()) == [("small", "seed-1", "rain"), ("small", "seed-2", "rain")]
    write_figures(config, tmp_path / "figures")
    drawn = {p.name for p in (tmp_path / "figures").iterdir() if "provenance" not in p.name}
    assert drawn == {
        f"{figure}-small.{kind}"
        for figure in ("membrane-potentials", "rain-spikes")
        for kind in ("pdf", "png", "svg")
    }
    patch = tmp_path / "results/mine/spikes/small/seed-1/patch.npz"
    for damage in (patch.read_bytes()[:-50], b"no", b""):
        patch.write_bytes(damage)
        with pytest.raises(BenchError, match=r"patch\.npz: missing or damaged"):
            write_figures(config, tmp_path / "figures")
