"""The page about speed says what was measured."""

import sys

import pandas as pd
from helpers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import speed_page


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
