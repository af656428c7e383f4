"""The command line answers mistakes in one line, with the right exit code, touching nothing."""

import pandas as pd
import pytest
from helpers import read_json, refusal, run_process, tree

from derainbench import __version__
from derainbench.catalog.protocols import protocol_names

VERBS = [
    "models",
    "data",
    "data list",
    "data synthesise",
    "data fetch",
    "data add",
    "data verify",
    "data leaks",
    "data card",
    "data recomposite",
    "weights",
    "weights list",
    "weights fetch",
    "train",
    "derain",
    "evaluate",
    "score",
    "energy",
    "estimators",
    "crosscheck",
    "scenarios",
    "spikes",
    "joules",
    "tables",
    "figures",
    "spike-figures",
    "training-figures",
    "reproduce",
    "verdict-figures",
    "report",
    "rehearse",
    "plan",
    "data stand-in",
    "config",
    "config check",
    "config schema",
    "published",
    "published template",
    "published add",
]


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_verb_explains_itself(cli, verb):
    done = cli(*verb.split(), "--help")
    assert done.code == 0
    assert done.stdout.startswith("Usage: ")
    assert done.stderr == ""


def test_help_names_every_verb(cli):
    text = cli("--help").stdout
    assert all(verb.split()[0] in text for verb in VERBS)


def test_version(cli):
    assert cli("--version").stdout.strip() == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        "trian",
        "train",
        "train --model esdnet --data d",
        "train --model esdnet --data d --out o --sed 3",
        "train --model esdnet --data d --out o --seed three",
        "train --model esdnet --data d --out o --seed -1",
        "train --model esdnet --data d --out o --kwarg dim",
        "train --model esdnet --data d --out o --kwarg =3",
        "train --model esdnet --data d --out o --kwarg dim=[1,",
        "train --model esdnet --data d --out o --set epochs:3",
        "evaluate --model esdnet --weights w --data d --out o --inference half",
        "evaluate --model esdnet --weights w --data d --out o --quantise floor",
        "derain --weights w --out o",
        "energy --model esdnet --weights w --data d --out o --size 3",
        "spikes --model esdnet --weights w --data d --out o --threshold 2",
        "joules --model esdnet --weights w --out o --repetitions 0",
        "data synthesise light",
        "data synthesise light --out o --train 0",
        "data sinthesise light",
        "models --size big",
        "config check",
        "score --restored a --target b",
        "evaluate extra --model esdnet --weights w --data d --out o",
    ],
)
def test_wrong_usage_ends_with_2(cli, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refusal(cli(*arguments.split()), 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("group", ["", "data", "weights", "config"])
def test_a_group_without_a_verb_shows_its_help(cli, group):
    done = cli(*group.split())
    assert done.code == 2
    assert done.stderr.startswith("Usage: ")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("models prenett", "did you mean 'prenet'"),
        ("data synthesise haevy --out out", "did you mean 'heavy'"),
        ("data verify nowhere", "unknown data set 'nowhere'"),
        ("data add Rain12 nowhere", "nowhere: no such file or folder"),
        ("data card nowhere --facts none", "none/dataset.json: missing"),
        ("score --restored nowhere --target nowhere --out s.csv", "nowhere: no such folder"),
        ("config check none.yaml", "none.yaml: cannot be read"),
        ("scenarios --config none.yaml --out out", "none.yaml: cannot be read"),
        ("tables --config none.yaml --out out", "none.yaml: cannot be read"),
        ("figures --config none.yaml --out out", "none.yaml: cannot be read"),
        ("report --config none.yaml --out out", "none.yaml: cannot be read"),
        (
            "derain a.png --model prn_r --weights none.pth --out out",
            "none.pth: no such weight file",
        ),
    ],
)
def test_a_mistake_in_another_verb_ends_with_1(cli, command, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert reason in refusal(cli(*command.split()), 1)
    assert list(tmp_path.iterdir()) == []


def test_models_are_listed_or_written(cli, tmp_path):
    done = cli("models", "prn_r", "--size", 64)
    assert "21123" in done.stdout.replace(",", "") and "PRN_r" in done.stdout
    assert cli("models", "prn_r", "--size", 64, "--out", tmp_path / "m").code == 0
    assert {*tree(tmp_path / "m")} == {
        "arguments.json",
        "layers.csv",
        "models.csv",
        "models.csv.provenance.json",
        "others.csv",
    }
    for name in ("models", "layers", "others"):
        assert pd.read_csv(tmp_path / "m" / f"{name}.csv")["model"].unique() == ["prn_r"]


def test_data_verbs_work(cli, paired_set, tmp_path):
    assert "heavy: " in cli("data", "list").stdout
    numbers = ["--size=48", "--train=1", "--val=1", "--test=1", "--seed=3"]
    assert cli("data", "synthesise", "light", "--out", tmp_path / "rain", *numbers).code == 0
    done = cli("data", "verify", tmp_path / "rain", "--out", tmp_path / "facts")
    assert "rain: unlisted" in done.stdout
    facts = read_json(tmp_path / "facts" / "dataset.json")
    assert {s: f["images"] for s, f in facts["splits"].items()} == {"train": 1, "val": 1, "test": 1}


def test_scores_are_printed_with_their_protocol(cli, paired_set, tmp_path):
    split = paired_set() / "test"
    done = cli(
        "score", "--restored", split / "input", "--target", split / "target",
        "--out", tmp_path / "s.csv",
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert tuple(line.split(":")[0] for line in lines) == protocol_names()
    assert all(" dB, SSIM " in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("evaluate --model prennet --weights w.pth --data d --out {out}", 1),
        ("evaluate --model prenet --weights none.pth --data d --out {out}", 1),
        ("train --model esdnet --data nowhere --out {out} --set epochs=10", 1),
        ("train --model esdnet", 2),
    ],
)
def test_a_process_says_one_line_too(command, code, tmp_path):
    refusal(run_process(*command.format(out=tmp_path / "out").split()), code)
    assert list(tmp_path.iterdir()) == []
