"""Editing a file redoes what depends on it, and nothing else."""

import shutil
from pathlib import Path

import pytest
from helpers import ROOT

from derainbench import models, sources


def names(files: list[Path]) -> set[str]:
    return {f.relative_to(ROOT).as_posix() for f in files}


def test_training_esdnet_depends_on_training_and_model_but_not_on_reports():
    files = names(sources.of_training("esdnet"))
    for folder in ("derainbench/training", "esdnet"):
        assert names(list((ROOT / folder).glob("*.py"))) <= files
    assert not [f for f in files if f.startswith(("derainbench/report/", "baselines/", "tests/"))]
    assert not [f for f in files if "evaluation/" in f or "energy/" in f]


def test_a_recipe_depends_on_its_own_file_and_its_base_alone(tmp_path):
    assert names(sources.of_recipe("esdnet")) == {"derainbench/catalog/recipes/esdnet.yaml"}
    assert names(sources.of_recipe("prenet")) == {
        "derainbench/catalog/recipes/prenet.yaml",
        "derainbench/catalog/recipes/common.yaml",
    }
    (tmp_path / "mine.yaml").write_text("base: esdnet\nlr: 0.1\n")
    own, base = sources.of_recipe(str(tmp_path / "mine.yaml"))
    assert (own.name, base.name) == ("mine.yaml", "esdnet.yaml")
    assert sources.of_recipe("none") == []


def test_training_a_baseline_depends_on_its_own_file_alone():
    files = names(sources.of_training("prenet"))
    assert "baselines/prenet.py" in files
    assert not [f for f in files if f.startswith("esdnet/") or "esdnet_ann" in f]


def test_the_twin_depends_on_esdnet():
    assert names(sources.of_model("esdnet-ann")) == {
        "baselines/esdnet_ann.py",
        *names(list((ROOT / "esdnet").glob("*.py"))),
    }


@pytest.mark.parametrize(
    ("stage", "needed"),
    [
        ("synthesise", {"data/rain.py", "data/synthesise.py", "catalog/rain.yaml"}),
        ("train", {"training/loop.py", "training/losses.py", "data/crops.py"}),
        ("evaluate", {"evaluation/protocols.py", "evaluation/inference.py", "data/images.py"}),
        ("energy", {"energy/counting.py", "energy/account.py", "catalog/operators.yaml"}),
        ("structure", {"energy/counting.py", "report/structure.py", "catalog/operators.yaml"}),
        ("scenarios", {"audit/energy.py", "energy/scenarios.py", "catalog/costs.yaml"}),
        ("estimators", {"energy/estimators_spikingjelly.py", "energy/folding.py"}),
        ("spikes", {"energy/spikes.py", "audit/spikerates.py", "data/crops.py"}),
        ("spike_figures", {"report/spikes.py", "report/style.py"}),
        ("joules", {"energy/joules.py", "energy/power.py"}),
        ("tables", {"report/tables.py", "catalog/published/anns.csv"}),
        ("figures", {"report/figures.py", "report/style.py"}),
        ("paper", {"report/papercosts.py", "report/ablations.py", "catalog/paper.yaml"}),
        ("report", {"report/page.py"}),
    ],
)
def test_a_stage_depends_on_the_code_that_does_its_work(stage, needed):
    assert {f"derainbench/{n}" for n in needed} <= names(sources.of_stage(stage))


@pytest.mark.parametrize("stage", ["synthesise", "train", "evaluate", "energy", "spikes", "joules"])
def test_editing_a_report_redoes_no_computation(stage):
    assert not [f for f in names(sources.of_stage(stage)) if "report/" in f or "published" in f]


@pytest.mark.parametrize("stage", ["energy", "structure", "crosscheck"])
def test_other_prices_redo_no_count(stage):
    files = names(sources.of_stage(stage))
    assert not [f for f in files if "costs" in f or f.endswith("scenarios.yaml")]


@pytest.mark.parametrize(
    ("stage", "pattern"),
    [(stage, pattern) for stage, patterns in sources._STAGES.items() for pattern in patterns],
)
def test_every_pattern_matches_a_file(stage, pattern):
    assert sources._matching(pattern)


def test_new_training_code_is_noticed_by_itself(tmp_path, monkeypatch):
    copy = tmp_path / "derainbench"
    shutil.copytree(sources.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "PACKAGE", copy)
    (copy / "training" / "augment.py").touch()
    assert copy / "training" / "augment.py" in sources.of_training("esdnet")


def test_spiking_models_are_those_whose_cards_say_so():
    for name, card in models.cards().items():
        assert sources.is_spiking(name) == card.spiking
    assert [n for n in sources.model_names() if sources.twin_of(n) == "esdnet"] == ["esdnet-ann"]
