"""Which layers compute is chosen in one place, recorded, and refused where it is misspelt."""

import pytest
import torch
from helpers import noise, read_json
from safetensors.torch import save_file
from torch import nn

from derainbench.catalog.recipes import load_recipe
from derainbench.evaluation.inference import TILE_BATCH, tiles_in_a_pass
from derainbench.evaluation.restoration import Restorer
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import build
from derainbench.models.layers import LAYERS, use_layers
from derainbench.models.weights import weight_metadata

KWARGS = {"dim": 16, "en_num_blocks": [1, 1, 1], "de_num_blocks": [1, 1, 1]}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "esdnet.safetensors"
    torch.manual_seed(0)
    state = build("esdnet", **KWARGS).state_dict()
    save_file(state, file, metadata=weight_metadata({"model": "esdnet", "kwargs": KWARGS}))
    return file


def test_the_layers_in_force_are_recorded_and_restore_alike(weights):
    image = noise(80, 100)
    restored = {}
    for layers in LAYERS:
        restorer = Restorer("esdnet", weights, device="cpu", layers=layers)
        assert restorer.settings["layers"] == layers
        restored[layers] = restorer.with_levels(image)[1]
    assert (restored["exact"] == restored["reference"]).all()
    assert abs(restored["fast"] - restored["reference"]).max() < 1


def test_networks_without_a_choice_stay_as_they_were_written(prn_weights):
    assert (
        Restorer("prn_r", prn_weights, device="cpu", layers="fast").settings["layers"]
        == "reference"
    )
    assert use_layers(nn.Identity(), "fast", training=True) == "reference"


def test_single_tiles_are_for_fast_layers_on_a_cpu_alone():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert tiles_in_a_pass(cpu, "fast") == 1
    assert {tiles_in_a_pass(cpu, "exact"), tiles_in_a_pass(gpu, "fast")} == {TILE_BATCH}


def test_a_recipe_says_which_layers_train():
    assert load_recipe("common").layers == "exact"
    assert load_recipe("common", {"layers": "fast"}).layers == "fast"
    with pytest.raises(BenchError, match="layers"):
        load_recipe("common", {"layers": "quick"})


def test_evaluation_takes_the_layers_as_an_option(cli, weights, paired_set, tmp_path):
    arguments = ["--model", "esdnet", "--weights", weights, "--data", paired_set() / "test"]
    done = cli(
        "evaluate", *arguments, "--layers", "fast", "--device", "cpu", "--out", tmp_path / "a"
    )
    assert done.code == 0, done.stderr
    assert read_json(tmp_path / "a" / "summary.json")["layers"] == "fast"
    done = cli("evaluate", *arguments, "--layers", "quick", "--out", tmp_path / "b")
    assert done.code == 2
    assert "--layers" in done.stderr
    assert not (tmp_path / "b").exists()
