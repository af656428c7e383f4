"""Configurations that ship are right; a wrong one is refused in one line that names the key."""

import copy
import datetime
import io
import json

import pandas as pd
import pytest
import torch
from helpers import ROOT, one_line, read_json

from derainbench.catalog import files
from derainbench.catalog.protocols import default_protocol, protocol_names, protocols
from derainbench.config.checks import check_files, check_models
from derainbench.config.schema import Config, load, parse
from derainbench.foundation.errors import BenchError
from derainbench.foundation.seeds import MAX_SEED
from derainbench.foundation.settings import read_yaml
from derainbench.results.runs import run_variants
from derainbench.results.scores import read_scores

SHIPPED = sorted((ROOT / "config").glob("*.yaml"))
SMALLEST = {
    "name": "mine",
    "label": "smoke",
    "title": "Mine",
    "data_root": "data",
    "weights_root": "weights",
    "datasets": {"rain": {"kind": "synthetic", "rain": "heavy"}, "Rain200H": {"kind": "folder"}},
    "runs": {
        "small": {"model": "esdnet", "train": {"dataset": "rain"}, "test": ["rain"]},
        "official": {"model": "prenet", "weights": "prenet.pth", "test": ["Rain200H"]},
    },
    "figures": {"dataset": "rain"},
}
GONE = object()


def changed(path: str, value: object) -> dict:
    """SMALLEST with one value replaced, or removed."""
    config = copy.deepcopy(SMALLEST)
    *parents, last = path.split(".")
    node = config
    for key in parents:
        node = node[key]
    if value is GONE:
        del node[last]
    else:
        node[last] = value
    return config


def refusal(config: dict) -> str:
    with pytest.raises(BenchError) as refused:
        parse(config, "my.yaml")
    message = one_line(refused.value)
    assert message.startswith("my.yaml: ")
    return message


@pytest.mark.parametrize("file", SHIPPED, ids=lambda p: p.stem)
def test_shipped_configuration_is_right(file):
    config = load(file)
    assert config.name == file.stem
    check_models(config)
    assert list(config.evaluations())


def test_three_configurations_ship():
    assert {"paper", "real", "smoke"} == {p.stem for p in SHIPPED}
    assert load(ROOT / "config" / "smoke.yaml").label == "smoke"
    assert load(ROOT / "config" / "paper.yaml").label == "paper"


def test_only_the_paper_configuration_is_full_size():
    for file in SHIPPED:
        runs = [r for r in load(file).runs.values() if r.model == "esdnet"]
        assert runs
        assert all((r.kwargs["dim"] == 48) == (file.stem == "paper") for r in runs)


def test_defaults_are_filled_in():
    config = parse(SMALLEST, "my.yaml")
    assert config.datasets["rain"].size == 256
    assert config.runs["small"].train.seeds == [1234]
    assert config.dataset_folder("rain") == "results/mine/made/rain"
    assert config.dataset_folder("Rain200H") == "data/Rain200H"
    assert list(config.evaluations()) == [
        ("small", "seed-1234", "rain"),
        ("official", "official", "Rain200H"),
    ]


def test_a_written_configuration_reads_back_equal(tmp_path):
    config = parse(SMALLEST, "my.yaml")
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert load(tmp_path / "config.json") == config


@pytest.mark.parametrize(
    ("key", "misspelt", "right"),
    [
        ("", "lable", "label"),
        ("datasets.rain.", "siez", "size"),
        ("datasets.Rain200H.", "pth", "path"),
        ("runs.small.", "kwarg", "kwargs"),
        ("runs.small.train.", "seed", "seeds"),
        ("figures.", "protocl", "protocol"),
    ],
)
def test_misspelt_key_is_named_with_a_suggestion(key, misspelt, right):
    message = refusal(changed(key + misspelt, 1))
    assert misspelt in message
    assert message.endswith(f"unknown key (did you mean '{right}'?)")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../elsewhere"),
        ("label", "study2"),
        ("datasets.rain.size", 8),
        ("datasets.rain.size", "large"),
        ("datasets.rain.rain", "medium"),
        ("datasets.rain.kind", "video"),
        ("datasets.rain.seed", -1),
        ("datasets.rain.train", 1),
        ("runs", {}),
        ("runs.small.test", []),
        ("runs.small.test", ["snow"]),
        ("runs.small.train.dataset", "snow"),
        ("runs.small.train.seeds", []),
        ("runs.small.train.seeds", [-1]),
        ("runs.small.train.set", {"epochs": datetime.date(2024, 5, 1)}),
        ("runs.small.kwargs", {"dim": float("nan")}),
        ("runs.small.kwargs", {"dim": {1, 2}}),
        ("runs.small.train.monitor", "val"),
        ("runs.small.model", "esdnett"),
        ("runs.official.inference", "half"),
        ("runs.official.quantise", "floor"),
        ("figures.dataset", "snow"),
        ("figures.protocol", "psnr"),
        ("figures.strip_images", 0),
        ("energy", {"size": 8}),
        ("threads", {"train": 0}),
        ("workers", -1),
        ("device", "tpu"),
        ("title", GONE),
        ("figures", GONE),
        ("runs.small.model", GONE),
    ],
)
def test_wrong_value_is_refused_naming_the_key(key, value):
    # A validator of a whole section names the section and, in words, the rest.
    section = key.rsplit(".", 1)[0] if "train.dataset" not in key else "runs.small"
    assert f" {section}" in refusal(changed(key, value))


def test_only_a_set_with_a_test_split_can_be_monitored():
    monitored = changed("runs.small.train.monitor", True)
    assert parse(monitored, "my.yaml").runs["small"].train.monitor
    assert not parse(SMALLEST, "my.yaml").runs["small"].train.monitor
    sets = monitored["datasets"]
    for dataset in (
        {"kind": "recomposited", "layers": "Rain200H", "clean": "Rain200H"},
        {"kind": "catalogue", "name": "Rain200H", "splits": ["train"]},
    ):
        monitored["datasets"] = sets | {"rain": dataset}
        assert "runs.small.train.monitor: rain has no test split" in refusal(monitored)
    monitored["datasets"] = sets | {"rain": {"kind": "catalogue", "name": "Rain200H"}}
    parse(monitored, "my.yaml")


def test_an_ablation_differs_from_a_run_of_the_same_model_and_budget_alone():
    config = copy.deepcopy(SMALLEST)
    config["runs"]["bn"] = changed_run = copy.deepcopy(config["runs"]["small"])
    changed_run |= {"kwargs": {"norm": "bn"}, "ablation": {"of": "small", "part": "normalisation"}}
    changed_run["train"]["seeds"] = [1]
    own = parse(config, "my.yaml")
    assert [e.run for e in run_variants(own, ablations=True)] == ["bn"]
    assert [e.run for e in run_variants(own)] == ["small", "official"]
    assert {run for run, _, _ in own.spiking()} == {"small"}
    assert read_scores(parse(SMALLEST, "my.yaml"), ablations=True).empty
    changed_run["train"]["set"] = {"epochs": 5}
    assert "bn and small differ in model, data set or recipe" in refusal(config)
    del changed_run["train"]["set"]
    changed_run["ablation"]["of"] = "smal"
    assert "did you mean 'small'" in refusal(config)


def test_a_set_size_beyond_the_photographs_is_refused():
    # The smallest photograph is 300 pixels high; 301 would fail in the middle of the work.
    parse(changed("datasets.rain.size", 300), "my.yaml")
    assert "datasets.rain" in refusal(changed("datasets.rain.size", 301))


def test_near_misses_get_suggestions():
    assert "did you mean 'esdnet'" in refusal(changed("runs.small.model", "esdnett"))
    assert "did you mean 'Rain200H'" in refusal(changed("runs.small.test", ["Rain200"]))


def test_weights_come_from_one_origin():
    both, neither = changed("runs.small.weights", "a.pth"), changed("runs.small.train", GONE)
    for config in (both, neither):
        message = refusal(config)
        assert "runs.small" in message and "either train or weights" in message


@pytest.mark.parametrize("root", ["data_root", "weights_root"])
def test_a_needed_root_must_be_given(root):
    assert root in refusal(changed(root, GONE))


def test_an_unneeded_root_may_be_absent():
    config = changed("data_root", GONE)
    del config["weights_root"], config["datasets"]["Rain200H"], config["runs"]["official"]
    assert parse(config, "my.yaml").data_root is None


def deep_refusal(check, config: dict) -> str:
    with pytest.raises(BenchError) as refused:
        check(parse(config, "my.yaml"))
    return one_line(refused.value)


def test_absent_folders_and_weights_are_found_before_work_starts(tmp_path):
    config = changed("data_root", str(tmp_path / "data")) | {"weights_root": str(tmp_path)}
    assert deep_refusal(check_files, config).startswith("datasets.Rain200H: ")
    (tmp_path / "data" / "Rain200H").mkdir(parents=True)
    assert "prenet.pth" in deep_refusal(check_files, config)
    (tmp_path / "prenet.pth").touch()
    check_files(parse(config, "my.yaml"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("runs.small.kwargs", {"dimm": 16}),
        ("runs.small.kwargs", {"T": 0}),
        ("runs.small.train.recipe", "esdnett"),
        ("runs.small.train.set", {"epochs": 0}),
        ("runs.small.train.set", {"epoch": 5}),
    ],
)
def test_arguments_and_recipes_are_checked_before_work_starts(key, value):
    assert deep_refusal(check_models, changed(key, value)).startswith("runs.small: ")


@pytest.mark.parametrize("text", ["", "just words", "[1, 2]", "a: [1,", "a: b: c", "\x00"])
def test_a_file_that_holds_no_configuration_is_refused(text, tmp_path):
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(BenchError) as refused:
        load(tmp_path / "my.yaml")
    assert one_line(refused.value).startswith(f"{tmp_path}/my.yaml: ")


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("data_root", 2024, "2024"),
        ("data_root", "~/data", "{home}/data"),
        ("data_root", "a//b/", "a/b"),
        ("data_root", datetime.date(2024, 5, 1), "2024-05-01"),
        ("weights_root", "~", "{home}"),
        ("metric_files", "~/m n", "{home}/m n"),
        ("datasets.Rain200H.path", 200, "200"),
        ("runs.official.weights", 6, "6"),
        ("runs.small.train.recipe", "~/my recipe.yaml", "{home}/my recipe.yaml"),
    ],
)
def test_numbers_and_home_folders_may_stand_for_paths(key, value, text, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    node = parse(changed(key, value), "my.yaml").model_dump()
    for part in key.split("."):
        node = node[part]
    assert node == text.format(home=tmp_path)


@pytest.mark.parametrize(
    "key", ["data_root", "weights_root", "metric_files", "datasets.Rain200H.path"]
)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.1, "in quotes"),
        (datetime.datetime(2024, 5, 1, 2), "in quotes"),
        (True, "valid string"),
        (["a"], "valid string"),
        ("a{b}c", "braces"),
        ("}", "braces"),
        ("a\nb", "character"),
        ("a\0b", "character"),
        ("--accept-new", "'-'"),
    ],
)
def test_what_cannot_stand_for_a_path_is_refused(key, value, reason):
    message = refusal(changed(key, value))
    assert key in message.replace("Rain200H.folder.", "Rain200H.")
    assert reason in message


@pytest.mark.parametrize("seed", [2**40, 2**63, 2**64, 10**30, 10**5000, -(10**30)], ids="abcdef")
@pytest.mark.parametrize("key", ["datasets.rain.seed", "runs.small.train.seeds"])
def test_a_seed_beyond_what_torch_takes_is_refused(key, seed):
    message = refusal(changed(key, [seed] if key.endswith("seeds") else seed))
    assert "seed" in message
    assert len(message) < 300


def test_the_largest_seed_works():
    torch.manual_seed(MAX_SEED * 1_000_003 + 1_000_000)  # of a training's last epoch
    parse(changed("runs.small.train.seeds", [0, MAX_SEED]), "my.yaml")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BenchError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml")


def test_the_schema_for_editors_is_the_one_that_is_checked():
    schema = read_json(ROOT / "workflow" / "schemas" / "config.schema.json")
    assert schema == json.loads(json.dumps(Config.model_json_schema()))


def test_protocols_are_those_in_common_use_and_those_of_the_papers_scripts():
    common = tuple(files.read_yaml("protocols.yaml"))
    assert protocol_names()[: len(common)] == common and default_protocol() == common[0]
    of_papers = {n for f in files.matching("papers/*/protocols.yaml") for n in files.read_yaml(f)}
    assert set(protocol_names()) == {*common, *of_papers} and len(of_papers) >= 2


def test_a_protocol_that_comes_twice_is_refused(tmp_path, monkeypatch):
    for file in ("protocols.yaml", "papers/otter/protocols.yaml"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("plain: {description: as it is}")
    monkeypatch.setattr(files, "CATALOG", tmp_path)
    with pytest.raises(
        BenchError, match=r"otter/protocols\.yaml: a protocol 'plain' is there already"
    ):
        protocols.__wrapped__()


@pytest.mark.parametrize("name", ["2024", "NA", "null", "None", "true", "007", "1e5", "inf", "nan"])
def test_a_name_that_tables_would_read_as_a_number_or_nothing_is_refused(name):
    config = changed(f"runs.{name}", SMALLEST["runs"]["small"])
    assert f"'{name}' is read as a number or as empty in tables" in refusal(config)
    table = pd.read_csv(io.StringIO(f"run\n{name}-1\n"))
    parse(changed(f"runs.{name}-1", SMALLEST["runs"]["small"]), "my.yaml")
    assert table["run"].tolist() == [f"{name}-1"]


def test_a_title_is_one_line_of_any_other_text():
    parse(changed("runs.small.title", "a | b, «c» & <d> \\e{f} 雨 100 %"), "my.yaml")
    assert "runs.small.title: has control characters" in refusal(
        changed("runs.small.title", "two\nlines")
    )
