"""What was promised once is still there: docs/stability.md."""

import sys

import pytest
from helpers import ROOT, read_json

from derainbench.config.schema import parse
from derainbench.foundation.settings import read_yaml

sys.path.append(str(ROOT / "tools"))
import promises

RECORDED = read_json(promises.RECORDED)
CONFIGURATIONS = sorted((ROOT / "tests" / "recorded").glob("*.yaml"))


def missing(promised: dict[str, list[str]], present: dict[str, list[str]]) -> list[str]:
    """What was promised and is gone, one line each."""
    return [
        f"{name}: {word}"
        for name, words in promised.items()
        for word in (words or [""])
        if name not in present or (word and word not in present[name])
    ]


@pytest.mark.parametrize("kind", ["verbs", "columns", "configuration"])
def test_nothing_that_was_promised_disappears(kind):
    assert len(RECORDED[kind]) > 10
    assert missing(RECORDED[kind], getattr(promises, kind)()) == []


def test_a_verb_an_option_or_a_column_that_goes_is_noticed():
    promised = {"train": ["--data", "--out"], "models": []}
    assert missing(promised, {"train": ["--data", "--out", "--new"], "models": ["--more"]}) == []
    assert missing(promised, {"train": ["--out"]}) == ["train: --data", "models: "]


@pytest.mark.parametrize("file", CONFIGURATIONS, ids=lambda file: file.stem)
def test_a_configuration_that_was_once_valid_still_is(file):
    assert parse(read_yaml(file), file.name).runs
