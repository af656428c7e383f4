"""A model joins by one file; names lead to cards, near misses to suggestions."""

import shutil
import sys

import pytest
from helpers import one_line

import baselines
from baselines import registry
from derainbench import cards, models, sources
from derainbench.errors import BenchError

PLUGIN = """
from torch import nn
from baselines.registry import ModelCard

MODELS = ("newnet",)


class NewNet(nn.Conv2d):
    def __init__(self, width: int = 3):
        super().__init__(3, width, 1)


CARDS = [ModelCard("newnet", "NewNet", NewNet)]
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that the registry and imports look into."""
    copy = tmp_path / "baselines"
    shutil.copytree(registry.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(registry, "PACKAGE", copy)
    monkeypatch.setattr(baselines, "__path__", [str(copy)])
    yield copy
    sys.modules.pop("baselines.newnet", None)


@pytest.mark.parametrize("name", models.model_names())
def test_every_name_has_a_complete_card(name):
    card = models.card(name)
    assert card.name == name == name.lower()
    assert card.title == cards.card(name).title
    assert card.inference in ("tiled", "whole")
    assert card.quantise in ("round", "truncate")
    assert card.padding in ("replicate", "reflect", "square")
    assert card.size_multiple >= 1
    assert card.spiking == (name == "esdnet")


@pytest.mark.parametrize("name", models.model_names())
def test_every_model_takes_the_tiles_on_its_card(name):
    card, tiling = models.card(name), models.card(name).tiling
    assert tiling.side % card.size_multiple == 0
    assert 0 < 2 * tiling.overlap <= tiling.side
    assert tiling.side**2 <= card.max_pixels
    assert tiling.blend in ("ramp", "distance")
    assert tiling.exact == (name in ("esdnet", "esdnet-ann", "idt"))


def test_the_cards_are_those_of_the_names():
    assert list(models.cards()) == models.model_names() == ["esdnet", *registry.index()]
    modules = {f.stem for f in registry.PACKAGE.glob("*.py")} - {"__init__", "registry"}
    assert {f.stem for f in registry.index().values()} == modules
    needed = {"prenet", "restormer", "drsformer", "mprnet", "rcdnet", "esdnet-ann", "idt"}
    assert needed <= registry.index().keys()


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("PReNet", "prenet"), ("PRENET-R", "prenet_r"), ("ESDNet_ANN", "esdnet-ann")],
)
def test_case_and_dashes_do_not_matter(spelling, name):
    assert models.card(spelling).name == name


def test_a_near_miss_is_answered_with_a_suggestion():
    with pytest.raises(BenchError) as refused:
        models.build("prennet")
    assert one_line(refused.value) == "unknown model 'prennet' (did you mean 'prenet'?)"


def test_a_far_miss_is_answered_with_the_list():
    with pytest.raises(BenchError) as refused:
        models.build("xyz-123")
    assert all(name in one_line(refused.value) for name in models.model_names())


def test_a_misspelt_argument_is_answered_with_a_suggestion():
    with pytest.raises(BenchError) as refused:
        models.build("prenet", recurent_iter=3)
    assert "takes no argument 'recurent_iter' (did you mean 'recurrent_iter'?)" in one_line(
        refused.value
    )


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        ("esdnet", {"T": 0}),
        ("esdnet", {"dim": "wide"}),
        ("esdnet", {"dim": -16}),
        ("esdnet", {"dim": 16.5}),
        ("esdnet", {"en_num_blocks": 3}),
        ("esdnet", {"attentions": "temporal"}),
        ("esdnet", {"refine": None, "de_num_blocks": [1]}),
        ("prenet", {"recurrent_iter": "six"}),
        ("prenet", {"recurrent_iter": 0}),
    ],
    ids=str,
)
def test_impossible_arguments_are_refused_in_one_line(model, arguments):
    with pytest.raises(BenchError) as refused:
        models.build(model, **arguments)
    assert one_line(refused.value).startswith(f"model '{model}'")


def test_one_file_makes_a_model_known(package):
    with pytest.raises(BenchError):
        models.card("newnet")
    (package / "newnet.py").write_text(PLUGIN)
    assert "newnet" in models.model_names()
    assert models.build("NewNet", width=5).out_channels == 5
    assert sources.of_model("newnet") == [package / "newnet.py"]


def test_one_broken_file_does_not_break_the_others(package):
    (package / "newnet.py").write_text(PLUGIN + "raise RuntimeError\n")
    assert models.card("prenet").title == "PReNet"


def test_two_files_with_one_name_are_refused(package):
    (package / "newnet.py").write_text(PLUGIN)
    (package / "other.py").write_text(PLUGIN)
    with pytest.raises(ValueError, match=r"newnet.py and other.py both provide 'newnet'"):
        registry.index()
