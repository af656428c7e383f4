"""The page about speed says what was measured."""

import sys

import pandas as pd
import pytest
from helpers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import speed_page
from speed_processes import Measuring


def test_the_page_is_the_one_of_the_kept_tables():
    assert speed_page.PAGE.read_text("utf-8") == speed_page.document()


def test_targets_are_called_reached_or_not_by_their_numbers(tmp_path):
    for file in speed_page.TABLES.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    table = pd.read_csv(tmp_path / "speed.csv")
    step = table["work"].str.startswith("training") & (table["layers"] == "fast")
    for ratio, word in ((2.0, "reached"), (1.0, "not reached")):
        table.loc[step, "ratio"] = ratio
        table.to_csv(tmp_path / "speed.csv", index=False)
        page = speed_page.document(tmp_path)
        (line,) = (line for line in page.splitlines() if line.startswith("| training step, ratio"))
        assert line.split("|")[-2].strip() == word


@pytest.mark.parametrize(
    ("layers", "process", "work"),
    [
        ("reference", "hands back", "reference"),
        ("attention", "hands back", "attention"),
        ("fast", "keeps", "fast"),
        (speed_page.KEPT, "keeps", "reference"),
        ("exact", "keeps", "exact"),
        ("exact" + speed_page.HANDED_BACK, "hands back", "exact"),
    ],
)
def test_the_yardstick_hands_memory_back_and_what_the_command_line_does_keeps_it(
    layers, process, work
):
    measuring = object.__new__(Measuring)
    measuring._of = {False: "hands back", True: "keeps"}
    assert measuring._process(layers) == (process, work)
    measuring._of = {True: "of a GPU"}
    assert measuring._process(layers) == ("of a GPU", work)
