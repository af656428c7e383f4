"""A model joins by its card; names lead to cards, near misses to suggestions."""

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from helpers import CARD_FACTS, ROOT, one_line

from derainbench.catalog import files, model_cards
from derainbench.catalog.model_cards import all_cards, card_files, model_card, model_names
from derainbench.catalog.papers import paper_names, read_paper
from derainbench.foundation.errors import BenchError
from derainbench.foundation.source_graph import modules_behind
from derainbench.models.construction import build, constructor_arguments

NETWORK = """
from torch import nn


class NewNet(nn.Conv2d):
    def __init__(self, width: int = 3, kernel: int = 1):
        super().__init__(3, width, kernel)
"""
CARD = CARD_FACTS | {
    "name": "newnet",
    "title": "NewNet",
    "network": {"build": "newnet_code:NewNet", "defaults": {"kernel": 5}},
    "no_weights": "it is new",
}


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A copy of the catalogue's cards, in the place of the catalogue."""
    copy = tmp_path / "catalog"
    for file in card_files().values():
        place = copy / file.relative_to(files.CATALOG)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    monkeypatch.setattr(files, "CATALOG", copy)
    return copy


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder that Python imports from, with a module ``newnet_code`` in it."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "newnet_code.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(folder)
    model_cards.outside_cards.cache_clear()
    yield folder
    model_cards.outside_cards.cache_clear()
    for name in [m for m in sys.modules if m.partition(".")[0] in ("newnet_code", "newpackage")]:
        del sys.modules[name]


def write_card(folder: Path, **changes: object) -> Path:
    """A card in a folder, NAME.yaml."""
    card = CARD | changes
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{card['name']}.yaml"
    file.write_text(yaml.safe_dump(card))
    return file


def install(site: Path, package: str, entry_points: str) -> None:
    """What pip leaves behind of a package with these entry points."""
    (site / package).mkdir()
    (site / package / "__init__.py").touch()
    facts = site / f"{package}-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(f"[derainbench.models]\n{entry_points}\n")


@pytest.mark.parametrize("name", model_names())
def test_every_name_has_a_complete_card(name):
    card = model_card(name)
    assert card.name == name == name.lower()
    assert card.title
    assert card.network.size_multiple >= 1
    papers = [read_paper(paper) for paper in paper_names()]
    assert card.spiking == (name in [paper.network for paper in papers])
    counterparts = {paper.counterpart: paper.network for paper in papers}
    assert card.counterpart_of == counterparts.get(name)


@pytest.mark.parametrize("name", model_names())
def test_every_model_takes_the_tiles_on_its_card(name):
    network = model_card(name).network
    tiling = network.tiling
    assert tiling.side % network.size_multiple == 0
    assert 0 < 2 * tiling.overlap <= tiling.side
    assert tiling.side**2 <= network.max_pixels
    of_papers = {name for paper in map(read_paper, paper_names()) for name in paper.networks}
    assert tiling.exact == (name in {*of_papers, "idt"})


def test_names_are_those_of_the_cards_the_papers_own_networks_first():
    of_papers = [n for n, file in card_files().items() if "papers" in file.parts]
    assert list(all_cards()) == model_names()
    assert model_names()[: len(of_papers)] == of_papers
    assert {"esdnet", "esdnet-ann"} <= set(of_papers)
    needed = {"prenet", "restormer", "drsformer", "mprnet", "rcdnet", "esdnet-ann", "idt"}
    assert needed <= set(model_names())


def test_every_network_has_a_card():
    modules = {f"baselines.{file.stem}" for file in ROOT.glob("baselines/[!_]*.py")} | {"esdnet"}
    built = {card.network.module for card in all_cards().values()}
    # What is no network of its own is a part of one.
    assert built <= modules <= modules_behind(built)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("PReNet", "prenet"), ("PRENET-R", "prenet_r"), ("ESDNet_ANN", "esdnet-ann")],
)
def test_case_and_dashes_do_not_matter(spelling, name):
    assert model_card(spelling).name == name


def test_a_near_miss_is_answered_with_a_suggestion():
    with pytest.raises(BenchError) as refused:
        build("prennet")
    assert one_line(refused.value) == "unknown model 'prennet' (did you mean 'prenet'?)"


def test_a_far_miss_is_answered_with_the_list():
    with pytest.raises(BenchError) as refused:
        build("xyz-123")
    assert all(name in one_line(refused.value) for name in model_names())


def test_a_misspelt_argument_is_answered_with_a_suggestion():
    with pytest.raises(BenchError) as refused:
        build("prenet", recurent_iter=3)
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
        build(model, **arguments)
    assert one_line(refused.value).startswith(f"model '{model}'")


@pytest.mark.parametrize("place", ["models", "papers/newpaper/models"])
def test_one_card_makes_a_model_known(catalogue, site, place):
    with pytest.raises(BenchError):
        model_card("newnet")
    write_card(catalogue / place)
    assert "newnet" in model_names()
    model = build("NewNet", width=5)
    assert (model.out_channels, model.kernel_size) == (5, (5, 5))
    assert constructor_arguments("newnet", {"width": 4}) == {"width": 4, "kernel": 5}


def test_a_package_of_others_makes_its_model_known(site):
    install(site, "newpackage", "newnet = newpackage")
    write_card(site / "newpackage", network={"build": "newpackage.network:NewNet"})
    (site / "newpackage" / "network.py").write_text(NETWORK)
    assert model_names()[-1] == "newnet"
    assert build("newnet", width=5).out_channels == 5
    assert modules_behind([model_card("newnet").network.module]) == {
        "newpackage",
        "newpackage.network",
    }


def test_a_package_without_its_card_is_named(site):
    install(site, "newpackage", "newnet = newpackage")
    with pytest.raises(BenchError, match=r"newnet = newpackage: no card newnet\.yaml beside") as no:
        model_names()
    one_line(no.value)


@pytest.mark.parametrize("above", ["raise RuntimeError", "import nowhere", "1 +"])
def test_a_package_that_cannot_be_imported_is_named(site, above):
    install(site, "newpackage", "newnet = newpackage.models.inner")
    (site / "newpackage" / "__init__.py").write_text(above)
    with pytest.raises(BenchError, match=r"newnet = newpackage.models.inner: no card") as refused:
        model_names()
    one_line(refused.value)


@pytest.mark.parametrize("text", ["name: [", "name: newnet", "name: newnet\nname: x"])
def test_one_broken_card_does_not_break_the_others(catalogue, text):
    (catalogue / "models" / "newnet.yaml").write_text(text)
    assert model_card("prenet").title == "PReNet"
    with pytest.raises(BenchError, match=r"newnet\.yaml: ") as refused:
        model_card("newnet")
    one_line(refused.value)


@pytest.mark.parametrize(
    ("built", "reason"),
    [
        ("newnet_code:Newnet", "newnet_code:Newnet: module 'newnet_code' has no attribute"),
        ("newnet_kode:NewNet", "newnet_kode:NewNet: No module named 'newnet_kode'"),
    ],
)
def test_a_card_that_names_no_class_is_refused(catalogue, site, built, reason):
    write_card(catalogue / "models", network={"build": built})
    with pytest.raises(BenchError) as refused:
        build("newnet")
    assert one_line(refused.value).startswith(f"model 'newnet': {reason}")


def test_two_cards_of_one_name_are_refused(catalogue, site):
    first = write_card(catalogue / "models")
    second = write_card(catalogue / "papers" / "newpaper" / "models")
    with pytest.raises(BenchError) as refused:
        model_names()
    assert one_line(refused.value) == f"{second} and {first}: two cards of one model; rename one"


def test_a_package_cannot_take_a_name_that_is_there(site):
    install(site, "newpackage", "prenet = newpackage")
    write_card(site / "newpackage", name="prenet")
    with pytest.raises(BenchError, match="two cards of one model; rename one"):
        model_names()
